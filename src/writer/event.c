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

void
writer_verified(struct writer *w)
{
	const enum stmt s = STMT_VERIFIED_RANGES;
	bool more = DB_ROW(&w->db, VERIFIED_RANGES, INT(w->target),
	    INT(w->began_ns), INT(w->run));

	while (more) {
		int64_t first = db_int(&w->db, s, 0);
		int64_t last = db_int(&w->db, s, 1);
		int64_t id = writer_event(w, EVENT_VERIFIED, first, NULL);

		if (last > first)
			DB_RUN(&w->db, SPAN_INSERT, INT(id), INT(last));
		more = db_next(&w->db, s);
	}
}
