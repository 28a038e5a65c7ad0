#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "run/del_internal.h"

#define TICK_MS		200
#define STOP_LIMIT_MS	5000	/* time for requests under way to end after a
				   stop */

static void
fail(struct del_pass *p, const struct err *err)
{
	if (p->failed)
		return;
	p->failed = true;
	p->err = *err;
}

static bool
stopped(const struct del_pass *p)
{
	return p->failed || p->stop_signal != 0;
}

static void
read_signals(struct del_pass *p)
{
	for (int no; (no = signals_next(p->signals)) != 0;) {
		bool again = p->stop_signal != 0;

		p->stop_signal = no;
		p->stop_at_ms = clock_mono_ms() + (again ? 0 : STOP_LIMIT_MS);
		log_event(LOG_WARN, "stopping", "%s", again ? "at once" :
		    "what is on the way may end within 5 s");
	}
}

/* --- pages --- */

static void
look_at(struct del_pass *p, const struct source_page *page)
{
	p->listed = p->listed || page->end;
	if (page->end && page->err.kind != ERR_NONE)
		fail(p, &page->err);
	for (size_t i = 0; i < page->count; i++) {
		const struct source_key *k = &page->keys[i];

		p->bytes = add_capped(p->bytes, k->size);
		if (p->print)
			deleter_print(p->job, (struct str){ k->key, k->len },
			    k->size);
	}
	p->count += page->count;
}

static void
take_page(struct del_pass *p, struct source_page *page)
{
	if (!stopped(p))
		look_at(p, page);
	if (p->deleter == NULL || stopped(p) || page->count == 0) {
		source_page_free(p->source, &page);
		return;
	}
	page->mail.next = NULL;
	*p->last = &page->mail;
	p->last = &page->mail.next;
}

static void
take_mail(struct del_pass *p)
{
	struct mail *mail = mailbox_take(p->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		if (mail->type == MAIL_SOURCE_PAGE) {
			take_page(p, msg);
		} else {
			struct catalog_failure *f = msg;

			fail(p, &f->err);
			free(f);
		}
	}
}

static struct source_page *
next_page(struct del_pass *p)
{
	struct mail *m = p->first;

	if (m == NULL)
		return NULL;
	p->first = m->next;
	if (p->first == NULL)
		p->last = &p->first;
	return (struct source_page *)(void *)m;
}

static void
delete_page(struct del_pass *p, struct source_page *page)
{
	struct outcomes *rows = xcalloc(1, sizeof(*rows));

	rows->v = xcalloc(page->count, sizeof(*rows->v));
	rows->count = page->count;
	for (size_t i = 0; i < page->count; i++) {
		rows->v[i].path = xstrndup(page->keys[i].key,
		    page->keys[i].len);
		rows->v[i].is_key = true;
		rows->v[i].size = page->keys[i].size;
	}
	deleter_give(p->deleter, rows);
	source_page_free(p->source, &page);
}

/* --- the loop --- */

static bool
is_over(const struct del_pass *p)
{
	size_t batches = p->deleter == NULL ? 0 : deleter_batches(p->deleter);

	if (p->failed)
		return true;
	if (p->stop_signal != 0)
		return batches == 0 || clock_mono_ms() >= p->stop_at_ms;
	return p->listed && p->first == NULL && batches == 0;
}

static void
turn(struct del_pass *p)
{
	struct pollfd fds[2] = {
		{ .fd = mailbox_fd(p->in), .events = POLLIN },
		{ .fd = p->signals, .events = POLLIN },
	};
	struct err err = ERR_INIT;

	if (p->deleter == NULL)
		poll(fds, ARRAY_LEN(fds), TICK_MS);
	else
		deleter_wait(p->deleter, fds, ARRAY_LEN(fds), TICK_MS);
	take_mail(p);
	read_signals(p);
	while (p->first != NULL && !stopped(p) && deleter_room(p->deleter))
		delete_page(p, next_page(p));
	if (p->deleter == NULL || !deleter_failed(p->deleter, &err))
		return;
	if (err.kind == ERR_NONE)
		err_set(&err, ERR_RESOURCE, 0, "the catalog has failed");
	fail(p, &err);
}

static void
show(struct del_pass *p)
{
	struct totals t = { .found = p->count, .found_bytes = p->bytes };

	if (p->catalog != NULL) {
		catalog_totals(p->catalog, &t);
		t.found = p->count;
	}
	monitor_update(p->monitor, p->deleter == NULL ? NULL :
	    deleter_crew(p->deleter), p->catalog, &t, p->listed,
	    clock_mono_ms());
}

static int
start(struct del_pass *p, struct err *err)
{
	struct source_config sc = {
		.conf = p->conf,
		.job = p->job,
		.ordered = p->print,
		.up = p->in,
	};

	p->last = &p->first;
	if (p->catalog != NULL && deleter_new(&p->deleter, p->conf, p->job,
	    p->catalog, err) == -1)
		return -1;
	return source_start(&p->source, &sc, err);
}

void
del_pass(struct del_pass *p)
{
	struct err err = ERR_INIT;

	if (start(p, &err) == -1)
		fail(p, &err);
	while (!is_over(p)) {
		turn(p);
		show(p);
	}
	for (struct source_page *page; (page = next_page(p)) != NULL;)
		source_page_free(p->source, &page);
	source_free(&p->source);
	if (p->deleter != NULL)
		monitor_clients(p->monitor, deleter_crew(p->deleter),
		    p->catalog);
	deleter_free(&p->deleter);
	take_mail(p);	/* pages that came too late */
}
