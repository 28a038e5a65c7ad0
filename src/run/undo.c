/*
 * undo.c: the verb undo: the objects that a run has deleted come back, from a
 * bucket that has kept their versions. The delete marker goes, or the version
 * is copied over itself; HEAD proves what is there then. An object that
 * somebody has put or deleted since is left alone.
 */
#include "base/exit_status.h"
#include "base/signals.h"
#include "base/units.h"
#include "catalog/doubt.h"
#include "model/key.h"
#include "reader/past.h"
#include "report/text.h"
#include "frame/confirm.h"
#include "run/deleter.h"
#include "run/run.h"

#define PAGE		500
#define MARKERS_MAX	8	/* that are taken off one key */

struct undo {
	struct run r;
	uint64_t count;		/* of the objects, in the pass at hand */
	uint64_t bytes;
};

/* An object that is to come back. */
struct comeback {
	struct undo *u;
	struct deleted_row *row;
	struct outcome_row out;
	unsigned markers;	/* taken off so far */
	bool	 copied;
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

static void
fail(struct comeback *i, const struct err *err, const char *text)
{
	i->answered = true;
	i->out.outcome = OUTCOME_FAILED;
	i->out.left = err->kind == ERR_GONE || (i->markers == 0 && !i->copied);
	i->out.err = *err;
	if (text != NULL)
		err_wrap(&i->out.err, "%s", text);
}

static void
leave(struct comeback *i, const char *text)
{
	struct err err;

	err_set(&err, ERR_GONE, 0, "%s", text);
	fail(i, &err, NULL);
}

static void look(struct comeback *);

static void
changed(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct comeback *i = arg;

	(void)r;
	if (err == NULL || err->kind == ERR_GONE)
		look(i);
	else
		fail(i, err, i->copied ? "the version can't be copied" :
		    "the delete marker can't be taken off");
}

static void
take_off(struct comeback *i, struct str marker)
{
	i->markers++;
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

/* Where versioning is suspended all that comes is the version null: by now that
 * may be an object of somebody, whose bytes would go for ever. */
static bool
is_null(const char *marker)
{
	return strcmp(marker, "null") == 0;
}

/* Nothing is under the key, and perhaps S3 shows the marker that says so. A
 * marker above the one of the run is somebody else's. */
static void
bring_back(struct comeback *i, const struct s3_reply *r)
{
	const char *marker = i->row->marker;
	bool shown = r->delete_marker && r->version_id.len > 0;

	if (i->copied || i->markers == MARKERS_MAX)
		leave(i, "it did not come back");
	else if (marker != NULL && (i->markers > 0 || (shown &&
	    !str_eq(r->version_id, str_of(marker)))))
		leave(i, "somebody has deleted it again since: it is left "
		    "alone");
	else if (marker != NULL && !shown && is_null(marker))
		leave(i, "its delete marker is the version null, and the store "
		    "does not say whether that is a marker still: it is left "
		    "alone");
	else if (marker != NULL)
		take_off(i, str_of(marker));
	else if (shown)
		take_off(i, r->version_id);
	else if (data_version(i) == NULL)
		leave(i, "the bucket has kept no version of it");
	else
		copy(i);
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
looked(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct comeback *i = arg;

	if (err != NULL && err->kind == ERR_GONE) {
		bring_back(i, r);
	} else if (err != NULL) {
		fail(i, err, NULL);
	} else if (!is_the_object(i, r)) {
		leave(i, i->copied || i->markers > 0 ? "what came back is not "
		    "what was deleted" : "the bucket holds another object "
		    "under this key: it is left alone");
	} else {
		i->answered = true;
		i->out.outcome = OUTCOME_MOVED;
		i->out.restored = true;
		i->out.version_id = r->version_id.len == 0 ? NULL :
		    xstrndup(r->version_id.p, r->version_id.len);
	}
}

static void
look(struct comeback *i)
{
	s3_head(i->u->r.s3, key_of(i), looked, i);
}

/* --- pages --- */

/* True if no other version of the file has come under the key. */
static bool
may_come(struct comeback *i)
{
	struct stored now;
	struct err err = ERR_INIT;
	int known = catalog_find_stored(i->u->r.reader,
	    str_of(i->row->stored.path), &now, &err);

	if (known == -1) {
		run_fail(&i->u->r, &err);
		return false;
	}
	if (known == 1) {
		stored_release(&now);
		leave(i, "a later run has put the file again: it is left "
		    "alone");
		return false;
	}
	return true;
}

/* If the run is killed from here on, S3 is asked for these objects. */
static void
begin(struct undo *u, struct comeback *v, size_t n)
{
	AUTOFREE int64_t *objects = xcalloc(n, sizeof(*objects));
	struct err err = ERR_INIT;
	size_t count = 0;

	for (size_t i = 0; i < n && !run_stopped(&u->r); i++)
		if (may_come(&v[i]))
			objects[count++] = v[i].out.object;
	if (!run_stopped(&u->r) && catalog_doubt_back(u->r.catalog, objects,
	    count, &err) == -1)
		run_fail(&u->r, &err);
	for (size_t i = 0; i < n && !run_stopped(&u->r); i++)
		if (!v[i].answered)
			look(&v[i]);
}

static void
bring_page(struct undo *u, struct deleted_row *rows, size_t n)
{
	AUTOFREE struct comeback *v = xcalloc(n, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = (struct comeback){ .u = u, .row = &rows[i], .out = {
		    .path = xstrdup(rows[i].stored.path),
		    .object = rows[i].stored.object, .attempts = 1,
		    .size = rows[i].stored.attrs.size } };
	begin(u, v, n);
	run_s3_wait(&u->r);
	for (size_t i = 0; i < n; i++) {
		if (v[i].answered)
			run_outcome(&u->r, &v[i].out);
		else
			outcome_row_release(&v[i].out);
	}
}

static void
count_page(struct undo *u, struct deleted_row *rows, size_t n, bool print)
{
	for (size_t i = 0; i < n; i++) {
		const struct stored *s = &rows[i].stored;

		u->count++;
		u->bytes = add_capped(u->bytes, s->attrs.size);
		if (print)
			deleter_print(u->r.job, str_of(key_of_path(s->path,
			    u->r.conf->fs_config.server_as_prefix)),
			    s->attrs.size);
	}
}

/* Go through the deletions: count them, print them, or bring them back. */
static void
each_page(struct undo *u, bool print, bool bring)
{
	AUTOFREE struct deleted_row *rows = xcalloc(PAGE, sizeof(*rows));
	struct run *r = &u->r;
	struct err err = ERR_INIT;
	int64_t after = 0;
	size_t n = PAGE;

	u->count = u->bytes = 0;
	while (n == PAGE && !run_stopped(r)) {
		if (past_deleted_page(r->reader, (int64_t)r->job->run, after,
		    rows, PAGE, &n, &err) == -1)
			run_fail(r, &err);
		if (n > 0)
			after = rows[n - 1].event;
		count_page(u, rows, n, print);
		if (bring)
			bring_page(u, rows, n);
		for (size_t i = 0; i < n; i++)
			deleted_row_release(&rows[i]);
		if (bring)
			run_turn(r, 0);
	}
}

/* --- the run --- */

static int
ask(struct undo *u, struct err *err)
{
	struct run *r = &u->r;
	char count[32], size[16];

	each_page(u, false, false);
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
	if (r->job->dryrun) {
		monitor_end(&r->monitor);
		return 0;
	}
	catalog_reader_close(&r->reader);
	return plan_check_s3(r->conf, NULL, err) == -1 ||
	    run_s3(r, err) == -1 || run_begin(r, &spec, err) == -1 ? -1 :
	    catalog_reader_open(r->catalog, &r->reader, err);
}

static void
go(struct run *r)
{
	each_page(undo_of(r), r->job->dryrun, !r->job->dryrun);
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
	    .moved = u->count, .bytes = u->bytes, .found_bytes = u->bytes };
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
