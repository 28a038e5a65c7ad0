#include "base/clock.h"
#include "base/jsontext.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "cmd/outlook.h"
#include "db/holder.h"
#include "db/view.h"
#include "report/text.h"

static const char last_run[] =
    "SELECT * FROM runs%s%s%s ORDER BY run DESC LIMIT 1";

static const char its_clients[] =
    "SELECT number, host, state, leases, items, moved, failed, bytes, "
    "items_per_s, bytes_per_s, heard, reason FROM clients "
    "WHERE run = %jd ORDER BY number";

/* The columns of the last run, as text and for JSON; and the columns from
 * which the rates are computed. */
struct status {
	bool	 json;
	bool	 in_use;	/* a master holds the catalog */
	int64_t	 pid;		/* its process, or 0 */
	int64_t	 run;		/* 0: there was none */
	struct outlook outlook;
	const char *verdict;	/* --max-age; or NULL */
	struct buf text;
	struct buf clients;	/* likewise */
	double	 moved;
	double	 bytes;
	double	 seconds;
};

static void
add_text(struct status *s, const char *name, const struct value *v)
{
	char size[16];

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
	if (v->type == VALUE_INTEGER && v->integer >= 1024 &&
	    str_ends(str_of(name), STR("bytes")))
		buf_addf(&s->text, "   %s",
		    units_format((uint64_t)v->integer, size));
	buf_addch(&s->text, '\n');
}

static void
add_json_value(struct buf *b, const char *name, const struct value *v)
{
	buf_add_json(b, str_of(name));
	buf_addch(b, ':');
	if (v->type == VALUE_NULL)
		buf_addstr(b, "null");
	else if (v->type == VALUE_INTEGER)
		buf_addf(b, "%jd", (intmax_t)v->integer);
	else if (v->type == VALUE_REAL)
		buf_addf(b, "%.3f", v->real);
	else
		buf_add_json(b, v->bytes);
}

static void
add_json(struct status *s, const char *name, const struct value *v)
{
	buf_addch(&s->text, ',');
	add_json_value(&s->text, name, v);
}

static double
number(const struct value *v)
{
	return v->type == VALUE_REAL ? v->real :
	    v->type == VALUE_INTEGER ? (double)v->integer : 0;
}

static bool
take(void *arg, size_t columns, const char *const *names,
    const struct value *row)
{
	struct status *s = arg;

	if (row == NULL)
		return true;
	s->run = row[0].integer;
	for (size_t i = 0; i < columns; i++) {
		struct value v = row[i];
		double x = number(&v);

		/* A killed run could not record its own end: correct the
		 * state. */
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

/* A line of a client for people; the columns are those of its_clients. */
static void
add_client(struct status *s, const struct value *v)
{
	char host[64], bytes[32], objects[48];

	if (s->clients.len == 0)
		buf_addf(&s->clients, "\n%6s %-16s %-9s %7s %7s %12s %8s  "
		    "%s\n", "client", "host", "state", "leases", "items",
		    "moved", "failed", "rate");
	str_escape(v[1].bytes, host, sizeof(host));
	buf_addf(&s->clients, "%6.0f %s%*s %-9.*s %7.0f %7.0f %12.0f %8.0f  "
	    "%s, %s", number(&v[0]), host, text_pad(host, 16), "",
	    (int)v[2].bytes.len, v[2].bytes.p, number(&v[3]),
	    number(&v[4]), number(&v[5]), number(&v[6]),
	    text_byte_rate(number(&v[9]), bytes),
	    text_object_rate(number(&v[8]), objects));
	if (v[11].type == VALUE_TEXT) {
		buf_addstr(&s->clients, "  ");
		buf_add_escaped(&s->clients, v[11].bytes);
	}
	buf_addch(&s->clients, '\n');
}

static bool
take_client(void *arg, size_t columns, const char *const *names,
    const struct value *row)
{
	static const struct str going[] = { { "launching", 9 },
	    { "joined", 6 }, { "working", 7 } };
	struct status *s = arg;
	struct value v[16];

	if (row == NULL)
		return true;
	columns = MIN(columns, ARRAY_LEN(v));
	memcpy(v, row, columns * sizeof(*v));
	for (size_t i = 0; i < ARRAY_LEN(going) && !s->in_use; i++)
		if (str_eq(v[2].bytes, going[i]))
			v[2].bytes = STR("ended");
	if (!s->json) {
		add_client(s, v);
		return true;
	}
	for (size_t i = 0; i < columns; i++) {
		buf_addstr(&s->clients, i > 0 ? "," :
		    s->clients.len == 0 ? "{" : ",{");
		add_json_value(&s->clients, names[i], &v[i]);
	}
	buf_addch(&s->clients, '}');
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
	buf_addstr(&b, ",\"clients\":[");
	buf_add(&b, s->clients.data, s->clients.len);
	buf_addf(&b, "],\"last_success\":%s,\"last_failure\":%s",
	    s->outlook.success.run > 0 ? s->outlook.success.json : "null",
	    s->outlook.failure.run > 0 ? s->outlook.failure.json : "null");
	if (s->verdict != NULL)
		buf_addf(&b, ",\"verdict\":\"%s\"", s->verdict);
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
	if (s->verdict != NULL)
		printf("%-12s %s\n", "verdict", s->verdict);
	if (s->outlook.success.run > 0)
		printf("%-12s %s\n", "last success",
		    s->outlook.success.text);
	if (s->outlook.failure.run > 0)
		printf("%-12s %s\n", "last failure",
		    s->outlook.failure.text);
	if (s->run == 0) {
		puts("there was no run yet");
		return;
	}
	fputs(s->text.data, stdout);
	if (s->moved > 0 && s->seconds > 0)
		printf("%-12s %s, %s\n", "rate",
		    text_byte_rate(s->bytes / s->seconds, byte_rate),
		    text_object_rate(s->moved / s->seconds, object_rate));
	fputs(s->clients.data, stdout);
}

static int
ask(struct status *s, struct catalog_view *view, const char *operation,
    struct err *err)
{
	bool all = operation == NULL;
	AUTOFREE char *run = xasprintf(last_run,
	    all ? "" : " WHERE operation = '", all ? "" : operation,
	    all ? "" : "'");
	AUTOFREE char *clients = NULL;

	if (catalog_query(view, run, take, s, err) == -1)
		return -1;
	clients = xasprintf(its_clients, (intmax_t)s->run);
	return catalog_query(view, clients, take_client, s, err) == -1 ? -1 :
	    outlook_read(&s->outlook, view, operation, s->in_use, err);
}

static int
show(const struct options *o, int *ret_status, struct err *err)
{
	struct status s = { .json = o->job.json };
	struct catalog_view *view = NULL;
	AUTOFREE char *path = NULL;
	enum outlook_verdict verdict;
	int rc;

	if (cmd_find_catalog(o, &path, err) == -1 ||
	    catalog_view_open(&view, path, err) == -1)
		return -1;
	buf_init(&s.text, SIZE_MAX >> 1);
	buf_addstr(&s.text, "");
	buf_init(&s.clients, SIZE_MAX >> 1);
	buf_addstr(&s.clients, "");
	s.in_use = catalog_in_use(path, &s.pid);
	rc = ask(&s, view, o->operation, err);
	verdict = outlook_judge(&s.outlook, clock_wall_ns() / 1000000000,
	    o->max_age);
	if (o->max_age > 0) {
		s.verdict = outlook_word(verdict);
		*ret_status = (int)verdict;
	}
	if (rc == 0 && s.json)
		print_json(&s, path);
	else if (rc == 0)
		print_text(&s, path);
	outlook_release(&s.outlook);
	buf_release(&s.text);
	buf_release(&s.clients);
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
	    show(&o, &status, &err) == -1)
		status = cmd_error("status", &err);
	options_release(&o);
	return status;
}
