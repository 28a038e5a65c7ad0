/*
 * event.c: the journal. A row is inserted in the transaction of the rows that
 * it tells of, and never changed: result says what a target holds now, the
 * events how that came about. Of the events of a version at a target that tell
 * whether the target has it (all below EVENT_OTHER), the newest says the same
 * as result.held, unless the version is in doubt (settle, deletion).
 */
#include "base/clock.h"
#include "writer/writer.h"

#define NS_A_MS 1000000
/* The verdicts of a TEST become events in slices of time, whose number grows
 * with the logarithm of its duration: so its report knows when they were
 * given. */
#define SLICE_MS UINT64_C(500)
#define SLICES	64

int64_t
writer_ms(const struct writer *w)
{
	return (clock_wall_ns() - w->began_ns) / NS_A_MS;
}

int64_t
writer_event(struct writer *w, enum event_kind kind, int64_t object,
    const char *version_id)
{
	DB_RUN(&w->db, EVENT_INSERT, INT(w->next_event), INT(object),
	    INT(w->target), INT(w->run), INT(kind), INT(writer_ms(w)),
	    TEXT(version_id));
	return w->next_event++;
}

/* True if the target has the version, as the journal says. */
static bool
is_there(struct writer *w, int64_t object)
{
	bool is = false;

	if (DB_ROW(&w->db, EVENT_LAST, INT(object), INT(w->target))) {
		is = db_int(&w->db, STMT_EVENT_LAST, 0) < EVENT_GOING;
		db_done(&w->db, STMT_EVENT_LAST);
	}
	return is;
}

static bool
is_held(struct writer *w, int64_t object)
{
	if (!DB_ROW(&w->db, HELD_FIND, INT(object), INT(w->target)))
		return false;
	db_done(&w->db, STMT_HELD_FIND);
	return true;
}

void
writer_version_ends(struct writer *w, int64_t object, enum event_kind kind,
    const char *version_id)
{
	if (is_there(w, object) && !is_held(w, object))
		(void)writer_event(w, kind, object, version_id);
}

struct ending {
	struct writer *writer;
	enum event_kind kind;
};

static void
end_version(void *arg, int64_t version)
{
	const struct ending *e = arg;

	writer_version_ends(e->writer, version, e->kind, NULL);
}

void
writer_path_ends(struct writer *w, struct str path, enum event_kind kind)
{
	struct ending e = { w, kind };

	writer_each_version(w, path, end_version, &e);
}

void
writer_adopted(struct writer *w, int64_t object)
{
	AUTOFREE char *version_id = NULL;
	int64_t id;

	if (is_there(w, object) || !DB_ROW(&w->db, VERSION_ID, INT(object),
	    INT(w->target)))
		return;
	version_id = db_strdup(&w->db, STMT_VERSION_ID, 0);
	db_done(&w->db, STMT_VERSION_ID);
	id = writer_event(w, EVENT_ADOPTED, object, version_id);
	DB_RUN(&w->db, RESULT_EVENT, INT(id), INT(object), INT(w->target));
}

/* --- what an earlier run has done --- */

static int64_t
event_of_run(struct writer *w, enum event_kind kind, int64_t object,
    int64_t run, const char *version_id)
{
	DB_RUN(&w->db, EVENT_OF_RUN, INT(w->next_event), INT(object),
	    INT(w->target), INT(kind), TEXT(version_id), INT(run));
	return w->next_event++;
}

/* The run that left a note of the version; 0: none. */
static int64_t
noted_by(struct writer *w, enum stmt find, int64_t object)
{
	const struct value v[] = { INT(w->target), INT(object) };

	return w->has_notes ? db_first(&w->db, find, v, ARRAY_LEN(v)) : 0;
}

bool
writer_was_deleted(struct writer *w, int64_t object, const char *marker)
{
	int64_t run = noted_by(w, STMT_DELETION_FIND, object);

	if (run == 0)
		return false;
	if (is_there(w, object) && !is_held(w, object)) {
		(void)event_of_run(w, EVENT_DELETED, object, run, marker);
		DB_RUN(&w->db, RUN_DELETED, INT(db_first(&w->db,
		    STMT_VERSION_SIZE, &INT(object), 1)), INT(run));
	}
	return true;
}

bool
writer_was_restored(struct writer *w, int64_t object, const char *version_id)
{
	int64_t run = noted_by(w, STMT_RESTORING_FIND, object), event;

	if (run == 0 || is_there(w, object))
		return false;
	event = event_of_run(w, EVENT_RESTORED, object, run, version_id);
	DB_RUN(&w->db, RESULT_RESTORED, INT(run), TEXT(version_id),
	    INT(event), INT(w->target), INT(object));
	return true;
}

/* Versions of before are found by the path of the newest one. */
void
writer_replaced(struct writer *w, int64_t object)
{
	bool more = DB_ROW(&w->db, RESULT_REPLACED, INT(w->target),
	    INT(object));

	while (more) {
		(void)writer_event(w, EVENT_REPLACED,
		    db_int(&w->db, STMT_RESULT_REPLACED, 0), NULL);
		more = db_next(&w->db, STMT_RESULT_REPLACED);
	}
	if (w->has_doubts && DB_ROW(&w->db, VERSION_PATH, INT(object))) {
		AUTOFREE char *path = db_strdup(&w->db, STMT_VERSION_PATH, 0);

		db_done(&w->db, STMT_VERSION_PATH);
		writer_path_ends(w, str_of(path), EVENT_REPLACED);
	}
}

/* Add the events of verdicts given since a time; return the time of the last
 * verdict. */
static int64_t
add_ranges(struct writer *w, int64_t run, int64_t target, int64_t began_ns,
    int64_t since_ns)
{
	const enum stmt s = STMT_VERIFIED_RANGES;
	bool more = DB_ROW(&w->db, VERIFIED_RANGES, INT(target), INT(since_ns),
	    INT(run));
	int64_t newest = since_ns;

	for (; more; more = db_next(&w->db, s)) {
		int64_t ns = db_int(&w->db, s, 3);

		DB_RUN(&w->db, EVENT_INSERT, INT(w->next_event),
		    INT(db_int(&w->db, s, 0)), INT(target), INT(run),
		    INT(EVENT_VERIFIED), INT((ns - began_ns) / NS_A_MS),
		    NOTHING);
		DB_RUN(&w->db, SPAN_INSERT, INT(w->next_event),
		    INT(db_int(&w->db, s, 0)), INT(db_int(&w->db, s, 1)),
		    BYTES(db_bytes(&w->db, s, 2)));
		w->next_event++;
		newest = MAX(newest, ns);
	}
	return newest;
}

int64_t
writer_verdict_ns(struct writer *w)
{
	w->verdict_ns = MAX(MAX(clock_wall_ns(), w->began_ns),
	    w->verdict_ns + 1);
	return w->verdict_ns;
}

void
writer_verified(struct writer *w)
{
	int64_t ms = (add_ranges(w, w->run, w->target, w->began_ns,
	    w->ranges_ns) - w->began_ns) / NS_A_MS;

	w->ranges_ns = MAX(w->ranges_ns, w->began_ns + (ms + 1) * NS_A_MS - 1);
	w->verdict_ns = MAX(w->verdict_ns, w->ranges_ns);
	w->ranges_ms = clock_mono_ms();
}

void
writer_verified_now_and_then(struct writer *w)
{
	uint64_t age = (uint64_t)MAX(writer_ms(w), 0) / SLICES;

	if (w->verdict_ns > w->ranges_ns && clock_mono_ms() >= w->ranges_ms +
	    MAX(age, SLICE_MS))
		writer_verified(w);
}

void
writer_verified_dead(struct writer *w)
{
	const enum stmt s = STMT_VERIFIED_DEAD;
	bool more = DB_ROW(&w->db, VERIFIED_DEAD, INT(w->attempt));

	for (; more; more = db_next(&w->db, s)) {
		w->next_event = db_first(&w->db, STMT_EVENT_NEWEST, NULL, 0) +
		    1;
		(void)add_ranges(w, db_int(&w->db, s, 0), db_int(&w->db, s, 1),
		    db_int(&w->db, s, 2), db_int(&w->db, s, 3));
	}
}
