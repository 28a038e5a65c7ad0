/* A store that refuses everything ends the run. */
#include "frame/frame.h"

#include "check/check.h"
#include "crypto/crypto.h"

#define IN_A_ROW	20
#define HTTP_FORBIDDEN	403	/* files that can't be read are denied, too */

static const char body_text[] = "datamover: this object may be deleted\n";

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
		s3_delete(r->s3, STR(CHECK_KEY), deleted, NULL);
	else if (err->kind == ERR_DENIED || err->kind == ERR_REFUSED)
		end(r, err, IN_A_ROW, ", and the write of " CHECK_KEY);
}

static void
ask(struct run *r)
{
	static const struct s3_meta meta = { .mode = 0644 };
	struct s3_body body = { .data = body_text,
	    .len = sizeof(body_text) - 1 };
	uint8_t md5[MD5_LEN];
	struct err err = ERR_INIT;
	struct md5 m;

	r->row.asked = true;
	if (run_s3(r, &err) == -1)
		return;
	md5_init(&m);
	md5_update(&m, body.data, (size_t)body.len);
	md5_final(&m, md5);
	body.md5 = md5;
	s3_put(r->s3, STR(CHECK_KEY), &body, &meta, written, r);
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
