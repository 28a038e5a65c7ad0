/*
 * The verdicts of before the horizon: each that was the last one on an object
 * then stays, as the answer to questions for a moment after the horizon.
 */
#include "db/db_internal.h"

#define CHUNK	50000		/* verdicts dropped in a transaction */

/* A range of objects that a run has verified, or one object that it found
 * otherwise. */
struct verdicts {
	int64_t	 last;
	int64_t	 run;
	int64_t	 event;		/* 0: a row of verification */
	int64_t	 row;
	int64_t	 first;
	bool	 needed;	/* the last verdict on one of its objects */
};

/* All of a target are gone through by their first object. */
struct sweep {
	struct db *db;
	int64_t	 target;
	int64_t	 at;		/* objects before this one are done */
	struct verdicts *v;	/* those around it, the newest run first */
	size_t	 count;
	size_t	 cap;
	uint64_t dropped;
};

static bool
has_version(struct db *db, const struct verdicts *v)
{
	const struct value ids[] = { INT(v->first), INT(v->last) };

	return db_first(db, STMT_VERSION_WITHIN, ids, ARRAY_LEN(ids)) != 0;
}

static void
end_verdicts(struct sweep *s, const struct verdicts *v)
{
	if (v->needed && has_version(s->db, v))
		return;
	if (v->event != 0) {
		DB_RUN(s->db, PRUNE_SPAN, INT(v->event));
		DB_RUN(s->db, PRUNE_EVENT, INT(v->event));
	} else {
		DB_RUN(s->db, PRUNE_VERIFICATION, INT(v->row));
	}
	if (++s->dropped % CHUNK == 0) {
		db_commit(s->db);
		db_begin(s->db);
	}
}

/* Of the objects before this one the newest run has the last word. */
static void
move_to(struct sweep *s, int64_t object)
{
	while (s->count > 0 && s->at < object) {
		size_t n = 0;

		s->v[0].needed = true;
		s->at = s->v[0].last < object ? s->v[0].last + 1 : object;
		for (size_t i = 0; i < s->count; i++) {
			if (s->v[i].last >= s->at)
				s->v[n++] = s->v[i];
			else
				end_verdicts(s, &s->v[i]);
		}
		s->count = n;
	}
	s->at = object;
}

static void
add(struct sweep *s, const struct verdicts *v)
{
	size_t at = 0;

	if (s->count == s->cap) {
		s->cap = MAX(s->cap * 2, (size_t)16);
		s->v = xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	while (at < s->count && s->v[at].run >= v->run)
		at++;
	memmove(s->v + at + 1, s->v + at, (s->count++ - at) * sizeof(*s->v));
	s->v[at] = *v;
}

uint64_t
prune_verdicts(struct db *db, int64_t run, int64_t event)
{
	const enum stmt st = STMT_PRUNE_SWEEP;
	struct sweep s = { .db = db };
	bool more;

	db_begin(db);
	more = DB_ROW(db, PRUNE_SWEEP, INT(event), INT(run));
	for (; more; more = db_next(db, st)) {
		const struct verdicts v = { .first = db_int(db, st, 1),
		    .last = db_int(db, st, 2), .run = db_int(db, st, 3),
		    .event = db_int(db, st, 4), .row = db_int(db, st, 5) };

		if (db_int(db, st, 0) != s.target) {
			move_to(&s, INT64_MAX);
			s.at = 0;
			s.target = db_int(db, st, 0);
		}
		move_to(&s, v.first);
		add(&s, &v);
	}
	move_to(&s, INT64_MAX);
	free(s.v);
	db_commit(db);
	return s.dropped;
}
