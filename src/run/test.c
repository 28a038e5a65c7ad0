/*
 * test.c: the verification of TEST --data_integrity, a run of its own.
 */
#include "base/exit_status.h"
#include "crew/setup.h"
#include "run/integrity.h"
#include "run/run.h"

static struct integrity *
integrity_of(struct run *r)
{
	return (struct integrity *)(void *)r;
}

/* Compare with the files that the last PUT has read, and not with those of
 * another file system that is mounted in their place by now. An export whose
 * files nobody asks for need not be within reach. */
static int
expect_file_systems(struct run *r, struct setup *setup, struct err *err)
{
	bool team = crew_wants_team(r->conf, r->job);
	uint64_t fsid;

	for (size_t i = 0; i < r->plan.count; i++) {
		int rc = catalog_export_seen(r->reader, r->plan.roots[i],
		    &fsid, err);

		if (rc == -1)
			return -1;
		if (rc == 1)
			setup_see_fs(setup, i, fsid, team);
	}
	return 0;
}

static int
start_crew(struct run *r, struct err *err)
{
	CLEANUP(setup_release) struct setup setup = { .op = OP_TEST };

	if (r->job->test_head)
		return 0;
	return setup_make(&setup, r->conf, r->job, &r->plan, err) == -1 ||
	    expect_file_systems(r, &setup, err) == -1 ? -1 :
	    run_crew(r, r->job, &setup, err);
}

static int
prepare(struct run *r, struct err *err)
{
	struct run_spec spec;

	if (plan_make(&r->plan, r->conf, r->job, err) == -1 ||
	    run_attempt(r, err) == -1 ||
	    plan_check_s3(r->conf, NULL, err) == -1)
		return -1;
	integrity_of(r)->verified = xcalloc(r->plan.count + 1,
	    sizeof(uint64_t));
	integrity_of(r)->told = xcalloc(r->plan.count + 1, sizeof(bool));
	spec = (struct run_spec){
		.scope = r->plan.scope,
		.exports = r->plan.exports,
		.export_count = r->plan.count,
		.no_backlog = true,
	};
	if (run_s3(r, err) == -1 ||
	    run_begin(r, &spec, err) == -1 ||
	    catalog_reader_open(r->catalog, &r->reader, err) == -1)
		return -1;
	return start_crew(r, err);
}

static bool
take_mail(struct run *r, struct mail *mail)
{
	if (mail->type != MAIL_FETCHED)
		return false;
	integrity_take(integrity_of(r), (struct fetch_item *)(void *)mail);
	return true;
}

static bool
progress(struct run *r, struct totals *t)
{
	catalog_totals(r->catalog, t);
	return false;
}

static bool
all_given(void *arg UNUSED)
{
	return true;
}

static void
go(struct run *r)
{
	if (r->job->sample_percent > 0)
		integrity_sample(integrity_of(r));
	else
		integrity_walk(integrity_of(r));
	if (r->crew != NULL)
		crew_no_more(r->crew);
	run_loop(r, all_given, NULL);
}

/* --- the end --- */

static uint64_t
verified(const struct integrity *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < t->r.plan.count; i++)
		n += t->verified[i];
	return n;
}

/* Print what the verdict doesn't cover: foreign objects, and exports where
 * nothing was compared. */
static void
print_unverified(const struct integrity *t)
{
	for (size_t i = 0; i < t->r.plan.count; i++)
		if (t->verified[i] == 0)
			fprintf(stderr, "  nothing was verified below %s/\n",
			    t->r.plan.starts[i]);
	if (t->not_ours > 0)
		fprintf(stderr, "  %ju objects under the prefix are not in "
		    "the catalog and were not verified\n",
		    (uintmax_t)t->not_ours);
}

/* "PASSED: ..." or "FAILED: 2 missing, 1 corrupt". */
static void
add_verdict(const struct integrity *t, bool passed, struct buf *b)
{
	const struct totals *totals = &t->r.closing.totals;
	const char *between = ": ";

	buf_addstr(b, passed ? "PASSED" : "FAILED");
	for (enum verdict v = VERDICT_MISSING; v < VERDICT__MAX; v++) {
		if (t->verdicts[v] == 0)
			continue;
		buf_addf(b, "%s%ju %s", between, (uintmax_t)t->verdicts[v],
		    verdict_name(v));
		between = ", ";
	}
	if (t->put_failed) {
		buf_addf(b, "%snot all files could be put", between);
		between = ", ";
	}
	if (totals->verified == 0)
		buf_addf(b, "%snothing was verified", between);
	else if (passed)
		buf_addf(b, "%s%ju objects are what was put", between,
		    (uintmax_t)totals->moved);
}

static void
print_verdict(const struct integrity *t, bool passed)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, KIB);
	add_verdict(t, passed, &b);
	fprintf(stderr, "%s\n", b.data);
	print_unverified(t);
}

static void
closing(struct run *r)
{
	struct integrity *t = integrity_of(r);
	struct run_closing *c = &r->closing;
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, KIB);
	c->totals.verified = verified(t);
	if (c->totals.failed > 0)
		r->status = EXIT_CORRUPT;
	/* Nothing compared is nothing proved. */
	else if (t->put_failed || c->totals.verified == 0)
		r->status = EXIT_FAILED;
	if (r->status == EXIT_DONE)
		return;
	add_verdict(t, false, &b);
	if (r->job->silent)
		buf_addstr(&b, "; asked before a PUT, as the catalog was "
		    "restored");
	run_reason(r, "%s", b.data);
}

int
verify_objects(const struct conf *conf, const struct job *job, bool put_failed)
{
	static const struct run_ops ops = {
		.prepare = prepare,
		.go = go,
		.mail = take_mail,
		.progress = progress,
		.closing = closing,
	};
	struct integrity t = { .r = { .conf = conf, .job = job, .ops = &ops },
	    .put_failed = put_failed };
	int status = run_verb(&t.r);

	if (!run_stopped(&t.r) && job->silent)
		status = EXIT_DONE;
	else if (!run_stopped(&t.r) && (!job->quiet || status != EXIT_DONE))
		print_verdict(&t, status == EXIT_DONE);
	free(t.verified);
	free(t.told);
	free(t.dir.path);
	plan_release(&t.r.plan);
	return status;
}
