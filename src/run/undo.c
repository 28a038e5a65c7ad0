/*
 * undo.c: the verb undo: the objects that a run has deleted come back, from a
 * bucket that has kept their versions. The delete marker goes, or the version
 * is copied over itself; HEAD proves what is there then. An object that
 * somebody has put or deleted since is left alone.
 *
 * Each object is noted in the catalog before its first request: if the run is
 * killed, the next one asks what became of it (run/doubts.h).
 */
#include "base/exit_status.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/units.h"
#include "catalog/doubt.h"
#include "model/key.h"
#include "reader/past.h"
#include "report/text.h"
#include "frame/confirm.h"
#include "run/deleter.h"
#include "run/doubts.h"
#include "run/run.h"

#define PAGE		500

/* What is done with the deletions of the run. */
enum pass {
	PASS_COUNT = 0,
	PASS_LOOK,		/* a dry run: look what would come back */
	PASS_BRING
};

struct undo {
	struct run r;
	enum pass pass;
	uint64_t count;		/* of the objects, in the pass at hand */
	uint64_t bytes;
	uint64_t would;		/* in a dry run: come back */
	uint64_t failed;	/* likewise: stay away */
};

/* An object that is to come back. */
struct comeback {
	struct undo *u;
	struct deleted_row *row;
	struct outcome_row out;
	bool	 asked;		/* S3 is asked; until then nothing was sent */
	bool	 listed;	/* the versions of the key were asked for */
	char	*top;		/* the newest of the markers above it */
	size_t	 marker_count;
	bool	 taken_off;	/* a delete marker: the request was sent */
	bool	 copied;	/* likewise, the version */
	bool	 answered;
};

static struct undo *
undo_of(struct run *r)
{
	return (struct undo *)(void *)r;
}

static struct str
key_of(const struct comeback *i)
{
	return str_of(key_of_path(i->row->stored.path,
	    i->u->r.conf->fs_config.server_as_prefix));
}

/* --- one object --- */

/* A request that the end of the run has cut off has no answer: the note in the
 * catalog stays, and a later run asks. */
static void
fail(struct comeback *i, const struct err *err, const char *text)
{
	if (err->kind == ERR_STOPPED)
		return;
	i->answered = true;
	i->out.outcome = OUTCOME_FAILED;
	i->out.err = *err;
	if (text != NULL)
		err_wrap(&i->out.err, "%s", text);
}

/* What the key holds now is known. */
static void
leave(struct comeback *i, const char *text)
{
	struct err err;

	err_set(&err, ERR_GONE, 0, "%s", text);
	fail(i, &err, NULL);
}

static void
is_back(struct comeback *i, struct str version_id)
{
	i->answered = true;
	i->out.outcome = OUTCOME_MOVED;
	i->out.restored = true;
	i->out.version_id = version_id.len == 0 ? NULL :
	    xstrndup(version_id.p, version_id.len);
}

static void look(struct comeback *);

static void
changed(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct comeback *i = arg;

	(void)r;
	if (err == NULL || (err->kind == ERR_GONE && !i->copied)) {
		look(i);
	} else if (err->kind == ERR_GONE) {
		leave(i, "the bucket has kept no version of it");
	} else {
		fail(i, err, i->copied ? "the version can't be copied" :
		    "the delete marker can't be taken off");
		i->out.lost = err->kind != ERR_DENIED &&
		    err->kind != ERR_INVALID;
	}
}

static void
take_off(struct comeback *i, struct str marker)
{
	i->taken_off = true;
	s3_delete_version(i->u->r.s3, key_of(i), marker, changed, i);
}

/* The version of the bucket that holds the bytes of the object; or NULL. */
static const char *
data_version(const struct comeback *i)
{
	const char *id = i->row->stored.version_id;

	/* A bucket without versions calls all its objects null. */
	return id == NULL || strcmp(id, "null") == 0 ? NULL : id;
}

static void
copy(struct comeback *i)
{
	i->copied = true;
	s3_copy_version(i->u->r.s3, key_of(i), str_of(data_version(i)),
	    changed, i);
}

static bool
is_the_object(const struct comeback *i, const struct s3_reply *r)
{
	const struct stored *s = &i->row->stored;

	if (r->object_size != s->attrs.size)
		return false;
	return s->etag[0] == '\0' ? data_version(i) != NULL &&
	    str_eq(r->version_id, str_of(data_version(i))) :
	    strcmp(r->etag, s->etag) == 0;
}

static void
is_deleted_again(struct comeback *i)
{
	leave(i, i->taken_off ? "its delete marker is off, and another one of "
	    "somebody is above it: it stays deleted" :
	    "somebody has deleted it again: it is left alone");
}

/* Has the bucket kept the version? If so it would come back, or did not come
 * back when the marker went, as another one is there. */
static void
looked_at_version(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct comeback *i = arg;

	if (err != NULL && err->kind == ERR_GONE)
		leave(i, "the bucket has kept no version of it");
	else if (err != NULL)
		fail(i, err, NULL);
	else if (i->taken_off)
		is_deleted_again(i);
	else
		is_back(i, r->version_id);
}

/* The version is the one that the run has deleted. */
static bool
is_the_version(const struct comeback *i, const struct s3_version *v)
{
	const struct stored *s = &i->row->stored;

	if (data_version(i) != NULL)
		return str_eq(v->id, str_of(data_version(i)));
	return s->etag[0] != '\0' && v->size == s->attrs.size &&
	    strcmp(v->etag, s->etag) == 0;
}

enum above {
	FOUND_NOTHING = 0,	/* the version is not there */
	FOUND_WRITTEN,		/* somebody has written the key since */
	FOUND_OTHER,		/* somebody had, before the run deleted it */
	FOUND_VERSION		/* only the markers are above it */
};

static bool
has_own_marker(const struct comeback *i)
{
	return i->row->marker != NULL && i->top != NULL &&
	    strcmp(i->top, i->row->marker) == 0;
}

/* Find the delete markers above the version. What a listing says of other keys,
 * or that the version itself were a marker, is not believed. */
static enum above
find_markers(struct comeback *i, const struct s3_reply *r)
{
	for (size_t k = 0; k < r->version_count; k++) {
		const struct s3_version *v = &r->versions[k];

		if (!str_eq(v->key, key_of(i)))
			continue;
		if (!v->marker)
			return is_the_version(i, v) ? FOUND_VERSION :
			    has_own_marker(i) ? FOUND_OTHER : FOUND_WRITTEN;
		if (is_the_version(i, v))
			break;
		if (i->marker_count++ == 0)
			i->top = xstrndup(v->id.p, v->id.len);
	}
	return FOUND_NOTHING;
}

/* A run leaves one marker at most: further ones are somebody's. */
static bool
has_other_marker(const struct comeback *i)
{
	return i->marker_count > (i->row->marker == NULL || has_own_marker(i));
}

/* A store that lists no versions, or has no markers, may copy one. */
static void
listed(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct comeback *i = arg;
	enum above found = FOUND_VERSION;

	i->listed = true;
	if (err == NULL)
		found = find_markers(i, r);
	if (err != NULL && err->kind == ERR_STOPPED)
		return;
	if (has_other_marker(i))
		is_deleted_again(i);
	else if (found == FOUND_WRITTEN)
		leave(i, "somebody has put it and deleted it again since: it "
		    "is left alone");
	else if (found == FOUND_NOTHING)
		leave(i, "the bucket has kept no version of it");
	else if (i->marker_count == 0)
		look(i);
	else if (i->u->pass == PASS_BRING)
		take_off(i, str_of(i->top));
	else if (found == FOUND_OTHER)
		leave(i, "another object than was put was deleted: that comes "
		    "back");
	else
		is_back(i, STR(""));
}

/* Nothing is under the key. Some stores show the marker that says so: one other
 * than that of the run is somebody else's. */
static void
bring_back(struct comeback *i, const struct s3_reply *r)
{
	const char *marker = i->row->marker;
	bool shown = r->delete_marker && r->version_id.len > 0;
	bool version = data_version(i) != NULL;

	if (i->copied || (i->taken_off && !shown && !version))
		leave(i, "it did not come back");
	else if (shown && (i->taken_off || (marker != NULL &&
	    !str_eq(r->version_id, str_of(marker)))))
		is_deleted_again(i);
	else if (!i->listed && !i->taken_off)
		s3_versions(i->u->r.s3, key_of(i), listed, i);
	/* Where versioning is suspended all that comes is the version null: by
	 * now that may be somebody's object, whose bytes would go for ever. */
	else if (marker != NULL && !shown && !i->taken_off &&
	    strcmp(marker, "null") == 0)
		leave(i, "its delete marker is the version null, and the store "
		    "does not say whether that is a marker still: it is left "
		    "alone");
	else if (version && (i->taken_off || i->u->pass == PASS_LOOK))
		s3_head_of(i->u->r.s3, key_of(i), str_of(data_version(i)), 0,
		    looked_at_version, i);
	else if (i->u->pass == PASS_LOOK && (marker != NULL || shown))
		is_back(i, STR(""));
	else if (marker != NULL || shown)
		take_off(i, marker != NULL ? str_of(marker) : r->version_id);
	else if (version)
		copy(i);
	else
		leave(i, "the bucket has kept no version of it");
}

/* The object under the key is not the one that was put. */
static void
is_other(struct comeback *i)
{
	if (!i->taken_off && !i->copied) {
		leave(i, "the bucket holds another object under this key: it "
		    "is left alone");
		return;
	}
	leave(i, "it is back as it was when it was deleted: another object "
	    "than was put");
	i->out.restored = true;
}

static void
looked(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct comeback *i = arg;

	if (err != NULL && err->kind == ERR_GONE) {
		bring_back(i, r);
	} else if (err != NULL) {
		fail(i, err, NULL);
		i->out.lost = i->taken_off || i->copied;
	} else if (is_the_object(i, r)) {
		is_back(i, r->version_id);
		i->row->deleted = i->u->pass != PASS_LOOK || !i->row->doubted;
	} else {
		is_other(i);
	}
}

static void
look(struct comeback *i)
{
	s3_head(i->u->r.s3, key_of(i), looked, i);
}

/* --- pages --- */

/* Find out whether another version of the file has come under the key. */
static void
begin(struct comeback *i)
{
	struct stored now;
	struct err err = ERR_INIT;
	int known = catalog_find_stored(i->u->r.reader,
	    str_of(i->row->stored.path), &now, &err);
	bool other = known == 1 && now.object != i->row->stored.object;

	if (known == 1)
		stored_release(&now);
	if (known == -1)
		run_fail(&i->u->r, &err);
	else if (known == 1 && (other || !i->row->doubted))
		leave(i, "a later run has put the file again: it is left "
		    "alone");
	else
		i->asked = true;
}

/* Note what is about to be asked for; then ask. */
static void
ask_for(struct undo *u, struct comeback *v, size_t n)
{
	AUTOFREE int64_t *objects = xcalloc(n, sizeof(*objects));
	struct err err = ERR_INIT;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i].asked)
			objects[count++] = v[i].row->stored.object;
	if (u->pass == PASS_BRING && count > 0 &&
	    catalog_note_restoring(u->r.catalog, objects, count, &err) == -1)
		run_fail(&u->r, &err);
	for (size_t i = 0; i < n && !run_stopped(&u->r); i++)
		if (v[i].asked)
			look(&v[i]);
	run_s3_wait(&u->r);
}

/* What a dry run has found out. */
static void
tell(struct undo *u, struct comeback *i)
{
	const struct stored *s = &i->row->stored;

	if (i->out.outcome == OUTCOME_MOVED && !i->row->deleted) {
		/* The run had only noted that it was about to delete it. */
		u->count--;
		u->bytes -= MIN(u->bytes, s->attrs.size);
	} else if (i->out.outcome == OUTCOME_MOVED) {
		u->would++;
		deleter_print(u->r.job, "restore", key_of(i), s->attrs.size);
	} else {
		u->failed++;
		log_failed(s->path, 1, &i->out.err);
	}
}

static void
bring_page(struct undo *u, struct deleted_row *rows, size_t n)
{
	AUTOFREE struct comeback *v = xcalloc(n + 1, sizeof(*v));

	for (size_t i = 0; i < n && !run_stopped(&u->r); i++) {
		v[i] = (struct comeback){ .u = u, .row = &rows[i], .out = {
		    .path = xstrdup(rows[i].stored.path),
		    .object = rows[i].stored.object, .attempts = 1,
		    .size = rows[i].stored.attrs.size } };
		rows[i].deleted = true;
		begin(&v[i]);
	}
	ask_for(u, v, n);
	for (size_t i = 0; i < n; i++) {
		free(STEAL(v[i].top));
		if (v[i].answered && u->pass == PASS_BRING) {
			run_outcome(&u->r, &v[i].out);
			continue;
		}
		if (v[i].answered)
			tell(u, &v[i]);
		outcome_row_release(&v[i].out);
	}
}

static void
count_page(struct undo *u, struct deleted_row *rows, size_t n)
{
	u->count += n;
	for (size_t i = 0; i < n; i++)
		u->bytes = add_capped(u->bytes, rows[i].stored.attrs.size);
}

static void
each_page_of(struct undo *u, past_page_fn *page)
{
	AUTOFREE struct deleted_row *rows = xcalloc(PAGE, sizeof(*rows));
	struct run *r = &u->r;
	struct err err = ERR_INIT;
	int64_t after = 0;
	size_t n = PAGE;

	while (n == PAGE && !run_stopped(r)) {
		if (page(r->reader, (int64_t)r->job->run, after, rows, PAGE,
		    &n, &err) == -1)
			run_fail(r, &err);
		if (n > 0)
			after = rows[n - 1].number;
		count_page(u, rows, n);
		if (u->pass != PASS_COUNT)
			bring_page(u, rows, n);
		for (size_t i = 0; i < n; i++)
			deleted_row_release(&rows[i]);
		if (u->pass == PASS_BRING)
			run_turn(r, 0);
	}
}

/* Go through the deletions: count them, look at them, or bring them back. Those
 * that are in doubt are none any more when the run has begun. */
static void
each_page(struct undo *u, enum pass pass)
{
	u->pass = pass;
	u->count = u->bytes = 0;
	each_page_of(u, past_deleted_page);
	if (pass != PASS_BRING)
		each_page_of(u, past_doubted_page);
}

/* Nothing was there to do: say why. */
static void
tell_nothing(struct undo *u, uint64_t count)
{
	const uintmax_t run = u->r.job->run;
	char text[32];

	u->pass = PASS_COUNT;
	if (!u->r.job->dryrun)
		each_page_of(u, past_doubted_page);
	if (u->count > 0)
		fprintf(stderr, "what became of %s objects that run %ju was "
		    "deleting the store does not say: nothing is brought "
		    "back\n", text_count(u->count, text), run);
	else if (count == 0)
		fprintf(stderr, "run %ju has deleted nothing that is known to "
		    "the catalog: nothing is brought back\n", run);
	else
		fprintf(stderr, "of the %s objects that run %ju has deleted "
		    "each was put, brought back or deleted again by a later "
		    "run: nothing is brought back\n", text_count(count, text),
		    run);
}

/* What can't be brought back. */
static void
tell_left(struct undo *u)
{
	struct run *r = &u->r;
	struct err err = ERR_INIT;
	uint64_t count, unknown;
	char text[32];

	if (past_deletions(r->reader, (int64_t)r->job->run, &count, &unknown,
	    &err) == -1) {
		run_fail(r, &err);
		return;
	}
	monitor_end(&r->monitor);
	if (unknown > 0) {
		r->status = EXIT_FAILED;
		run_reason(r, "%s objects that run %ju has deleted were not "
		    "known to the catalog: they stay deleted",
		    text_count(unknown, text), (uintmax_t)r->job->run);
		log_event(LOG_WARN, EVENT_FOREIGN,
		    LOG_WITH(LOG_NUMBER("count", unknown)), "%s", r->reason);
	}
	if (u->count == 0 && !r->job->quiet)
		tell_nothing(u, count);
}

/* --- the run --- */

static int
ask(struct undo *u, struct err *err)
{
	struct run *r = &u->r;
	char count[32], size[16];

	each_page(u, PASS_COUNT);
	if (r->failed) {
		*err = r->err;
		return -1;
	}
	if (u->count == 0)
		return 0;
	monitor_end(&r->monitor);
	fprintf(stderr, "undo brings back %s objects (%s) that run %ju has "
	    "deleted from bucket %s.\nType \"yes\" to bring them back: ",
	    text_count(u->count, count), units_format(u->bytes, size),
	    (uintmax_t)r->job->run, plan_bucket(r->conf));
	fflush(stderr);
	if (!confirm_yes(r->signals) && !signals_waiting()) {
		r->status = EXIT_GUARD;
		return err_set(err, ERR_STOPPED, 0, "not confirmed: nothing "
		    "was changed");
	}
	if (signals_waiting())
		return err_set(err, ERR_STOPPED, 0, "interrupted");
	return monitor_open(&r->monitor, r->conf, r->job, err);
}

static int
prepare(struct run *r, struct err *err)
{
	struct run_spec spec = { .scope = "", .no_backlog = true };
	struct undo *u = undo_of(r);

	plan_target(&spec, r->conf);
	if (confirm_possible(r->job, "nothing is brought back", err) == -1 ||
	    catalog_look(&r->reader, r->conf->catalog.path, &spec,
	    err) == -1 ||
	    catalog_know_target(r->reader, &spec, err) == -1 ||
	    past_recorded(r->reader, (int64_t)r->job->run, err) == -1 ||
	    (confirm_needed(r->job) && ask(u, err) == -1))
		return -1;
	if (r->job->dryrun)
		monitor_end(&r->monitor);
	else
		catalog_reader_close(&r->reader);
	if (plan_check_s3(r->conf, NULL, err) == -1 || run_s3(r, err) == -1)
		return -1;
	return r->job->dryrun ? 0 : run_begin(r, &spec, err) == -1 ||
	    doubts_settle(r, err) == -1 ? -1 :
	    catalog_reader_open(r->catalog, &r->reader, err);
}

static void
go(struct run *r)
{
	struct undo *u = undo_of(r);

	each_page(u, r->job->dryrun ? PASS_LOOK : PASS_BRING);
	if (!run_stopped(r))
		tell_left(u);
}

static bool
no_mail(struct run *r, struct mail *mail)
{
	(void)r;
	(void)mail;
	return false;
}

static bool
progress(struct run *r, struct totals *t)
{
	if (r->catalog != NULL)
		catalog_totals(r->catalog, t);
	return false;
}

/* The closing of a dry run is made of the counts of this file. */
static void
closing(struct run *r)
{
	const struct undo *u = undo_of(r);

	if (!r->job->dryrun)
		return;
	r->closing.closes = true;
	r->closing.totals = (struct totals){ .found = u->count,
	    .moved = u->would, .failed = u->failed, .bytes = u->bytes,
	    .found_bytes = u->bytes };
}

int
run_undo(const struct conf *conf, const struct job *job)
{
	static const struct run_ops ops = {
		.prepare = prepare,
		.go = go,
		.mail = no_mail,
		.progress = progress,
		.closing = closing,
	};
	struct undo u = { .r = { .conf = conf, .job = job, .ops = &ops } };

	return run_verb(&u.r);
}
