/* A store that refuses everything ends the run. */
#include "frame/frame.h"

#define IN_A_ROW	20
#define HTTP_FORBIDDEN	403	/* files that can't be read are denied, too */

static void
end(struct run *r, const struct err *err, unsigned count, const char *what)
{
	struct err why = *err;

	err_set(&why, ERR_REFUSED, err->code, "the store has refused %u "
	    "requests in a row%s: %s", count, what, err->msg);
	run_fail(r, &why);
}

static void
deleted(void *arg UNUSED, const struct s3_reply *reply UNUSED,
    const struct err *err UNUSED)
{
}

/* The write that decides. If it went well, the keys alone are denied. */
static void
written(void *arg, const struct s3_reply *reply UNUSED,
    const struct err *err)
{
	struct run *r = arg;

	if (err == NULL)
		s3_delete(r->s3, STR(PROBE_KEY), deleted, NULL);
	else if (err->kind == ERR_DENIED || err->kind == ERR_REFUSED)
		end(r, err, IN_A_ROW, ", and the write of " PROBE_KEY);
}

static void
ask(struct run *r)
{
	struct err err = ERR_INIT;

	r->row.asked = true;
	if (run_s3(r, &err) == 0)
		plan_probe(r->s3, written, r);
}

void
run_saw(struct run *r, const struct err *err)
{
	if (run_stopped(r) || r->job->dryrun)
		return;
	if (err->kind == ERR_NONE) {
		memset(&r->row, 0, sizeof(r->row));
	} else if (err->kind == ERR_REFUSED) {
		if (++r->row.refused == IN_A_ROW)
			end(r, err, IN_A_ROW, "");
	} else if (err->kind == ERR_DENIED && err->code == HTTP_FORBIDDEN) {
		if (++r->row.denied >= IN_A_ROW && !r->row.asked &&
		    r->job->op == OP_PUT)
			ask(r);
	}
}
