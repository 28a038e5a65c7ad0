/*
 * list.c: LIST: the keys of a bucket or of prefixes, streamed.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/jsontext.h"
#include "base/log.h"
#include "base/units.h"
#include "lister/lister.h"
#include "report/summary.h"
#include "model/key.h"
#include "run/run.h"
#include "source/as_of.h"
#include "source/list_cuts.h"
#include "source/source.h"
#include "target/plan.h"

struct lister {
	const struct conf *conf;
	const struct job *job;
	struct s3 *s3;
	FILE	*out;
	struct buf line;
	struct totals totals;
	bool	 done;		/* the prefix at hand */
	bool	 failed;
	struct err err;
};

static void
print_key(struct lister *l, const struct s3_listed *k)
{
	buf_clear(&l->line);
	if (l->job->json && l->out == stdout) {
		buf_addstr(&l->line, "{\"type\":\"key\",\"key\":");
		buf_add_json(&l->line, k->key);
		buf_addf(&l->line, ",\"size\":%ju,\"etag\":\"%s\"}\n",
		    (uintmax_t)k->size, k->etag);
	} else if (l->job->print0) {
		buf_add(&l->line, k->key.p, k->key.len);
		buf_addch(&l->line, '\0');
	} else {
		buf_add_escaped(&l->line, k->key);
		buf_addch(&l->line, '\n');
	}
	if (fwrite(l->line.data, 1, l->line.len, l->out) != l->line.len &&
	    !l->failed) {
		l->failed = true;
		err_errno(&l->err, ERR_RESOURCE, errno, "writing the listing");
	}
}

static void
on_page(void *arg, const struct s3_listed *keys, size_t count)
{
	struct lister *l = arg;

	for (size_t i = 0; i < count && !l->failed; i++) {
		print_key(l, &keys[i]);
		l->totals.found++;
		l->totals.found_bytes = add_capped(l->totals.found_bytes,
		    keys[i].size);
	}
}

static void
on_done(void *arg, const struct err *err)
{
	struct lister *l = arg;

	l->done = true;
	if (err == NULL || l->failed)
		return;
	l->failed = true;
	l->err = *err;
}

static void
list_prefix(struct lister *l, const char *prefix)
{
	struct s3_lister_plan plan = { .prefix = str_of(prefix),
	    .max_parallel = l->job->threads, .ordered = true };
	struct s3_lister *lister;

	plan.cuts = list_cuts(l->conf, prefix);
	l->done = false;
	s3_lister_new(&lister, l->s3, &plan, on_page, on_done, l);
	while (!l->done && !l->failed)
		s3_wait(l->s3, NULL, 0, 1000);
	s3_lister_free(&lister);
	strlist_clear(&plan.cuts);
}

/* A share inside another share comes with the listing of the outer share. */
static int
list_shares(struct lister *l, struct err *err)
{
	struct strlist prefixes CLEANUP(strlist_clear) = { .v = NULL };

	if (source_prefixes(l->conf, l->job, &prefixes, err) == -1)
		return -1;
	for (size_t i = 0; i < prefixes.n && !l->failed; i++)
		list_prefix(l, prefixes.v[i]);
	return 0;
}

static int
open_out(struct lister *l, struct err *err)
{
	char *path AUTOFREE = NULL;

	l->out = stdout;
	if (l->job->dest_path == NULL)
		return 0;
	path = xasprintf("%s/listing_object_keys", l->job->dest_path);
	l->out = fopen(path, "we");
	if (l->out == NULL)
		return err_errno(err, ERR_USAGE, errno, "--dest_path: %s",
		    path);
	return 0;
}

/* --as-of: the catalog tells the keys. */
static int
list_past(struct lister *l, struct err *err)
{
	struct run_spec spec = { .op = OP_LIST };
	struct catalog_reader *reader = NULL;
	struct as_of *past = NULL;
	struct past_row *p;

	plan_target(&spec, l->conf);
	if (catalog_look(&reader, l->conf->catalog.path, &spec, err) == -1)
		return -1;
	if (catalog_know_target(reader, &spec, err) == 0 &&
	    as_of_open(&past, l->conf, l->job, reader, err) == 0 &&
	    open_out(l, err) == 0)
		while (!l->failed && (p = as_of_next(past, err)) != NULL) {
			struct s3_listed k = { .key = str_of(key_of_path(
			    p->stored.path,
			    l->conf->fs_config.server_as_prefix)),
			    .size = p->stored.attrs.size };

			memcpy(k.etag, p->stored.etag, sizeof(k.etag));
			on_page(l, &k, 1);
		}
	as_of_free(&past);
	catalog_reader_close(&reader);
	return err->kind == ERR_NONE ? 0 : -1;
}

static int
list_bucket(struct lister *l, struct err *err)
{
	struct s3_config sc;

	if (plan_check_s3(l->conf, NULL, err) == -1)
		return -1;
	sc = plan_s3(l->conf);
	return s3_new(&l->s3, &sc, err) == -1 || open_out(l, err) == -1 ? -1 :
	    list_shares(l, err);
}

static int
run(struct lister *l, struct err *err)
{
	int rc;

	if (l->job->prefix != NULL && !l->job->all &&
	    conf_check_prefix(l->conf, l->job->prefix, err) == -1)
		return -1;
	rc = l->job->as_of != NULL ? list_past(l, err) : list_bucket(l, err);
	if (rc == -1)
		return -1;
	if (l->out != stdout && fclose(STEAL(l->out)) != 0 && !l->failed) {
		l->failed = true;
		err_errno(&l->err, ERR_RESOURCE, errno, "%s",
		    l->job->dest_path);
	}
	if (l->out == stdout && fflush(stdout) != 0 && !l->failed) {
		l->failed = true;
		err_errno(&l->err, ERR_RESOURCE, errno, "standard output");
	}
	if (!l->failed)
		return 0;
	*err = l->err;
	return -1;
}

int
run_list(const struct conf *conf, const struct job *job)
{
	struct lister l = { .conf = conf, .job = job };
	uint64_t start_ms = clock_mono_ms();
	struct err err = ERR_INIT;
	int status = EXIT_DONE;
	double seconds;
	char size[16];

	buf_init(&l.line, 64 * KIB);
	log_event(LOG_INFO, EVENT_RUN_BEGIN,
	    LOG_WITH(LOG_TEXT("operation", op_name(OP_LIST)),
		LOG_TEXT("command", job->command_line)),
	    "%s", job->command_line == NULL ? "" : job->command_line);
	if (run(&l, &err) == -1)
		status = summary_error(job, &err);
	seconds = (double)(clock_mono_ms() - start_ms) / 1000;
	summary_log(&(struct summary){ .op = OP_LIST, .totals = l.totals,
	    .seconds = seconds, .status = status,
	    .reason = status == EXIT_DONE ? NULL : err.msg });
	if (status == EXIT_DONE && !job->quiet)
		fprintf(stderr, "LIST: %ju keys, %s, %.1f s\n",
		    (uintmax_t)l.totals.found,
		    units_format(l.totals.found_bytes, size), seconds);
	if (status == EXIT_DONE && job->json)
		summary_json(stdout, &(struct summary){ .op = OP_LIST,
		    .totals = l.totals, .seconds = seconds }, NULL);
	buf_release(&l.line);
	s3_free(&l.s3);
	return status;
}
