#include "kit/outcome.h"

void
put(struct kit *k, const struct run_spec *spec, enum run_end how)
{
	struct dir_page *p;

	kit_begin_spec(k, spec);
	p = kit_page(kit_take(k, spec->exports[0].path), true);
	for (int i = 0; i < NAMES; i++) {
		AUTOFREE char *path = xasprintf("%s/%c",
		    spec->exports[0].path, 'a' + i);

		kit_entry(p, PAGE_NEW, 0, path,
		    kit_attrs(10 + (uint64_t)i, 1));
	}
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 100, OUTCOME_MOVED), NAMES);
	kit_flush(k, 1);
	kit_end(k, how);
}

void
put_all(struct kit *k)
{
	struct run_spec spec = kit_spec("bucket", "all");

	kit_open(k);
	put(k, &spec, RUN_COMPLETE);
}

void
begin_op(struct kit *k, enum op op)
{
	struct run_spec spec = kit_spec("bucket", "back");

	spec.op = op;
	spec.no_backlog = true;
	kit_begin_spec(k, &spec);
}

struct outcome_row *
row(struct outcomes *v, const char *path, enum outcome outcome)
{
	struct outcome_row *r;

	v->v = xreallocarray(v->v, v->count + 1, sizeof(*v->v));
	r = &v->v[v->count++];
	memset(r, 0, sizeof(*r));
	r->path = xstrdup(path);
	r->outcome = outcome;
	r->attempts = 1;
	return r;
}

void
give_outcomes(struct kit *k, struct outcomes *v)
{
	catalog_put_outcomes(k->c, v);
	kit_flush(k, 1000);
}

void
verdict(struct kit *k, const char *path, enum verdict what)
{
	struct outcomes *v = xcalloc(1, sizeof(*v));

	row(v, path, what == VERDICT_OK ? OUTCOME_MOVED :
	    OUTCOME_FAILED)->verdict = what;
	give_outcomes(k, v);
}

int
find(struct kit *k, const char *path, struct stored *s)
{
	struct err err = ERR_INIT;
	int rc = catalog_find_stored(k->reader, str_of(path), s, &err);

	if (rc == -1)
		fail_msg("%s", err.msg);
	return rc;
}

bool
holds(struct kit *k, const char *path)
{
	struct stored s;
	int rc = find(k, path, &s);

	if (rc == 1)
		stored_release(&s);
	return rc == 1;
}

/* --- asking with SQL --- */

static bool
take(void *arg, size_t columns, const char *const *names,
    const struct value *v)
{
	struct buf *b = arg;

	(void)names;
	for (size_t i = 0; v != NULL && i < columns; i++) {
		if (b->len > 0)
			buf_addch(b, i == 0 ? '\n' : '|');
		if (v[i].type == VALUE_INTEGER)
			buf_addf(b, "%lld", (long long)v[i].integer);
		else if (v[i].type == VALUE_NULL)
			buf_addstr(b, "NULL");
		else
			buf_add(b, v[i].bytes.p, v[i].bytes.len);
	}
	return true;
}

void
check_answer(struct kit *k, const char *sql, const char *text)
{
	struct catalog_view *v = NULL;
	struct err err = ERR_INIT;
	struct buf b;

	buf_init(&b, 64 * KIB);
	if (catalog_view_open(&v, k->path, &err) == -1 ||
	    catalog_query(v, sql, take, &b, &err) == -1)
		fail_msg("%s: %s", sql, err.msg);
	assert_string_equal(b.len == 0 ? "" : b.data, text);
	buf_release(&b);
	catalog_view_close(&v);
}
