/*
 * The catalog's thread: opening, the messages, closing.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "catalog/catalog_internal.h"
#include "db/guard.h"
#include "db/pair.h"
#include "db/stand.h"

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
release(struct catalog *c, bool sign)
{
	readers_free(&c->readers);
	db_close(&c->writer.db);
	if (sign)
		stand_sign(c->lock_fd, c->own_fd);
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
	    guard_own(c->path, &c->own_fd, err) == -1 ||
	    pair_check_locked(c->path, err) == -1)
		return -1;
	return db_open_writer(&c->writer.db, c->path, err) == -1 ? -1 :
	    stand_check(&c->writer.db, c->lock_fd, &c->older_than, err);
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
	c->remembered_ms = clock_mono_ms();
	c->in = mailbox_new(MAILBOX_LIMIT);
	pthread_mutex_init(&c->shared.lock, NULL);
	pthread_cond_init(&c->shared.changed, NULL);
	c->want_dirs.tail = &c->want_dirs.head;
	c->want_lease.tail = &c->want_lease.head;
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
		rc = db_copy(copy, c->path, false, err);
	if (rc == 0)
		rc = open_file(c, err);
	if (rc == 0)
		c->readers = readers_new(c->path);
	if (rc == 0 &&
	    pthread_create(&c->thread, NULL, thread_main, c) != 0)
		rc = err_set(err, ERR_RESOURCE, 0, "no thread for the catalog");
	if (rc == -1) {
		release(c, false);
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

int64_t
catalog_older_than(const struct catalog *c)
{
	return c->older_than;
}

int
catalog_reader_open(struct catalog *c, struct catalog_reader **ret,
    struct err *err)
{
	return readers_open(c->readers, ret, err);
}

void
catalog_close(struct catalog **cp)
{
	struct catalog *c = *cp;
	struct mail stop;

	if (c == NULL)
		return;
	catalog_post(c, &stop, MSG_STOP);
	pthread_join(c->thread, NULL);
	/* A catalog that was restored once is looked at each time. */
	release(c, db_is_unrestored(&c->writer.db));
	*cp = NULL;
}

/* --- the thread --- */

static void
handle_call(struct catalog *c, struct call *call)
{
	catalog_commit(c);
	catalog_begin(c);
	call->fn(c, call->arg);
	catalog_commit(c);
	catalog_publish(c);
	catalog_tell_readers(c);
	pthread_mutex_lock(&c->shared.lock);
	call->done = true;
	pthread_cond_broadcast(&c->shared.changed);
	pthread_mutex_unlock(&c->shared.lock);
}

static void
handle(struct catalog *c, struct mail *m)
{
	struct writer *w = &c->writer;

	if (m->type >= MSG_PAGE && m->type <= MSG_ROOT)
		catalog_begin(c);
	switch (m->type) {
	case MSG_CALL:
		handle_call(c, (struct call *)m);
		break;
	case MSG_WANT_DIRS:
		catalog_add_want(&c->want_dirs, m);
		break;
	case MSG_WANT_LEASE:
		catalog_add_want(&c->want_lease, m);
		break;
	case MSG_PAGE:
		writer_page(w, (struct dir_page *)m);
		break;
	case MSG_RESULTS:
		writer_results(w, (struct results *)m);
		break;
	case MSG_UPLOAD:
		writer_upload(w, (struct intent *)m);
		break;
	case MSG_OUTCOMES:
		writer_outcomes(w, (struct outcomes *)m);
		break;
	case MSG_DELETE:
		writer_deletes(w, (struct intent *)m);
		break;
	case MSG_CLIENTS:
		writer_clients(w, (struct client_note *)m);
		break;
	case MSG_COMPACTION:
		writer_compaction(w, (struct compaction_note *)m);
		break;
	case MSG_EXPORT:
		writer_fs_take_over(w, (struct export_note *)m);
		writer_note_export(w, (struct export_note *)m);
		break;
	case MSG_ROOT:
		writer_note_root(w, (struct root_note *)m);
		break;
	case MSG_LOST:
		catalog_begin(c);
		writer_lost(w, ((struct lost_note *)m)->export,
		    &((struct lost_note *)m)->err);
		free(m);
		break;
	case MSG_STOP:
		c->stopping = true;
		break;
	}
}

static void
serve(struct catalog *c)
{
	catalog_check_failed(c);
	if (c->want_dirs.head != NULL)
		catalog_serve_dirs(c);
	if (c->want_lease.head != NULL)
		catalog_serve_leases(c);
}

static void
commit_if_due(struct catalog *c)
{
	struct writer *w = &c->writer;

	if (w->db.in_transaction && (w->db.rows >= COMMIT_ROWS ||
	    w->results >= COMMIT_RESULTS ||
	    clock_mono_ms() - c->began_ms >= COMMIT_MS))
		catalog_commit(c);
}

static int
wait_ms(const struct catalog *c)
{
	uint64_t age;

	if (!c->writer.db.in_transaction)
		return -1;
	age = clock_mono_ms() - c->began_ms;
	return age >= COMMIT_MS ? 0 : (int)(COMMIT_MS - age);
}

static void
leave(struct catalog *c)
{
	struct writer *w = &c->writer;

	catalog_commit(c);
	catalog_drop_wants(&c->want_dirs, NULL);
	catalog_drop_wants(&c->want_lease, NULL);
	catalog_reset_run(w);
}

static void *
thread_main(void *arg)
{
	struct catalog *c = arg;
	struct writer *w = &c->writer;
	struct mail *next;

	while (!c->stopping) {
		for (struct mail *m = mailbox_wait(c->in, wait_ms(c));
		    m != NULL; m = next) {
			next = m->next;
			handle(c, m);
			serve(c);
			commit_if_due(c);
			catalog_publish(c);
		}
		if (w->intents != NULL)
			catalog_commit(c);
		commit_if_due(c);
	}
	leave(c);
	return NULL;
}
