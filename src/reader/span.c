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

	*r = (struct span_run){ .recorded = run > unrecorded,
	    .held = run >= unrecorded,
	    .last = db_first(db, STMT_MOMENT_NEXT, &v, 1) };
	if (DB_ROW0(db, PRUNED_UNTIL)) {
		r->held &= r->last >= db_int(db, STMT_PRUNED_UNTIL, 0);
		r->recorded &= run >= db_int(db, STMT_PRUNED_UNTIL, 1);
		db_done(db, STMT_PRUNED_UNTIL);
	}
	if (!DB_ROW(db, RUN_EVENTS, v))
		return;
	r->target = db_int(db, STMT_RUN_EVENTS, 0);
	/* An attempt that did not begin its run has no events. */
	r->first = db_null(db, STMT_RUN_EVENTS, 1) ? r->last :
	    db_int(db, STMT_RUN_EVENTS, 1);
	db_done(db, STMT_RUN_EVENTS);
}

/* --- spans --- */

struct walk {
	struct db *db;
	int64_t	 run;
	void	 (*fn)(void *, const struct span *);
	void	*arg;
	struct span span;
	bool	 open;		/* span has begun */
	int64_t	 object;
	bool	 verdicts;	/* a row of verdicts is there */
};

static void
take_verdict(struct walk *w)
{
	struct str name = db_bytes(w->db, STMT_SPAN_VERDICTS, 2);
	enum verdict v = verdict_of(name.p, name.len);

	if (v == VERDICT_NONE || v == VERDICT_DOUBT)
		return;
	w->span.now = v;
	if (db_int(w->db, STMT_SPAN_VERDICTS, 1) <= w->run)
		w->span.then = v;
}

/* Both statements go by object: take the verdicts given during the span. */
static void
take_verdicts(struct walk *w, int64_t until_run)
{
	const enum stmt s = STMT_SPAN_VERDICTS;

	while (w->verdicts && db_int(w->db, s, 0) <= w->object) {
		int64_t run = db_int(w->db, s, 1);

		if (db_int(w->db, s, 0) == w->object && run > until_run)
			break;
		if (db_int(w->db, s, 0) == w->object && run >= w->span.run)
			take_verdict(w);
		w->verdicts = db_next(w->db, s);
	}
}

static void
end_span(struct walk *w, int64_t event, int64_t run)
{
	if (!w->open)
		return;
	w->open = false;
	w->span.end = event;
	take_verdicts(w, run);
	w->fn(w->arg, &w->span);
}

static void
take_event(struct walk *w)
{
	const enum stmt s = STMT_SPAN_EVENTS;
	int64_t object = db_int(w->db, s, 0), id = db_int(w->db, s, 1);
	int64_t run = db_int(w->db, s, 2), kind = db_int(w->db, s, 3);

	if (object != w->object)
		end_span(w, INT64_MAX, INT64_MAX);
	w->object = object;
	/* Other metadata: the bytes are the same, and so is the verdict. */
	if (kind == EVENT_REFRESHED && w->open)
		return;
	end_span(w, id, run);
	if (kind >= EVENT_GOING)
		return;
	w->open = true;
	w->span = (struct span){ .first = id, .run = run,
	    .size = (uint64_t)db_int(w->db, s, 4) };
}

int
span_each(struct db *db, int64_t target, int64_t run,
    void (*fn)(void *, const struct span *), void *arg, struct err *err)
{
	struct walk w = { .db = db, .run = run, .fn = fn, .arg = arg };
	bool more;

	w.verdicts = DB_ROW(db, SPAN_VERDICTS, INT(target));
	more = DB_ROW(db, SPAN_EVENTS, INT(target));
	while (more) {
		take_event(&w);
		more = db_next(db, STMT_SPAN_EVENTS);
	}
	end_span(&w, INT64_MAX, INT64_MAX);
	if (w.verdicts)
		db_done(db, STMT_SPAN_VERDICTS);
	return fault_of(db, err);
}

bool
span_covers(const struct span *s, int64_t event)
{
	return s->first <= event && event < s->end;
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
	more = DB_ROW(db, SPAN_DEEDS, INT(r.first), INT(r.last), INT(run));
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
