#include "reader/span.h"

static int
fault_of(const struct db *db, struct err *err)
{
	if (db->err.kind == ERR_NONE)
		return 0;
	*err = db->err;
	return -1;
}

void
span_run(struct db *db, int64_t run, struct span_run *r)
{
	const struct value v = INT(run);
	/* The last run before the journal. */
	int64_t unrecorded = db_first(db, STMT_MOMENT_FIRST, NULL, 0);
	/* Events of later runs have larger ids. */
	int64_t last = db_first(db, STMT_MOMENT_NEXT, &v, 1);

	*r = (struct span_run){ .recorded = run > unrecorded,
	    .held = run >= unrecorded };
	if (DB_ROW0(db, PRUNED_UNTIL)) {
		r->held &= last >= db_int(db, STMT_PRUNED_UNTIL, 0);
		r->recorded &= run >= db_int(db, STMT_PRUNED_UNTIL, 1);
		db_done(db, STMT_PRUNED_UNTIL);
	}
	if (!DB_ROW(db, RUN_EVENTS, v))
		return;
	r->target = db_int(db, STMT_RUN_EVENTS, 0);
	/* An attempt that did not begin its run has no events. */
	r->first = db_null(db, STMT_RUN_EVENTS, 1) ? INT64_MAX :
	    db_int(db, STMT_RUN_EVENTS, 1);
	db_done(db, STMT_RUN_EVENTS);
}

/* --- spans --- */

/* A range of objects that a run has verified. */
struct range_of_run {
	int64_t	 last;
	int64_t	 run;
};

struct walk {
	struct db *db;
	int64_t	 run;
	void	 (*fn)(void *, const struct span *);
	void	*arg;
	struct span span;
	bool	 open;		/* span has begun */
	int64_t	 object;
	bool	 verdicts;	/* a row of verdicts is there */
	bool	 more_ranges;	/* likewise, of ranges */
	/* Those around the object, the newest run first: of each run one. */
	struct range_of_run *ranges;
	size_t	 range_count;
	size_t	 range_cap;
};

/* The last verdict, and the run that gave it. */
struct last_verdict {
	enum verdict verdict;
	int64_t	 run;
};

static void
give(struct last_verdict *last, enum verdict v, int64_t run)
{
	if (run >= last->run)
		*last = (struct last_verdict){ v, run };
}

/* Both statements go by object: take the verdicts given during the span. */
static void
take_verdicts(struct walk *w, int64_t until_run, struct last_verdict *now,
    struct last_verdict *then)
{
	const enum stmt s = STMT_SPAN_VERDICTS;

	while (w->verdicts && db_int(w->db, s, 0) <= w->object) {
		int64_t run = db_int(w->db, s, 1);
		struct str name = db_bytes(w->db, s, 2);
		enum verdict v = verdict_of(name.p, name.len);

		if (db_int(w->db, s, 0) == w->object && run > until_run)
			break;
		if (db_int(w->db, s, 0) == w->object && run >= w->span.run &&
		    v != VERDICT_NONE && v != VERDICT_DOUBT) {
			give(now, v, run);
			if (run <= w->run)
				give(then, v, run);
		}
		w->verdicts = db_next(w->db, s);
	}
}

static void
add_range(struct walk *w)
{
	const enum stmt s = STMT_SPAN_RANGES;
	const struct range_of_run range = { db_int(w->db, s, 1),
	    db_int(w->db, s, 2) };
	size_t at = 0;

	if (w->range_count == w->range_cap) {
		w->range_cap = MAX(w->range_cap * 2, (size_t)16);
		w->ranges = xreallocarray(w->ranges, w->range_cap,
		    sizeof(*w->ranges));
	}
	while (at < w->range_count && w->ranges[at].run > range.run)
		at++;
	memmove(w->ranges + at + 1, w->ranges + at,
	    (w->range_count++ - at) * sizeof(*w->ranges));
	w->ranges[at] = range;
}

/* The ranges go by their first object. */
static void
move_ranges(struct walk *w)
{
	size_t n = 0;

	for (; w->more_ranges && db_int(w->db, STMT_SPAN_RANGES, 0) <=
	    w->object; w->more_ranges = db_next(w->db, STMT_SPAN_RANGES))
		add_range(w);
	for (size_t i = 0; i < w->range_count; i++)
		if (w->ranges[i].last >= w->object)
			w->ranges[n++] = w->ranges[i];
	w->range_count = n;
}

static void
take_ranges(struct walk *w, int64_t until_run, struct last_verdict *now,
    struct last_verdict *then)
{
	bool is_now = true;

	for (size_t i = 0; i < w->range_count &&
	    w->ranges[i].run >= w->span.run; i++) {
		int64_t run = w->ranges[i].run;

		if (run > until_run)
			continue;
		if (is_now)
			give(now, VERDICT_OK, run);
		is_now = false;
		if (run <= w->run) {
			give(then, VERDICT_OK, run);
			break;
		}
	}
}

static void
end_span(struct walk *w, int64_t run)
{
	struct last_verdict now = { VERDICT_NONE, 0 };
	struct last_verdict then = { VERDICT_NONE, 0 };

	if (!w->open)
		return;
	w->open = false;
	w->span.end = run;
	move_ranges(w);
	take_ranges(w, run, &now, &then);
	take_verdicts(w, run, &now, &then);
	w->span.now = now.verdict;
	w->span.then = then.verdict;
	w->fn(w->arg, &w->span);
}

static void
take_event(struct walk *w)
{
	const enum stmt s = STMT_SPAN_EVENTS;
	int64_t object = db_int(w->db, s, 0);
	int64_t run = db_int(w->db, s, 1), kind = db_int(w->db, s, 2);

	if (object != w->object)
		end_span(w, INT64_MAX);
	w->object = object;
	/* Other metadata: the bytes are the same, and so is the verdict. */
	if (kind == EVENT_REFRESHED && w->open)
		return;
	end_span(w, run);
	if (kind >= EVENT_GOING)
		return;
	w->open = true;
	w->span = (struct span){ .run = run,
	    .size = (uint64_t)db_int(w->db, s, 3) };
}

int
span_each(struct db *db, int64_t target, int64_t run,
    void (*fn)(void *, const struct span *), void *arg, struct err *err)
{
	struct walk w = { .db = db, .run = run, .fn = fn, .arg = arg };
	bool more;

	w.verdicts = DB_ROW(db, SPAN_VERDICTS, INT(target));
	w.more_ranges = DB_ROW(db, SPAN_RANGES, INT(target));
	more = DB_ROW(db, SPAN_EVENTS, INT(target));
	while (more) {
		take_event(&w);
		more = db_next(db, STMT_SPAN_EVENTS);
	}
	end_span(&w, INT64_MAX);
	db_done(db, STMT_SPAN_VERDICTS);
	db_done(db, STMT_SPAN_RANGES);
	free(w.ranges);
	return fault_of(db, err);
}

bool
span_covers(const struct span *s, int64_t run)
{
	return s->run <= run && run < s->end;
}

/* --- a run --- */

int
span_deeds(struct db *db, int64_t run, void (*fn)(void *, const struct deed *),
    void *arg, struct err *err)
{
	const enum stmt s = STMT_SPAN_DEEDS;
	struct span_run r;
	bool more;

	span_run(db, run, &r);
	more = DB_ROW(db, SPAN_DEEDS, INT(r.first), INT(run));
	while (more) {
		const struct deed d = { .object = db_int(db, s, 0),
		    .kind = (enum event_kind)db_int(db, s, 1),
		    .ms = db_int(db, s, 2),
		    .size = (uint64_t)db_int(db, s, 3) };

		fn(arg, &d);
		more = db_next(db, s);
	}
	return fault_of(db, err);
}

int
span_slowest(struct db *db, int64_t run,
    void (*fn)(void *, const struct slow_file *), void *arg, struct err *err)
{
	const enum stmt s = STMT_SLOWEST_OF_RUN;
	bool more = DB_ROW(db, SLOWEST_OF_RUN, INT(run));

	while (more) {
		AUTOFREE char *path = db_strdup(db, s, 0);
		const struct slow_file f = { .path = path == NULL ? "" : path,
		    .size = (uint64_t)db_int(db, s, 1),
		    .took_ms = db_int(db, s, 2),
		    .attempts = (uint64_t)db_int(db, s, 3) };

		fn(arg, &f);
		more = db_next(db, s);
	}
	return fault_of(db, err);
}

int
span_failures(struct db *db, int64_t run, void (*fn)(void *, int64_t ms),
    void *arg, struct err *err)
{
	bool more = DB_ROW(db, SPAN_FAILURES, INT(run));

	while (more) {
		fn(arg, db_int(db, STMT_SPAN_FAILURES, 0));
		more = db_next(db, STMT_SPAN_FAILURES);
	}
	return fault_of(db, err);
}

char *
span_path(struct db *db, int64_t object)
{
	char *path;

	if (!DB_ROW(db, VERSION_PATH, INT(object)))
		return xstrdup("");
	path = db_strdup(db, STMT_VERSION_PATH, 0);
	db_done(db, STMT_VERSION_PATH);
	return path == NULL ? xstrdup("") : path;
}

int
span_judgements(struct db *db, int64_t run,
    void (*fn)(void *, const struct judgement *), void *arg, struct err *err)
{
	const enum stmt s = STMT_RUN_VERDICTS;
	bool more = DB_ROW(db, RUN_VERDICTS, INT(run));

	while (more) {
		struct str name = db_bytes(db, s, 0);
		const struct judgement j = {
		    .verdict = verdict_of(name.p, name.len),
		    .ms = db_int(db, s, 1),
		    .size = (uint64_t)db_int(db, s, 2) };

		fn(arg, &j);
		more = db_next(db, s);
	}
	return fault_of(db, err);
}
