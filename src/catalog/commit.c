/*
 * The transaction of the catalog's thread: its beginning and its commit, and
 * what becomes known by it.
 */
#include "base/clock.h"
#include "catalog/catalog_internal.h"
#include "db/stand.h"

#define REMEMBER_MS 60000

void
catalog_publish(struct catalog *c)
{
	pthread_mutex_lock(&c->shared.lock);
	c->shared.totals = c->writer.totals;
	c->shared.crawl_done = c->writer.run != 0 &&
	    (c->writer.failed || writer_crawl_done(&c->writer));
	pthread_mutex_unlock(&c->shared.lock);
}

void
catalog_tell_readers(struct catalog *c)
{
	const struct writer *w = &c->writer;
	struct reader_run run = {
		.run = w->run,
		.target = w->target,
		.server_as_prefix = w->server_as_prefix,
		.first_object = w->first_object,
	};

	readers_tell(c->readers, &run);
}

void
catalog_check_failed(struct catalog *c)
{
	struct writer *w = &c->writer;
	struct catalog_failure *f;

	if (w->failed || w->db.err.kind == ERR_NONE)
		return;
	w->failed = true;
	db_rollback(&w->db);
	pthread_mutex_lock(&c->shared.lock);
	c->shared.err = w->db.err;
	pthread_mutex_unlock(&c->shared.lock);
	if (c->events == NULL)
		return;
	f = xcalloc(1, sizeof(*f));
	f->mail.type = MAIL_CATALOG_FAILED;
	f->err = w->db.err;
	mailbox_put(c->events, &f->mail);
}

/* After a failure no upload may begin, and nothing may be deleted. */
static void
answer_intents(struct writer *w)
{
	struct intent *next;

	for (struct intent *i = STEAL(w->intents); i != NULL; i = next) {
		next = i->next;
		if (i->deletes != NULL) {
			i->deletes->intended &= !w->failed;
			mailbox_put(i->reply, &i->deletes->mail);
		} else if (w->failed) {
			upload_note_free(&i->upload);
		} else {
			mailbox_put(i->reply, &i->upload->mail);
		}
		free(i);
	}
}

/* At both ends of a run, before a request that is noted first changes the
 * target, and now and then. A temporary catalog is gone before anybody could
 * replace it. */
static bool
must_remember(struct catalog *c)
{
	uint64_t now = clock_mono_ms();

	if (c->temporary != NULL ||
	    (!c->remember && c->writer.intents == NULL &&
	    !c->writer.must_sync && now - c->remembered_ms < REMEMBER_MS))
		return false;
	c->remember = false;
	c->remembered_ms = now;
	return true;
}

void
catalog_commit(struct catalog *c)
{
	struct writer *w = &c->writer;

	if (w->db.in_transaction) {
		bool remember = must_remember(c);

		writer_trim(w);
		if (w->run != 0) {
			writer_verified_now_and_then(w);
			writer_count_run(w);
		}
		if (remember)
			stand_count(&w->db);
		db_commit(&w->db);
		/* The receivers of these replies change the target, and the
		 * target keeps the change after a power failure: sync the rows
		 * first. */
		if (w->intents != NULL || w->must_sync || remember)
			db_sync(&w->db);
		w->must_sync = false;
		if (remember)
			stand_remember(&w->db, c->lock_fd);
		w->results = 0;
	}
	catalog_check_failed(c);
	answer_intents(w);
}

void
catalog_begin(struct catalog *c)
{
	struct writer *w = &c->writer;

	if (w->db.in_transaction)
		return;
	db_begin(&w->db);
	c->began_ms = clock_mono_ms();
}
