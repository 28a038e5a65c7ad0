/*
 * The catalog's thread and the calls that post to the thread. Messages are
 * handled in page.c, lease.c, result.c, begin.c and end.c.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "catalog/catalog_internal.h"
#include "db/guard.h"

/* A page of a thousand entries is large: let only a few wait. */
#define MAILBOX_LIMIT 32
#define COMMIT_MS 200
#define COMMIT_ROWS 10000
#define COMMIT_RESULTS 1000

/* --- opening and closing --- */

static char *
temporary_directory(struct err *err)
{
	const char *base = getenv("TMPDIR");
	char *dir = xasprintf("%s/datamover-XXXXXX",
	    base != NULL && base[0] == '/' ? base : "/tmp");

	if (mkdtemp(dir) == NULL) {
		err_errno(err, ERR_RESOURCE, errno, "temporary catalog %s",
		    dir);
		free(STEAL(dir));
	}
	return dir;
}

static void
remove_temporary(struct catalog *c)
{
	static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };

	if (c->temporary == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		AUTOFREE char *name = xasprintf("%s%s", c->path, suffix[i]);

		unlink(name);
	}
	rmdir(c->temporary);
}

static void
release(struct catalog *c)
{
	readers_free(&c->readers);
	db_close(&c->own.db);
	remove_temporary(c);
	close_fd(&c->own_fd);
	close_fd(&c->lock_fd);
	mailbox_free(&c->in);
	pthread_mutex_destroy(&c->shared.lock);
	pthread_cond_destroy(&c->shared.changed);
	free(c->path);
	free(c->temporary);
	free(c);
}

static int
open_file(struct catalog *c, struct err *err)
{
	if (guard_place(c->path, err) == -1 ||
	    guard_lock(c->path, &c->lock_fd, err) == -1 ||
	    db_file(c->path, err) == -1 ||
	    guard_own(c->path, &c->own_fd, err) == -1)
		return -1;
	return db_open_writer(&c->own.db, c->path, err);
}

static void *thread_main(void *);

/* copy: path of the catalog to copy into the temporary catalog, or NULL. */
static int
open_at(struct catalog **ret, const char *path, const char *copy,
    struct mailbox *events, struct err *err)
{
	struct catalog *c = xcalloc(1, sizeof(*c));
	int rc = 0;

	c->lock_fd = c->own_fd = -1;
	c->events = events;
	c->in = mailbox_new(MAILBOX_LIMIT);
	pthread_mutex_init(&c->shared.lock, NULL);
	pthread_cond_init(&c->shared.changed, NULL);
	c->own.want_dirs.tail = &c->own.want_dirs.head;
	c->own.want_lease.tail = &c->own.want_lease.head;
	if (path != NULL) {
		c->path = xstrdup(path);
	} else {
		c->temporary = temporary_directory(err);
		if (c->temporary == NULL)
			rc = -1;
		else
			c->path = xasprintf("%s/catalog.db", c->temporary);
	}
	if (rc == 0 && copy != NULL && access(copy, F_OK) == 0)
		rc = db_copy(copy, c->path, err);
	if (rc == 0)
		rc = open_file(c, err);
	if (rc == 0)
		c->readers = readers_new(c->path);
	if (rc == 0 &&
	    pthread_create(&c->thread, NULL, thread_main, c) != 0)
		rc = err_set(err, ERR_RESOURCE, 0, "no thread for the catalog");
	if (rc == -1) {
		release(c);
		return -1;
	}
	*ret = c;
	return 0;
}

int
catalog_open(struct catalog **ret, const char *path, struct mailbox *events,
    struct err *err)
{
	return open_at(ret, path, NULL, events, err);
}

int
catalog_open_copy(struct catalog **ret, const char *path,
    struct mailbox *events, struct err *err)
{
	return open_at(ret, NULL, path, events, err);
}

int
catalog_reader_open(struct catalog *c, struct catalog_reader **ret,
    struct err *err)
{
	return readers_open(c->readers, ret, err);
}

static void
post(struct catalog *c, struct mail *m, int type)
{
	m->type = type;
	mailbox_put(c->in, m);
}

void
catalog_close(struct catalog **cp)
{
	struct catalog *c = *cp;
	struct mail stop;

	if (c == NULL)
		return;
	post(c, &stop, MSG_STOP);
	pthread_join(c->thread, NULL);
	release(c);
	*cp = NULL;
}

/* --- posting --- */

static void
post_want(struct catalog *c, int type, size_t max, uint64_t max_bytes,
    struct mailbox *reply)
{
	struct want *w = xcalloc(1, sizeof(*w));

	w->reply = reply;
	w->max_count = MAX(max, (size_t)1);
	w->max_bytes = max_bytes;
	post(c, &w->mail, type);
}

void
catalog_want_dirs(struct catalog *c, size_t max, struct mailbox *reply)
{
	post_want(c, MSG_WANT_DIRS, max, 0, reply);
}

void
catalog_want_lease(struct catalog *c, size_t max_count, uint64_t max_bytes,
    struct mailbox *reply)
{
	post_want(c, MSG_WANT_LEASE, max_count, max_bytes, reply);
}

void
catalog_put_page(struct catalog *c, struct dir_page *p)
{
	post(c, &p->mail, MSG_PAGE);
}

void
catalog_put_results(struct catalog *c, struct results *r)
{
	post(c, &r->mail, MSG_RESULTS);
}

void
catalog_put_upload(struct catalog *c, struct upload_note *n,
    struct mailbox *reply)
{
	struct noted *d = xcalloc(1, sizeof(*d));

	d->note = n;
	d->reply = reply;
	post(c, &d->mail, MSG_UPLOAD);
}

void
catalog_put_outcomes(struct catalog *c, struct outcomes *v)
{
	post(c, &v->mail, MSG_OUTCOMES);
}

void
catalog_doom(struct catalog *c, struct outcomes *v, struct mailbox *reply)
{
	struct dooming *d = xcalloc(1, sizeof(*d));

	d->doomed = xcalloc(1, sizeof(*d->doomed));
	d->doomed->outcomes = v;
	d->reply = reply;
	post(c, &d->mail, MSG_DOOM);
}

void
catalog_put_clients(struct catalog *c, const struct client_line *v,
    size_t count)
{
	struct client_note *n = xcalloc(1, sizeof(*n) + count * sizeof(*v));

	n->count = count;
	if (count > 0)
		memcpy(n->v, v, count * sizeof(*v));
	post(c, &n->mail, MSG_CLIENTS);
}

void
catalog_put_compaction(struct catalog *c, const struct compaction *v)
{
	struct compaction_note *n = xcalloc(1, sizeof(*n));

	n->c = *v;
	post(c, &n->mail, MSG_COMPACTION);
}

void
catalog_note_export(struct catalog *c, unsigned export, uint64_t fsid,
    bool empty)
{
	struct export_note *n = xcalloc(1, sizeof(*n));

	n->export = export;
	n->by_crawl = true;
	n->fsid = fsid;
	n->empty = empty;
	post(c, &n->mail, MSG_EXPORT);
}

void
catalog_note_root(struct catalog *c, unsigned export, const struct attrs *a,
    bool ignore_inode, const struct err *err)
{
	struct root_note *n = xcalloc(1, sizeof(*n));

	n->export = export;
	n->ignore_inode = ignore_inode;
	if (a != NULL) {
		n->ino = a->ino;
		n->fsid = a->fsid;
	} else {
		n->err = *err;
	}
	post(c, &n->mail, MSG_ROOT);
}

void
catalog_put_lost(struct catalog *c, unsigned export, const struct err *err)
{
	struct lost_note *n = xcalloc(1, sizeof(*n));

	n->export = export;
	n->err = *err;
	post(c, &n->mail, MSG_LOST);
}

void
catalog_see_export(struct catalog *c, unsigned export,
    enum export_sight sight, uint64_t fsid)
{
	struct export_note *n = xcalloc(1, sizeof(*n));

	n->export = export;
	n->sight = sight;
	n->fsid = fsid;
	post(c, &n->mail, MSG_EXPORT);
}

int
core_call(struct catalog *c, void (*fn)(struct catalog *, void *), void *arg,
    struct err *err)
{
	struct call call = { .fn = fn, .arg = arg };
	int rc = 0;

	post(c, &call.mail, MSG_CALL);
	pthread_mutex_lock(&c->shared.lock);
	while (!call.done)
		pthread_cond_wait(&c->shared.changed, &c->shared.lock);
	if (c->shared.err.kind != ERR_NONE) {
		if (err != NULL)
			*err = c->shared.err;
		rc = -1;
	}
	pthread_mutex_unlock(&c->shared.lock);
	return rc;
}

void
catalog_totals(struct catalog *c, struct totals *t)
{
	pthread_mutex_lock(&c->shared.lock);
	*t = c->shared.totals;
	pthread_mutex_unlock(&c->shared.lock);
}

bool
catalog_crawl_done(struct catalog *c)
{
	bool done;

	pthread_mutex_lock(&c->shared.lock);
	done = c->shared.crawl_done;
	pthread_mutex_unlock(&c->shared.lock);
	return done;
}

/* --- the thread --- */

static void
publish(struct catalog *c)
{
	pthread_mutex_lock(&c->shared.lock);
	c->shared.totals = c->own.totals;
	c->shared.crawl_done = c->own.run != 0 &&
	    (c->own.failed || core_crawl_done(&c->own));
	pthread_mutex_unlock(&c->shared.lock);
}

/* Only a call begins or ends a run. */
static void
tell_readers(struct catalog *c)
{
	const struct own *o = &c->own;
	struct reader_run run = {
		.run = o->run,
		.target = o->target,
		.server_as_prefix = o->server_as_prefix,
		.first_object = o->first_object,
	};

	readers_tell(c->readers, &run);
}

static void
free_acks(struct own *o)
{
	struct noted *next;

	for (struct noted *d = STEAL(o->acks); d != NULL; d = next) {
		next = d->next;
		upload_note_free(&d->note);
		free(d);
	}
}

/* Once: mails the error; from now on messages are only thrown away. */
static void
check_failed(struct catalog *c)
{
	struct own *o = &c->own;
	struct catalog_failure *f;

	if (o->failed || o->db.err.kind == ERR_NONE)
		return;
	o->failed = true;
	db_rollback(&o->db);
	free_acks(o);
	pthread_mutex_lock(&c->shared.lock);
	c->shared.err = o->db.err;
	pthread_mutex_unlock(&c->shared.lock);
	if (c->events == NULL)
		return;
	f = xcalloc(1, sizeof(*f));
	f->mail.type = MAIL_CATALOG_FAILED;
	f->err = o->db.err;
	mailbox_put(c->events, &f->mail);
}

void
core_count_run(struct own *o)
{
	const struct totals *t = &o->totals;

	DB_RUN(&o->db, RUN_COUNT, INT(clock_wall_ns()), INT(t->found),
	    INT(t->moved), INT(t->unchanged), INT(t->failed),
	    INT(t->excluded), INT(t->gone), INT(t->pending), INT(t->bytes),
	    INT(t->found_bytes), INT(t->dirs), INT(t->deleted), INT(o->run));
}

void
core_commit(struct catalog *c)
{
	struct own *o = &c->own;
	struct noted *next;

	if (o->db.in_transaction) {
		core_trim(o);
		if (o->run != 0)
			core_count_run(o);
		db_commit(&o->db);
		/* The receivers of these replies change the target, and the
		 * target keeps the change after a power failure: sync the rows
		 * first. */
		if (o->acks != NULL || o->doomings != NULL)
			db_sync(&o->db);
		o->results = 0;
	}
	check_failed(c);
	for (struct noted *d = STEAL(o->acks); d != NULL; d = next) {
		next = d->next;
		d->note->mail.type = MAIL_UPLOAD_NOTED;
		mailbox_put(d->reply, &d->note->mail);
		free(d);
	}
	core_doomed(o);
}

void
core_begin(struct own *o)
{
	if (o->db.in_transaction)
		return;
	db_begin(&o->db);
	o->began_ms = clock_mono_ms();
}

static void
handle_call(struct catalog *c, struct call *call)
{
	core_commit(c);
	core_begin(&c->own);
	call->fn(c, call->arg);
	core_commit(c);
	publish(c);
	tell_readers(c);
	pthread_mutex_lock(&c->shared.lock);
	call->done = true;
	pthread_cond_broadcast(&c->shared.changed);
	pthread_mutex_unlock(&c->shared.lock);
}

static void
add_want(struct want_list *l, struct mail *m)
{
	m->next = NULL;
	*l->tail = m;
	l->tail = &m->next;
}

static void
handle(struct catalog *c, struct mail *m)
{
	struct own *o = &c->own;

	if (m->type >= MSG_PAGE && m->type <= MSG_ROOT)
		core_begin(o);
	switch (m->type) {
	case MSG_CALL:
		handle_call(c, (struct call *)m);
		break;
	case MSG_WANT_DIRS:
		add_want(&o->want_dirs, m);
		break;
	case MSG_WANT_LEASE:
		add_want(&o->want_lease, m);
		break;
	case MSG_PAGE:
		core_page(c, (struct dir_page *)m);
		break;
	case MSG_RESULTS:
		core_results(c, (struct results *)m);
		break;
	case MSG_UPLOAD:
		core_upload(c, (struct noted *)m);
		break;
	case MSG_OUTCOMES:
		core_outcomes(c, (struct outcomes *)m);
		break;
	case MSG_DOOM:
		core_doom(o, (struct dooming *)m);
		break;
	case MSG_CLIENTS:
		core_clients(o, (struct client_note *)m);
		break;
	case MSG_COMPACTION:
		core_compaction(o, (struct compaction_note *)m);
		break;
	case MSG_EXPORT:
		core_note_export(o, (struct export_note *)m);
		break;
	case MSG_ROOT:
		core_note_root(o, (struct root_note *)m);
		break;
	case MSG_LOST:
		core_begin(o);
		core_lost(o, ((struct lost_note *)m)->export,
		    &((struct lost_note *)m)->err);
		free(m);
		break;
	case MSG_STOP:
		o->stopping = true;
		break;
	}
}

static void
serve(struct catalog *c)
{
	struct own *o = &c->own;

	check_failed(c);
	if (o->want_dirs.head != NULL)
		core_serve_dirs(c);
	if (o->want_lease.head != NULL)
		core_serve_leases(c);
}

static void
commit_if_due(struct catalog *c)
{
	struct own *o = &c->own;

	if (o->db.in_transaction && (o->db.rows >= COMMIT_ROWS ||
	    o->results >= COMMIT_RESULTS ||
	    clock_mono_ms() - o->began_ms >= COMMIT_MS))
		core_commit(c);
}

static int
wait_ms(const struct own *o)
{
	uint64_t age;

	if (!o->db.in_transaction)
		return -1;
	age = clock_mono_ms() - o->began_ms;
	return age >= COMMIT_MS ? 0 : (int)(COMMIT_MS - age);
}


static void
leave(struct catalog *c)
{
	struct own *o = &c->own;

	core_commit(c);
	core_forget(&o->want_dirs, NULL);
	core_forget(&o->want_lease, NULL);
	core_reset_run(o);
}

static void *
thread_main(void *arg)
{
	struct catalog *c = arg;
	struct own *o = &c->own;
	struct mail *next;

	while (!o->stopping) {
		for (struct mail *m = mailbox_wait(c->in, wait_ms(o));
		    m != NULL; m = next) {
			next = m->next;
			handle(c, m);
			serve(c);
			commit_if_due(c);
			publish(c);
		}
		if (o->acks != NULL || o->doomings != NULL)
			core_commit(c);
		commit_if_due(c);
	}
	leave(c);
	return NULL;
}
