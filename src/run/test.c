/*
 * test.c: the verb TEST --data_integrity, from the parsed options to the last
 * line of output.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/signals.h"
#include "catalog/doubt.h"
#include "crew/setup.h"
#include "model/key.h"
#include "report/summary.h"
#include "run/frame.h"
#include "run/integrity.h"
#include "run/run.h"

#define TICK_MS		200
#define BATCH		500

/* --- verdicts --- */

static void
flush(struct integrity *t)
{
	if (t->batch != NULL)
		catalog_put_outcomes(t->catalog, STEAL(t->batch));
}

bool
integrity_stopped(const struct integrity *t)
{
	return t->failed || t->stop_signal != 0;
}

void
integrity_fail(struct integrity *t, const struct err *err)
{
	if (t->failed)
		return;
	t->failed = true;
	t->err = *err;
}

/* The object differs from the record: does the catalog know which version
 * was sent last? */
static bool
is_in_doubt(struct integrity *t, const char *path, const struct judged *j,
    struct judged *ret_doubt)
{
	struct err err = ERR_INIT;
	int rc;

	/* Only the record could call the object unreadable: the ETag of the
	 * object is the ETag of different parts. */
	if (!j->lost && (j->verdict != VERDICT_UNREADABLE ||
	    j->err.kind != ERR_CORRUPT))
		return false;
	rc = catalog_in_doubt(t->reader, str_of(path), &err);
	if (rc == -1)
		integrity_fail(t, &err);
	*ret_doubt = *j;
	proof_doubt(ret_doubt);
	return rc == 1;
}

void
integrity_verdict(struct integrity *t, unsigned export, const char *path,
    bool is_key, int64_t object, uint64_t size, enum verify_method method,
    const struct judged *j)
{
	struct judged doubt;
	struct outcome_row *r;

	if (object != 0 && is_in_doubt(t, path, j, &doubt))
		j = &doubt;
	t->verdicts[j->verdict]++;
	if (j->verdict != VERDICT_NONE && j->verdict != VERDICT_UNREADABLE &&
	    j->verdict != VERDICT_DOUBT)
		t->verified[export]++;
	if (j->verdict != VERDICT_NONE && j->verdict != VERDICT_OK) {
		char shown[400];

		log_event(LOG_DEBUG,
		    "verdict", "%s: %s: %s", verdict_name(j->verdict),
		    str_escape(str_of(path), shown, sizeof(shown)),
		    j->err.msg);
	}
	if (t->batch == NULL) {
		t->batch = xcalloc(1, sizeof(*t->batch));
		t->batch->v = xcalloc(BATCH, sizeof(*t->batch->v));
	}
	r = &t->batch->v[t->batch->count++];
	r->path = xstrdup(path);
	r->is_key = is_key;
	r->object = object;
	r->ended = j->ended;
	r->size = size;
	r->attempts = 1;
	r->verdict = j->verdict;
	r->method = method;
	r->lost = j->lost;
	r->err = j->err;
	if (t->batch->count == BATCH)
		flush(t);
}

/* Return the name, below the root of the export, that a key stands for. */
static char *
raw_name(const struct integrity *t, unsigned export, struct str key)
{
	const char *root = t->plan.roots[export];
	size_t skip;
	struct buf b;
	char *raw;

	root = key_of_path(root, t->conf->fs_config.server_as_prefix);
	skip = strlen(root) > 0 ? strlen(root) + 1 : 0;
	buf_init(&b, 64 * KIB);
	if (key.len <= skip || memchr(key.p, '\0', key.len) != NULL ||
	    key_to_path(&b, (struct str){ key.p + skip, key.len - skip })
	    == -1) {
		buf_release(&b);
		return NULL;
	}
	raw = xstrdup(b.data);
	buf_release(&b);
	return raw;
}

void
integrity_read(struct integrity *t, unsigned export, struct str key,
    struct stored *s, const struct s3_listed *listed)
{
	struct fetch_item *it = xcalloc(1, sizeof(*it));

	it->key = xstrndup(key.p, key.len);
	it->export = export;
	it->has_stored = s->path != NULL;
	it->stored = *s;
	memset(s, 0, sizeof(*s));
	it->size = listed != NULL ? listed->size : it->stored.attrs.size;
	memcpy(it->etag, listed != NULL ? listed->etag : it->stored.etag,
	    sizeof(it->etag));
	it->modified_sec = listed != NULL ? listed->modified_sec : 0;
	if (!t->job->skip_upload || !it->has_stored)
		it->raw = raw_name(t, export, key);
	t->out++;
	crew_fetch(t->crew, it);
}

bool
integrity_full(const struct integrity *t)
{
	return t->crew != NULL && crew_backlog(t->crew) >= crew_enough(t->crew);
}

static void
take_item(struct integrity *t, struct fetch_item *it)
{
	struct judged j;

	t->out--;
	/* S3 was tried again for as long as the settings say. */
	if (it->outcome == OUTCOME_FAILED && (it->err.kind == ERR_RETRY ||
	    it->err.kind == ERR_UNREACHABLE))
		integrity_fail(t, &it->err);
	if (!integrity_stopped(t)) {
		proof_read(it, t->conf->fs_config.ignore_inode, &j);
		if (j.ended == ENDED_EXCLUDED)
			t->not_ours++;
		integrity_verdict(t, it->export, it->has_stored ?
		    it->stored.path : it->key, !it->has_stored,
		    it->stored.object, it->size,
		    t->job->sample_percent > 0 ? METHOD_SAMPLE :
		    METHOD_FULL, &j);
	}
	fetch_item_free(&it);
}

static void
take_mail(struct integrity *t)
{
	struct mail *mail = mailbox_take(t->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		if (mail->type == MAIL_FETCHED) {
			take_item(t, msg);
		} else if (mail->type == MAIL_CREW_FAILED) {
			integrity_fail(t, &((struct crew_failure *)msg)->err);
			free(msg);
		} else {
			struct catalog_failure *f = msg;

			integrity_fail(t, &f->err);
			free(f);
		}
	}
}

static void
read_signals(struct integrity *t)
{
	for (int no; (no = signals_next(t->signals)) != 0;) {
		t->stop_signal = no;
		log_event(LOG_WARN, "stopping", "at once");
	}
}

void
integrity_turn(struct integrity *t, int timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = mailbox_fd(t->in), .events = POLLIN },
		{ .fd = t->signals, .events = POLLIN },
	};
	struct totals totals;

	s3_wait(t->s3, fds, ARRAY_LEN(fds), timeout_ms);
	take_mail(t);
	read_signals(t);
	catalog_totals(t->catalog, &totals);
	monitor_update(t->monitor, t->crew, t->catalog, &totals, false,
	    clock_mono_ms());
}

/* --- the run --- */

static int
start_crew(struct integrity *t, struct err *err)
{
	CLEANUP(setup_release) struct setup setup = { .op = OP_TEST };

	if (t->job->test_head)
		return 0;
	if (setup_make(&setup, t->conf, t->job, &t->plan, err) == -1)
		return -1;
	return run_crew(&t->crew, t->conf, t->job, &setup, t->in, err);
}

static int
prepare(struct integrity *t, struct err *err)
{
	const struct conf *c = t->conf;
	struct s3_config sc;
	struct run_spec spec;

	if (plan_make(&t->plan, c, t->job, err) == -1 ||
	    plan_check_s3(c, NULL, err) == -1)
		return -1;
	t->verified = xcalloc(t->plan.count + 1, sizeof(*t->verified));
	sc = plan_s3(c);
	if (s3_new(&t->s3, &sc, err) == -1 ||
	    catalog_open(&t->catalog, c->catalog.path, t->in, err) == -1)
		return -1;
	spec = (struct run_spec){
		.op = OP_TEST,
		.scope = t->plan.scope,
		.command_line = t->job->command_line,
		.exports = t->plan.exports,
		.export_count = t->plan.count,
		.no_backlog = true,
		.late_ms = crew_late_ms(c, t->job),
	};
	plan_target(&spec, c);
	if (catalog_begin_run(t->catalog, &spec, &t->run, err) == -1 ||
	    catalog_reader_open(t->catalog, &t->reader, err) == -1)
		return -1;
	plan_warn_target(&spec, &t->run);
	if (run_wait_late(t->catalog, &t->run, err) == -1)
		return -1;
	return start_crew(t, err);
}

static void
go(struct integrity *t)
{
	log_event(LOG_INFO, "run", "%ju begins: %s", (uintmax_t)t->run.run,
	    t->job->command_line == NULL ? "" : t->job->command_line);
	if (t->job->sample_percent > 0)
		integrity_sample(t);
	else
		integrity_walk(t);
	if (t->crew != NULL)
		crew_no_more(t->crew);
	while (!integrity_stopped(t) && t->out > 0)
		integrity_turn(t, TICK_MS);
	if (t->crew != NULL && integrity_stopped(t))
		crew_stop(t->crew, 0);
	flush(t);
	if (t->crew != NULL)
		monitor_clients(t->monitor, t->crew, t->catalog);
	monitor_end(&t->monitor);
}

static uint64_t
verified(const struct integrity *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < t->plan.count; i++)
		n += t->verified[i];
	return n;
}

/* Print what the verdict doesn't cover: foreign objects, and exports where
 * nothing was compared. */
static void
print_unverified(const struct integrity *t)
{
	for (size_t i = 0; i < t->plan.count; i++)
		if (t->verified[i] == 0)
			fprintf(stderr, "  nothing was verified below %s/\n",
			    t->plan.starts[i]);
	if (t->not_ours > 0)
		fprintf(stderr, "  %ju objects under the prefix are not in "
		    "the catalog and were not verified\n",
		    (uintmax_t)t->not_ours);
}

/* "PASSED: ..." or "FAILED: 2 missing, 1 corrupt". */
static void
print_verdict(const struct integrity *t, const struct totals *totals,
    bool passed, bool put_failed)
{
	const char *between = ": ";

	fputs(passed ? "PASSED" : "FAILED", stderr);
	for (enum verdict v = VERDICT_MISSING; v < VERDICT__MAX; v++) {
		if (t->verdicts[v] == 0)
			continue;
		fprintf(stderr, "%s%ju %s", between,
		    (uintmax_t)t->verdicts[v], verdict_name(v));
		between = ", ";
	}
	if (put_failed) {
		fprintf(stderr, "%snot all files could be put", between);
		between = ", ";
	}
	if (totals->verified == 0)
		fprintf(stderr, "%snothing was verified", between);
	else if (passed)
		fprintf(stderr, "%s%ju objects are what was put", between,
		    (uintmax_t)totals->moved);
	fputc('\n', stderr);
	print_unverified(t);
}

static int
status_of(const struct integrity *t, const struct run_closing *closing,
    bool put_failed)
{
	if (t->stop_signal != 0)
		return exit_status_signal(t->stop_signal);
	if (t->failed)
		return exit_status_of(&t->err);
	if (closing->totals.failed > 0)
		return EXIT_CORRUPT;
	/* Nothing compared is nothing proved. */
	if (put_failed || !closing->closes || verified(t) == 0)
		return EXIT_FAILED;
	return EXIT_DONE;
}

static int
finish(struct integrity *t, uint64_t start_ms, bool put_failed,
    struct err *err)
{
	enum run_end end = t->stop_signal != 0 ? RUN_INTERRUPTED :
	    t->failed ? RUN_FAILED : RUN_COMPLETE;
	struct run_closing closing;
	struct summary s = { .op = OP_TEST, .run = t->run.run,
	    .interrupted = end == RUN_INTERRUPTED };
	int status;

	memset(&closing, 0, sizeof(closing));
	if (catalog_end_run(t->catalog, end, t->failed ? t->err.msg : "",
	    &closing, err) == -1)
		integrity_fail(t, err);
	s.broken = t->failed;
	s.seconds = (double)(clock_mono_ms() - start_ms) / 1000;
	summary_take(&s, &closing, end != RUN_COMPLETE);
	s.totals.verified = verified(t);
	status = status_of(t, &closing, put_failed);
	if (!t->job->quiet || status != EXIT_DONE) {
		summary_print(stderr, &s);
		if (end == RUN_COMPLETE && !t->failed)
			print_verdict(t, &s.totals, status == EXIT_DONE,
			    put_failed);
	}
	summary_end(t->job, &s, t->failed ? t->err.msg : NULL);
	return status;
}

static void
drop_mail(struct integrity *t)
{
	struct mail *mail = mailbox_take(t->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		if (mail->type == MAIL_FETCHED) {
			struct fetch_item *it = msg;

			fetch_item_free(&it);
		} else {
			free(msg);
		}
	}
}

static int
verify(const struct conf *conf, const struct job *job, bool put_failed)
{
	struct integrity t = { .conf = conf, .job = job, .signals = -1 };
	uint64_t start_ms = clock_mono_ms();
	struct err err = ERR_INIT;
	int status;

	t.in = mailbox_new(0);
	t.signals = signals_block(&err);
	if (t.signals != -1 &&
	    monitor_open(&t.monitor, conf, job, &err) == 0 &&
	    prepare(&t, &err) == 0) {
		go(&t);
		crew_free(&t.crew);
		status = finish(&t, start_ms, put_failed, &err);
	} else {
		crew_free(&t.crew);
		monitor_end(&t.monitor);
		run_not_begun(t.catalog, &t.run, &err);
		status = summary_error(job, &err);
		if (t.signals != -1)
			read_signals(&t);
		if (t.stop_signal != 0)
			status = exit_status_signal(t.stop_signal);
	}
	s3_free(&t.s3);
	catalog_reader_close(&t.reader);
	catalog_close(&t.catalog);
	outcomes_free(&t.batch);
	free(t.verified);
	drop_mail(&t);
	mailbox_free(&t.in);
	plan_release(&t.plan);
	close_fd(&t.signals);
	return status;
}

int
run_test(const struct conf *conf, const struct job *job)
{
	struct job put = *job;
	int status = EXIT_DONE;

	if (!job->skip_upload) {
		put.op = OP_PUT;
		put.json = false;
		put.more_follows = true;
		status = run_put(conf, &put);
		if (status != EXIT_DONE && status != EXIT_FAILED) {
			if (job->json)
				summary_json(stdout, &(struct summary){
				    .op = OP_TEST },
				    "what was missing could not be put");
			return status;
		}
	}
	return verify(conf, job, status != EXIT_DONE);
}
