/*
 * The results of the items of a lease, and the rows of multipart uploads.
 */
#include "base/clock.h"
#include "crypto/crypto.h"
#include "writer/writer.h"

static void
lease_release(struct open_lease *l)
{
	free(l->items);
	free(l);
}

void
writer_leases_free(struct writer *w)
{
	struct open_lease *next;

	for (struct open_lease *l = STEAL(w->leases); l != NULL; l = next) {
		next = l->next;
		lease_release(l);
	}
}

static struct open_item *
find_item(struct open_lease *l, int64_t object)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->items[mid].object < object)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->count && l->items[low].object == object ?
	    &l->items[low] : NULL;
}

/* The file changed between crawl and read. The crawled version was never
 * stored, so correct its row; but if a target holds the crawled version, record
 * the bytes read as a new version. Returns the version's id. */
static int64_t
as_read(struct writer *w, const struct open_item *it, const struct attrs *a)
{
	struct db *db = &w->db;
	CLEANUP(free_ptr) char *path = NULL;
	int64_t dir = 0, id;

	if (writer_held(w, it->object) &&
	    DB_ROW(db, OBJECT_PLACE, INT(it->object))) {
		path = db_strdup(db, STMT_OBJECT_PLACE, 0);
		dir = db_int(db, STMT_OBJECT_PLACE, 1);
		db_done(db, STMT_OBJECT_PLACE);
	}
	if (path == NULL || !writer_retire(w, it->object)) {
		writer_stat(w, it->object, a);
		return it->object;
	}
	id = writer_insert(w, dir, str_of(path), a, NULL);
	DB_RUN(db, TODO_OBJECT, INT(id), INT(it->todo));
	return id;
}

static bool
is_held(const struct result *r)
{
	return r->outcome == OUTCOME_MOVED || r->outcome == OUTCOME_UNCHANGED;
}

/* An object may exist although its transfer did not end well: an answer was
 * lost, or the file went or changed after the sending. Return true if nobody
 * knows. */
static bool
note_doubt(struct writer *w, const struct result *r, int64_t object)
{
	if (is_held(r))
		writer_version_settled(w, object);
	/* A request refused at the first try was not sent. */
	if (is_held(r) || (r->attempts <= 1 && (r->err.kind == ERR_DENIED ||
	    r->err.kind == ERR_REFUSED || r->err.kind == ERR_INVALID)))
		return false;
	DB_RUN(&w->db, SETTLE_ADD, INT(w->target), INT(object));
	w->has_doubts = true;
	return true;
}

/* Tell the rows of further names of the object's key, in doubt since the lease
 * was given out, whether the object has changed. */
static void
tell_names(struct writer *w, const struct result *r, int64_t object,
    const struct attrs *a)
{
	const struct there e = { r->etag[0] == '\0' ? NULL : r->etag, a,
	    "another file with the same key was stored", EVENT_REPLACED };
	AUTOFREE char *path = NULL;

	if ((!w->has_names && w->other_target == 0) || !is_held(r) ||
	    !DB_ROW(&w->db, OBJECT_PLACE, INT(object)))
		return;
	path = db_strdup(&w->db, STMT_OBJECT_PLACE, 0);
	db_done(&w->db, STMT_OBJECT_PLACE);
	writer_names_end(w, path, &e);
}

/* A client may say nothing else of an upload. */
static enum event_kind
event_of(struct writer *w, const struct result *r, int64_t object)
{
	bool held;

	if (!is_held(r) || (r->outcome == OUTCOME_UNCHANGED &&
	    r->event == EVENT_REFRESHED))
		return is_held(r) ? EVENT_REFRESHED : EVENT_NONE;
	if (r->outcome == OUTCOME_MOVED)
		return EVENT_STORED;
	held = DB_ROW(&w->db, HELD_FIND, INT(object), INT(w->target));
	if (held)
		db_done(&w->db, STMT_HELD_FIND);
	return held ? EVENT_NONE : EVENT_ADOPTED;
}

/* What the row has for the ETag: nothing, if the MD5 says it. */
static const char *
etag_row(const struct result *r, char hex[33])
{
	if (!r->has_md5)
		return r->etag[0] == '\0' ? NULL : r->etag;
	hex_encode(r->md5, sizeof(r->md5), hex);
	return strcmp(r->etag, hex) == 0 ? NULL : r->etag;
}

/* What the results of a target tell of its digests. */
static void
learn(struct writer *w, const struct result *r)
{
	enum etag_of of = r->part_size == 0 ? ETAG_WHOLE : ETAG_JOINED;
	unsigned known = 0;

	if (r->proved == PROVED_ETAG)
		known = KNOWN_DIGEST(of);
	else if (r->proved == PROVED_MD5)
		known = KNOWN_OPAQUE(of) | KNOWN_MD5;
	if ((w->known & known) == known)
		return;
	w->known |= known;
	DB_RUN(&w->db, TARGET_LEARN, INT(known), INT(w->target));
}

/* result.held: what proves the object. */
static int
held_by(struct writer *w, const struct result *r, int64_t object,
    int64_t prev)
{
	int by = HELD_FOUND;

	if (!is_held(r))
		return 0;
	if (r->proved != PROVED_NOT)
		return (int)r->proved;
	if (DB_ROW(&w->db, HELD_BY, INT(object), INT(prev), INT(w->target))) {
		by = (int)db_int(&w->db, STMT_HELD_BY, 0);
		db_done(&w->db, STMT_HELD_BY);
	}
	return by;
}

static void
store(struct writer *w, const struct result *r, int64_t object, int64_t prev,
    int fresh)
{
	enum event_kind kind = event_of(w, r, object);
	int held = held_by(w, r, object, prev);
	char hex[33];
	int64_t event = 0;
	bool in_doubt;

	/* What was sent was not there. */
	if (kind == EVENT_STORED)
		writer_was_deleted(w, object, NULL);
	if (kind != EVENT_NONE)
		event = writer_event(w, kind, object, r->version_id);
	if (kind == EVENT_STORED)
		slowest_add(&w->slowest, object, r->took_ms, r->attempts);

	DB_RUN(&w->db, RESULT_INSERT, INT(object), INT(w->target),
	    INT(w->run), INT(r->outcome), INT(held),
	    event == 0 ? INT(writer_ms(w)) : NOTHING,
	    BLOB(r->md5, r->has_md5 ? sizeof(r->md5) : 0),
	    r->has_crc64 ? INT((int64_t)r->crc64) : NOTHING,
	    TEXT(etag_row(r, hex)),
	    r->part_size == 0 ? NOTHING : INT(r->part_size),
	    BLOB(r->part_md5s, r->part_md5s == NULL ? 0 :
	    (size_t)r->part_count * 16), INT(r->took_ms), INT(r->attempts),
	    TEXT(r->version_id),
	    TEXT(r->err.kind == ERR_NONE ? NULL : r->err.msg), INT(fresh),
	    event == 0 ? NOTHING : INT(event));
	learn(w, r);
	in_doubt = note_doubt(w, r, object);
	/* A verdict was on the bytes before. */
	if (w->has_verified && (r->outcome == OUTCOME_MOVED || in_doubt) &&
	    object < w->first_object)
		DB_RUN(&w->db, VERIFIED_CLEAR, INT(object), INT(w->target));
}

static void
note_failure(struct writer *w, const struct result *r)
{
	struct db *db = &w->db;
	AUTOFREE char *path = NULL;
	int64_t dir = 0;

	if (DB_ROW(db, OBJECT_PLACE, INT(r->object))) {
		path = db_strdup(db, STMT_OBJECT_PLACE, 0);
		dir = db_int(db, STMT_OBJECT_PLACE, 1);
		db_done(db, STMT_OBJECT_PLACE);
	}
	writer_failure(w, r->object, dir, str_of(path == NULL ? "" : path),
	    &r->err, r->attempts);
}

/* The client reports the file as gone. If the export itself is away, the report
 * proves nothing: turn the result into a failure. */
static const struct result *
as_failed(const struct writer *w, const struct open_item *it,
    const struct result *r, struct result *failed)
{
	const struct run_export_row *x;

	if (r->outcome != OUTCOME_GONE)
		return r;
	x = it->export < w->export_count ? &w->exports[it->export] : NULL;
	if (x == NULL || !x->away)
		return r;
	*failed = *r;
	failed->outcome = OUTCOME_FAILED;
	err_set(&failed->err, ERR_UNREACHABLE, 0, "it is not there, and "
	    "nothing else of its export is: is that mounted?");
	return failed;
}

static void
count(struct writer *w, const struct open_item *it, const struct result *r,
    uint64_t size)
{
	struct totals *t = &w->totals;

	switch (r->outcome) {
	case OUTCOME_MOVED:
		t->moved++;
		t->bytes = add_capped(t->bytes, size);
		break;
	case OUTCOME_UNCHANGED:
		t->unchanged++;
		break;
	case OUTCOME_FAILED:
		t->failed++;
		note_failure(w, r);
		break;
	case OUTCOME_GONE:
		/* The crawl counted the file as found, but the file is gone. */
		t->found--;
		if (it->export >= w->export_count || !writer_export_stays(w,
		    w->exports[it->export].id, 1))
			DB_RUN(&w->db, OBJECT_GONE, INT(w->run),
			    INT(r->object));
		t->gone++;
		break;
	case OUTCOME_LEFT:
	case OUTCOME_CHANGED:	/* the master looks before it stores a result */
	case OUTCOME_EXCLUDED:	/* not of a PUT */
	case OUTCOME_DELETED:
		break;
	}
}

static void
settle_item(struct writer *w, const struct open_lease *l, struct open_item *it,
    const struct result *in)
{
	struct result away;
	const struct result *r = as_failed(w, it, in, &away);
	bool read = r->attrs.kind == it->attrs.kind && is_held(r);
	uint64_t size = read ? r->attrs.size : it->attrs.size;
	int64_t object = it->object;

	if (read && !writer_same(&r->attrs, &it->attrs))
		object = as_read(w, it, &r->attrs);
	store(w, r, object, it->prev,
	    read ? writer_fresh(w, l, it, &r->attrs) : 0);
	/* A version of before that is in doubt is no prev. */
	if (is_held(r) && (object != it->object || w->has_doubts ||
	    (it->prev != 0 && it->prev != object)))
		writer_replaced(w, object);
	tell_names(w, r, object, read ? &r->attrs : &it->attrs);
	count(w, it, r, size);
	it->done = true;
}

static void
leave_item(struct writer *w, struct open_item *it, const struct result *r)
{
	writer_leave_todo(w, it->todo);
	writer_lost(w, it->export, &r->err);
	it->done = true;
}

static void
close_lease(struct writer *w, struct open_lease *l)
{
	struct open_lease **at = &w->leases;

	DB_RUN(&w->db, LEASE_END, INT(l->id));
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	lease_release(l);
}

void
writer_results(struct writer *w, struct results *in)
{
	struct open_lease *l = w->leases;

	while (l != NULL && l->id != in->lease)
		l = l->next;
	if (l == NULL || w->failed || w->run == 0) {
		results_free(&in);	/* late: it was counted, or will be */
		return;
	}
	for (size_t i = 0; i < in->count; i++) {
		struct open_item *it = find_item(l, in->v[i].object);

		if (it == NULL || it->done)
			continue;
		if (in->v[i].outcome == OUTCOME_LEFT)
			leave_item(w, it, &in->v[i]);
		else
			settle_item(w, l, it, &in->v[i]);
		w->results++;
		l->left--;
	}
	if (l->left == 0)
		close_lease(w, l);
	results_free(&in);
}

void
writer_intend(struct writer *w, struct intent *i)
{
	struct intent **at = &w->intents;

	while (*at != NULL)
		at = &(*at)->next;
	i->next = NULL;
	*at = i;
}

/* "NUMBER MD5 ETAG" */
static void
note_part(struct writer *w, const struct upload_note *n)
{
	char *end = NULL;
	unsigned long number = n->part == NULL ? 0 :
	    strtoul(n->part, &end, 10);

	if (number < 1 || number > 10000 || *end != ' ' ||
	    strlen(end) > UPLOAD_PART_LINE || strchr(end, '\n') != NULL)
		return;
	DB_RUN(&w->db, UPLOAD_PART_ADD, INT(n->object), INT(w->target),
	    INT(number), TEXT(end + 1));
}

void
writer_upload(struct writer *w, struct intent *i)
{
	struct upload_note *n = i->upload;

	if (!w->failed && w->run != 0) {
		switch (n->event) {
		case UPLOAD_INTENT:
			DB_RUN(&w->db, UPLOAD_PARTS_END, INT(n->object),
			    INT(w->target));
			idset_add(&w->uploads, n->object);
			DB_RUN(&w->db, UPLOAD_INTENT, INT(n->object),
			    INT(w->target), INT(n->server_sec),
			    INT(n->part_size));
			break;
		case UPLOAD_CREATED:
			DB_RUN(&w->db, UPLOAD_CREATED, TEXT(n->upload_id),
			    INT(n->part_size), INT(n->object),
			    INT(w->target));
			break;
		case UPLOAD_PART:
			note_part(w, n);
			break;
		case UPLOAD_ENDED:
			DB_RUN(&w->db, UPLOAD_PARTS_END, INT(n->object),
			    INT(w->target));
			DB_RUN(&w->db, UPLOAD_ENDED, INT(n->object),
			    INT(w->target));
			break;
		}
		if (n->event == UPLOAD_INTENT && i->reply != NULL) {
			writer_intend(w, i);
			return;
		}
	}
	upload_note_free(&i->upload);
	free(i);
}
