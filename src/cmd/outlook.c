#include "cmd/outlook.h"

#include "base/jsontext.h"

#define CLOCK_STEP_SEC	300	/* clocks may be set back by so much */

/* A run without an exit status was killed, or an earlier version has written
 * its row; the end of a killed run is known when the next run begins. */
static const char ask[] =
    "SELECT run, operation, coalesce(ended, strftime("
    "'%%Y-%%m-%%dT%%H:%%M:%%SZ', started, seconds || ' seconds')) AS end, "
    "exit_status, reason FROM runs WHERE (state <> 'running' OR %d) AND "
    "(coalesce(exit_status, state <> 'complete' OR failed > 0) = 0) = %d "
    "%s%s%s ORDER BY run DESC LIMIT 1";

static void
add_text(struct outlook_run *r, const struct value *v)
{
	struct buf b;

	buf_init(&b, 64 * KIB);
	buf_add_escaped(&b, v[2].bytes);
	buf_addstr(&b, ", ");
	buf_add_escaped(&b, v[1].bytes);
	buf_addf(&b, " run %jd", (intmax_t)r->run);
	if (v[3].type == VALUE_NULL && v[4].type == VALUE_NULL)
		buf_addstr(&b, ", killed");
	else if (v[3].type == VALUE_INTEGER && v[3].integer != 0)
		buf_addf(&b, ", exit status %jd", (intmax_t)v[3].integer);
	if (v[4].type == VALUE_TEXT && v[4].bytes.len > 0) {
		buf_addstr(&b, ": ");
		buf_add_escaped(&b, v[4].bytes);
	}
	r->text = b.data;
}

static void
add_json(struct outlook_run *r, const struct value *v)
{
	struct buf b;

	buf_init(&b, 64 * KIB);
	buf_addf(&b, "{\"run\":%jd,\"operation\":", (intmax_t)r->run);
	buf_add_json(&b, v[1].bytes);
	buf_addstr(&b, ",\"ended\":");
	buf_add_json(&b, v[2].bytes);
	if (v[3].type == VALUE_INTEGER)
		buf_addf(&b, ",\"exit_status\":%jd", (intmax_t)v[3].integer);
	if (v[4].type == VALUE_TEXT) {
		buf_addstr(&b, ",\"reason\":");
		buf_add_json(&b, v[4].bytes);
	}
	buf_addch(&b, '}');
	r->json = b.data;
}

static bool
take(void *arg, size_t columns UNUSED, const char *const *names UNUSED,
    const struct value *row)
{
	struct outlook_run *r = arg;

	if (row == NULL)
		return true;
	r->run = row[0].integer;
	r->ended_sec = row[5].integer;
	add_text(r, row);
	add_json(r, row);
	return true;
}

static int
read_one(struct outlook_run *r, struct catalog_view *view, bool success,
    const char *operation, bool in_use, struct err *err)
{
	bool all = operation == NULL;
	AUTOFREE char *last = xasprintf(ask, !in_use, success,
	    all ? "" : "AND operation = '", all ? "" : operation,
	    all ? "" : "'");

	AUTOFREE char *sql = xasprintf("SELECT *, CAST(strftime('%%s', end) "
	    "AS INTEGER) FROM (%s)", last);

	return catalog_query(view, sql, take, r, err);
}

int
outlook_read(struct outlook *o, struct catalog_view *view,
    const char *operation, bool in_use, struct err *err)
{
	memset(o, 0, sizeof(*o));
	return read_one(&o->success, view, true, operation, in_use,
	    err) == -1 ? -1 :
	    read_one(&o->failure, view, false, operation, in_use, err);
}

void
outlook_release(struct outlook *o)
{
	free(o->success.text);
	free(o->success.json);
	free(o->failure.text);
	free(o->failure.json);
	memset(o, 0, sizeof(*o));
}

enum outlook_verdict
outlook_judge(const struct outlook *o, int64_t now_sec, uint64_t max_age_sec)
{
	if (o->failure.run > o->success.run)
		return OUTLOOK_FAILED;
	/* A clock that was ahead once must not hide the nights since. */
	if (o->success.run == 0 || now_sec - o->success.ended_sec >
	    (int64_t)MIN(max_age_sec, (uint64_t)INT64_MAX) ||
	    o->success.ended_sec - now_sec > CLOCK_STEP_SEC)
		return OUTLOOK_OLD;
	return OUTLOOK_FINE;
}

const char *
outlook_word(enum outlook_verdict v)
{
	return v == OUTLOOK_FINE ? "fine" : v == OUTLOOK_OLD ? "old" :
	    "failed";
}
