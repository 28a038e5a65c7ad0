/*
 * The transaction of the catalog's thread: its beginning and its commit, and
 * what becomes known by it.
 */
#include "base/clock.h"
#include "catalog/catalog_internal.h"

void
core_publish(struct catalog *c)
{
	pthread_mutex_lock(&c->shared.lock);
	c->shared.totals = c->own.totals;
	c->shared.crawl_done = c->own.run != 0 &&
	    (c->own.failed || core_crawl_done(&c->own));
	pthread_mutex_unlock(&c->shared.lock);
}

void
core_tell_readers(struct catalog *c)
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

void
core_check_failed(struct catalog *c)
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
	core_check_failed(c);
	for (struct noted *d = STEAL(o->acks); d != NULL; d = next) {
		next = d->next;
		d->note->mail.type = MAIL_UPLOAD_NOTED;
		mailbox_put(d->reply, &d->note->mail);
		free(d);
	}
	core_doomed(o);
}

void
core_begin(struct catalog *c)
{
	struct own *o = &c->own;

	if (o->db.in_transaction)
		return;
	db_begin(&o->db);
	c->began_ms = clock_mono_ms();
}
