#include "base/jsontext.h"
#include "catalog/catalog.h"
#include "cmd/cmd.h"
#include "report/text.h"

static const char last_run[] =
    "SELECT * FROM runs ORDER BY run DESC LIMIT 1";

/* The columns of the last run, as text and for JSON; and those of them that
 * rates are made of. */
struct status {
	bool	 json;
	bool	 in_use;	/* a master holds the catalog */
	int64_t	 pid;		/* its process, or 0 */
	size_t	 runs;
	struct buf text;
	double	 moved;
	double	 bytes;
	double	 seconds;
};

static void
add_text(struct status *s, const char *name, const struct value *v)
{
	if (v->type == VALUE_NULL ||
	    (v->type == VALUE_TEXT && v->bytes.len == 0))
		return;
	buf_addf(&s->text, "%-12s ", name);
	if (v->type == VALUE_INTEGER)
		buf_addf(&s->text, "%jd", (intmax_t)v->integer);
	else if (v->type == VALUE_REAL)
		buf_addf(&s->text, "%.1f", v->real);
	else
		buf_add_escaped(&s->text, v->bytes);
	buf_addch(&s->text, '\n');
}

static void
add_json(struct status *s, const char *name, const struct value *v)
{
	buf_addch(&s->text, ',');
	buf_add_json(&s->text, str_of(name));
	buf_addch(&s->text, ':');
	if (v->type == VALUE_NULL)
		buf_addstr(&s->text, "null");
	else if (v->type == VALUE_INTEGER)
		buf_addf(&s->text, "%jd", (intmax_t)v->integer);
	else if (v->type == VALUE_REAL)
		buf_addf(&s->text, "%.3f", v->real);
	else
		buf_add_json(&s->text, v->bytes);
}

static bool
take(void *arg, size_t columns, const char *const *names,
    const struct value *row)
{
	struct status *s = arg;

	if (row == NULL)
		return true;
	s->runs++;
	for (size_t i = 0; i < columns; i++) {
		struct value v = row[i];
		double x = v.type == VALUE_REAL ? v.real :
		    v.type == VALUE_INTEGER ? (double)v.integer : 0;

		/* A killed run could not say that it ended. */
		if (strcmp(names[i], "state") == 0 && !s->in_use &&
		    v.type == VALUE_TEXT && str_eq(v.bytes, STR("running")))
			v.bytes = STR("dead");

		if (strcmp(names[i], "moved") == 0)
			s->moved = x;
		else if (strcmp(names[i], "bytes") == 0)
			s->bytes = x;
		else if (strcmp(names[i], "seconds") == 0)
			s->seconds = x;
		if (s->json)
			add_json(s, names[i], &v);
		else
			add_text(s, names[i], &v);
	}
	return true;
}

static void
print_json(const struct status *s, const char *path)
{
	struct buf b;

	buf_init(&b, SIZE_MAX >> 1);
	buf_addstr(&b, "{\"catalog\":");
	buf_add_json(&b, str_of(path));
	buf_addf(&b, ",\"running\":%s", s->in_use ? "true" : "false");
	if (s->in_use && s->pid > 0)
		buf_addf(&b, ",\"pid\":%jd", (intmax_t)s->pid);
	buf_add(&b, s->text.data, s->text.len);
	buf_addstr(&b, "}\n");
	fputs(b.data, stdout);
	buf_release(&b);
}

static void
print_text(const struct status *s, const char *path)
{
	char byte_rate[32], object_rate[48], shown[1024];

	printf("%-12s %s\n", "catalog",
	    str_escape(str_of(path), shown, sizeof(shown)));
	if (s->in_use)
		printf("%-12s yes, process %jd\n", "running",
		    (intmax_t)s->pid);
	else
		printf("%-12s no\n", "running");
	if (s->runs == 0) {
		puts("there was no run yet");
		return;
	}
	fputs(s->text.data, stdout);
	if (s->moved > 0 && s->seconds > 0)
		printf("%-12s %s, %s\n", "rate",
		    text_byte_rate(s->bytes / s->seconds, byte_rate),
		    text_object_rate(s->moved / s->seconds, object_rate));
}

static int
show(const struct options *o, struct err *err)
{
	struct status s = { .json = o->job.json };
	struct catalog_view *view = NULL;
	AUTOFREE char *path = NULL;
	int rc;

	if (cmd_find_catalog(o, &path, err) == -1 ||
	    catalog_view_open(&view, path, err) == -1)
		return -1;
	buf_init(&s.text, SIZE_MAX >> 1);
	buf_addstr(&s.text, "");
	s.in_use = catalog_in_use(path, &s.pid);
	rc = catalog_query(view, last_run, take, &s, err);
	if (rc == 0 && s.json)
		print_json(&s, path);
	else if (rc == 0)
		print_text(&s, path);
	buf_release(&s.text);
	catalog_view_close(&view);
	return rc;
}

int
cmd_status(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct options o;
	int status;

	if (cmd_begin(&o, VERB_STATUS, argc, argv, &status) &&
	    show(&o, &err) == -1)
		status = cmd_error("status", &err);
	options_release(&o);
	return status;
}
