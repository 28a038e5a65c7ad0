#include "check/check.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/jsontext.h"
#include "check/check_internal.h"

static void
last_line(const struct check *c, uint64_t start_ms, const struct err *err)
{
	double seconds = (double)(clock_mono_ms() - start_ms) / 1000;
	struct buf b CLEANUP(buf_release);

	buf_init(&b, 64 * KIB);
	if (!c->json && c->counts[CHECK_FAIL] > 0) {
		printf("%u failed\n", c->counts[CHECK_FAIL]);
	} else if (!c->json) {
		puts("a run has what it needs");
	} else {
		buf_addf(&b, "{\"operation\":\"check\",\"ok\":%u,"
		    "\"warnings\":%u,\"failed\":%u,\"seconds\":%.3f",
		    c->counts[CHECK_OK], c->counts[CHECK_WARN],
		    c->counts[CHECK_FAIL], seconds);
		if (err != NULL) {
			buf_addstr(&b, ",\"error\":");
			buf_add_json(&b, str_of(err->msg));
		}
		puts(buf_addstr(&b, "}") == 0 ? b.data : "{}");
	}
}

static void
check_conf(struct check *c)
{
	const char *file = c->conf->file == NULL ? "settings" :
	    c->conf->file;

	check_say(c, CHECK_OK, "config", file, NULL,
	    "the settings are complete");
	for (size_t i = 0; i < c->conf->notices.n; i++)
		check_say(c, CHECK_WARN, "config", file, NULL, "%s",
		    c->conf->notices.v[i]);
}

int
check_run(const struct conf *conf, const char *keys, bool json)
{
	struct check c = { .conf = conf, .json = json };
	static const struct job job = { .op = OP_PUT,
	    .max_size = UINT64_MAX };
	uint64_t start_ms = clock_mono_ms();
	CLEANUP(plan_release) struct run_plan plan = { .count = 0 };
	struct err err = ERR_INIT;

	check_conf(&c);
	check_say(&c, CHECK_OK, "config", "keys of S3", NULL, "from %s", keys);
	check_local(&c);
	if (plan_make(&plan, conf, &job, &err) == -1)
		check_say(&c, CHECK_FAIL, "config", "shares", NULL, "%s",
		    err.msg);
	check_exports(&c, &plan);
	check_s3(&c);
	check_hosts(&c);
	last_line(&c, start_ms, NULL);
	return c.counts[CHECK_FAIL] > 0 ? EXIT_UNREACHABLE : EXIT_DONE;
}

int
check_no_conf(const struct err *err, bool json)
{
	struct check c = { .json = json };

	check_say(&c, CHECK_FAIL, "config", "settings", NULL, "%s", err->msg);
	last_line(&c, clock_mono_ms(), err);
	return exit_status_of(err);
}
