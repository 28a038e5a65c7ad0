/*
 * state.c: what the journal tells of a run: what the target held when the run
 * had ended, and the runs before it; what the run has moved and deleted, when;
 * the verdicts of then.
 */
#include "base/exit_status.h"
#include "report/report_internal.h"

/* The classes of object size: each holds up to most bytes. */
static const struct {
	uint64_t most;
	const char *name;
} size_classes[REPORT_SIZES] = {
	{ 0, "empty" },
	{ KIB, "up to 1 KiB" },
	{ 4 * KIB, "1 - 4 KiB" },
	{ 16 * KIB, "4 - 16 KiB" },
	{ 128 * KIB, "16 - 128 KiB" },
	{ MIB, "128 KiB - 1 MiB" },
	{ 16 * MIB, "1 - 16 MiB" },
	{ 256 * MIB, "16 - 256 MiB" },
	{ 4 * GIB, "256 MiB - 4 GiB" },
	{ INT64_MAX, "over 4 GiB" },
};

struct state {
	struct report *report;
};

static struct report_size *
size_of(struct report *r, uint64_t size)
{
	size_t i = 0;

	while (i + 1 < REPORT_SIZES && size > size_classes[i].most)
		i++;
	return &r->sizes[i];
}

static void
add_verdict(struct report_verdicts *v, enum verdict verdict, uint64_t size)
{
	v->count[verdict]++;
	v->bytes[verdict] = add_capped(v->bytes[verdict], size);
}

static void
take_span(void *arg, const struct span *p)
{
	struct state *s = arg;
	struct report *r = s->report;
	struct report_size *size;

	for (size_t i = 0; i < r->run_count; i++) {
		struct report_run *u = &r->runs[i];

		if (!u->held || !span_covers(p, u->run))
			continue;
		u->stored++;
		u->stored_bytes = add_capped(u->stored_bytes, p->size);
	}
	if (span_covers(p, r->run.run)) {
		size = size_of(r, p->size);
		size->stored++;
		size->stored_bytes = add_capped(size->stored_bytes, p->size);
		add_verdict(&r->verdicts, p->then, p->size);
	}
	if (p->end != INT64_MAX)
		return;
	r->now.stored++;
	r->now.stored_bytes = add_capped(r->now.stored_bytes, p->size);
	r->now.verified += p->now == VERDICT_OK;
	r->now.kept += p->run == r->run.run;
}

static void
take_slow(void *arg, const struct slow_file *f)
{
	struct report *r = arg;

	if (r->slowest_count < REPORT_SLOWEST)
		r->slowest[r->slowest_count++] = (struct report_object){
		    .path = xstrdup(f->path), .size = f->size,
		    .seconds = (double)f->took_ms / 1000,
		    .attempts = f->attempts };
}

static struct report_time *
time_of(struct report *r, int64_t ms)
{
	double step = ms > 0 ? (double)ms / 1000 / r->step : 0;

	return &r->times[step < (double)r->time_count ? (size_t)step :
	    r->time_count - 1];
}

static void
take_deed(void *arg, const struct deed *d)
{
	struct state *s = arg;
	struct report *r = s->report;
	struct report_time *t = time_of(r, d->ms);
	struct report_size *size = size_of(r, d->size);

	if (d->kind != EVENT_STORED &&
	    (d->kind != EVENT_DELETED || strcmp(r->run.operation, "DEL") != 0))
		return;
	t->moved++;
	t->bytes = add_capped(t->bytes, d->size);
	size->moved++;
	size->moved_bytes = add_capped(size->moved_bytes, d->size);
}

static void
take_judgement(void *arg, const struct judgement *j)
{
	struct report *r = arg;
	struct report_time *t = time_of(r, j->ms);

	add_verdict(&r->found, j->verdict, j->size);
	if (j->verdict != VERDICT_OK || strcmp(r->run.operation, "TEST") != 0)
		return;
	t->moved++;
	t->bytes = add_capped(t->bytes, j->size);
}

struct deletions {
	struct report *report;
	int64_t	 objects[REPORT_DELETED];
};

static void
take_deletion(void *arg, const struct deed *d)
{
	struct deletions *s = arg;
	struct report *r = s->report;

	if (d->kind != EVENT_DELETED)
		return;
	if (r->deleted_known++ < REPORT_DELETED)
		s->objects[r->deleted_count++] = d->object;
}

static void
take_failure(void *arg, int64_t ms)
{
	time_of(arg, ms)->failed++;
}

static void
take_any(void *arg, const struct deed *d)
{
	void *const *both = arg;

	take_deed(both[0], d);
	take_deletion(both[1], d);
}

/* What the run has done. */
static int
collect_deeds(struct state *s, struct db *db, struct err *err)
{
	struct report *r = s->report;
	struct deletions deletions = { .report = r };
	void *both[] = { s, &deletions };

	if (span_deeds(db, r->run.run, take_any, both, err) == -1 ||
	    span_failures(db, r->run.run, take_failure, r, err) == -1 ||
	    span_slowest(db, r->run.run, take_slow, r, err) == -1)
		return -1;
	for (size_t i = 0; i < r->deleted_count; i++)
		r->deleted[i] = span_path(db, deletions.objects[i]);
	return 0;
}

int
report_state(struct report *r, struct db *db, struct err *err)
{
	struct state s = { .report = r };
	struct span_run this, other;

	for (size_t i = 0; i < REPORT_SIZES; i++)
		r->sizes[i].name = size_classes[i].name;
	span_run(db, r->run.run, &this);
	for (size_t i = 0; i < r->run_count; i++) {
		span_run(db, r->runs[i].run, &other);
		r->runs[i].held = other.held;
	}
	r->recorded = this.recorded;
	if (span_each(db, this.target, r->run.run, take_span, &s, err) == -1 ||
	    span_judgements(db, r->run.run, take_judgement, r, err) == -1 ||
	    (r->recorded && collect_deeds(&s, db, err) == -1))
		return -1;
	for (enum verdict v = VERDICT_OK; v < VERDICT__MAX; v++) {
		r->judged += r->verdicts.count[v];
		r->tested |= r->found.count[v] > 0;
	}
	return 0;
}

bool
report_lacks_failures(const struct report *r)
{
	return r->pruned != NULL && r->run.totals.failed > r->failed_all;
}

uint64_t
report_deleted(const struct report_run *u)
{
	return strcmp(u->operation, "DEL") == 0 ? u->totals.moved :
	    u->totals.deleted;
}

const char *
report_verdict(const struct report_run *u, const char **ret_class)
{
	static const struct {
		int64_t	 status;
		const char *test, *other, *class;
	} words[] = {
		{ EXIT_DONE, "PASSED", "complete", "good" },
		{ EXIT_FAILED, "FAILED", "complete, with failures", "warn" },
		{ EXIT_CORRUPT, "FAILED", "FAILED: something differs", "bad" },
		{ EXIT_GUARD, "stopped by a guard", "stopped by a guard",
		    "bad" },
		{ EXIT_INTERRUPTED, "interrupted", "interrupted", "warn" },
		{ EXIT_TERMINATED, "interrupted", "interrupted", "warn" },
	};
	bool complete = strcmp(u->state, "complete") == 0;
	bool test = strcmp(u->operation, "TEST") == 0;
	const char *none;

	ret_class = ret_class == NULL ? &none : ret_class;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (u->exit_status != words[i].status)
			continue;
		*ret_class = test && u->exit_status == EXIT_FAILED ? "bad" :
		    words[i].class;
		return test ? words[i].test : words[i].other;
	}
	*ret_class = complete && u->totals.failed == 0 ? "good" : "warn";
	if (u->exit_status != -1 || strcmp(u->state, "failed") == 0) {
		*ret_class = "bad";
		return "failed";
	}
	if (complete && u->totals.failed > 0)
		return test ? "FAILED" : "complete, with failures";
	return strcmp(u->state, "dead") == 0 ? "killed" : u->state;
}
