#include <jansson.h>

#include "json/jval.h"

/* A struct jval is a json_t by a second name, to keep jansson's header inside
 * this file. jansson's getters take json_t without const but change nothing. */
static json_t *
json_of(const struct jval *v)
{
	json_t *j;

	memcpy(&j, &v, sizeof(j));
	return j;
}

static struct jval *
jval_of(json_t *j)
{
	return (struct jval *)j;
}

int
jval_parse(struct str text, const char *name, struct jval **ret,
    struct err *err)
{
	json_error_t je;
	json_t *j = json_loadb(text.p, text.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);

	*ret = NULL;
	if (j == NULL) {
		char what[128];

		str_escape(str_of(je.text), what, sizeof(what));
		return err_set(err, ERR_CONFIG, 0, "%s:%d:%d: %s", name,
		    MAX(je.line, 1), MAX(je.column, 0), what);
	}
	*ret = jval_of(j);
	return 0;
}

void
jval_free(struct jval **v)
{
	if (*v != NULL)
		json_decref(json_of(*v));
	*v = NULL;
}

enum jval_type
jval_type(const struct jval *v)
{
	switch (json_typeof(json_of(v))) {
	case JSON_OBJECT:
		return JVAL_OBJECT;
	case JSON_ARRAY:
		return JVAL_ARRAY;
	case JSON_STRING:
		return JVAL_STRING;
	case JSON_INTEGER:
		return JVAL_INT;
	case JSON_REAL:
		return JVAL_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JVAL_BOOL;
	case JSON_NULL:
		break;
	}
	return JVAL_NULL;
}

const char *
jval_type_name(const struct jval *v)
{
	static const char *const names[JVAL__MAX] = {
		[JVAL_NULL] = "null",
		[JVAL_BOOL] = "true or false",
		[JVAL_INT] = "a number",
		[JVAL_REAL] = "a number",
		[JVAL_STRING] = "a string",
		[JVAL_ARRAY] = "a list",
		[JVAL_OBJECT] = "an object",
	};

	return names[jval_type(v)];
}

bool
jval_text(const struct jval *v, struct buf *out)
{
	const json_t *j = json_of(v);

	switch (jval_type(v)) {
	case JVAL_STRING:
		return buf_add(out, json_string_value(j),
		    json_string_length(j)) == 0;
	case JVAL_INT:
		return buf_addf(out, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(j)) == 0;
	case JVAL_REAL:
		return buf_addf(out, "%.17g", json_real_value(j)) == 0;
	case JVAL_BOOL:
		return buf_addstr(out, json_is_true(j) ? "yes" : "no") == 0;
	default:
		return false;
	}
}

const char *
jval_string(const struct jval *v)
{
	return json_string_value(json_of(v));
}

int64_t
jval_int(const struct jval *v)
{
	return json_integer_value(json_of(v));
}

size_t
jval_count(const struct jval *v)
{
	return json_array_size(json_of(v));
}

const struct jval *
jval_at(const struct jval *v, size_t i)
{
	return jval_of(json_array_get(json_of(v), i));
}

const struct jval *
jval_get(const struct jval *v, const char *key)
{
	return jval_of(json_object_get(json_of(v), key));
}

void *
jval_first(const struct jval *v)
{
	return json_object_iter(json_of(v));
}

void *
jval_next(const struct jval *v, void *it)
{
	return json_object_iter_next(json_of(v), it);
}

const char *
jval_key(void *it)
{
	return json_object_iter_key(it);
}

const struct jval *
jval_value(void *it)
{
	return jval_of(json_object_iter_value(it));
}
