#include "run/master.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"

#define TICK_MS		200
#define STOP_LIMIT_MS	5000	/* time for items under way to end after a
				   stop */

bool
master_take_signal(struct master *m)
{
	int no = signals_next(m->signals);

	if (no != 0)
		m->stop_signal = no;
	return no != 0;
}

static void
stop(struct master *m, uint64_t limit_ms)
{
	if (m->crawl != NULL)
		crawl_stop(m->crawl);
	if (m->crew != NULL)
		crew_stop(m->crew, limit_ms);
}

static void
read_signals(struct master *m)
{
	/* A second signal does not wait for the items under way. */
	bool again = m->stop_signal != 0;

	for (; master_take_signal(m); again = true) {
		log_event(LOG_WARN, "stopping", "%s", again ?
		    "at once" : "what is on the way may end within 5 s");
		stop(m, again ? 0 : STOP_LIMIT_MS);
	}
}

static void
fail(struct master *m, const struct err *err)
{
	if (m->failed)
		return;
	m->failed = true;
	m->err = *err;
	stop(m, 0);
}

static void
take_lease(struct master *m, struct lease *l)
{
	m->asked = false;
	if (l->end && !m->no_more && m->crew != NULL)
		crew_no_more(m->crew);
	m->no_more = m->no_more || l->end;
	/* What comes when the crew has gone stays open in the catalog. */
	if (l->count == 0 || m->crew == NULL) {
		lease_free(&l);
		return;
	}
	m->open += l->count;
	crew_lease(m->crew, l);
}

static void
take_results(struct master *m, struct results *r)
{
	m->open -= r->count;
	catalog_put_results(m->catalog, r);
}

static void
take_upload(struct master *m, struct xfer_note *n)
{
	static const enum upload_event events[] = {
		[NOTE_INTENT] = UPLOAD_INTENT,
		[NOTE_CREATED] = UPLOAD_CREATED,
		[NOTE_ENDED] = UPLOAD_ENDED,
	};
	struct upload_note *u = xcalloc(1, sizeof(*u));

	u->event = events[n->event];
	u->object = n->object;
	u->upload_id = STEAL(n->upload_id);
	u->server_sec = n->server_sec;
	u->part_size = n->part_size;
	u->worker = n->worker;
	xfer_note_free(&n);
	catalog_put_upload(m->catalog, u, m->in);
}

static void
take_noted(struct master *m, struct upload_note *u)
{
	if (m->crew != NULL)
		crew_noted(m->crew, u->worker, u->object);
	upload_note_free(&u);
}

static void
take_failure(struct master *m, struct catalog_failure *f)
{
	fail(m, &f->err);
	free(f);
}

static void
take_crew_failure(struct master *m, struct crew_failure *f)
{
	fail(m, &f->err);
	free(f);
}

static void
take_mail(struct master *m)
{
	struct mail *mail = mailbox_take(m->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		switch (mail->type) {
		case MAIL_LEASE:
			take_lease(m, msg);
			break;
		case MAIL_RESULTS:
			take_results(m, msg);
			break;
		case MAIL_UPLOAD:
			take_upload(m, msg);
			break;
		case MAIL_UPLOAD_NOTED:
			take_noted(m, msg);
			break;
		case MAIL_CRAWLED:
			m->crawlers_left--;
			free(msg);
			break;
		case MAIL_CATALOG_FAILED:
			take_failure(m, msg);
			break;
		case MAIL_CREW_FAILED:
			take_crew_failure(m, msg);
			break;
		}
	}
}

/* Keep enough items at hand that no worker waits for the catalog. */
static void
ask_lease(struct master *m)
{
	if (m->asked || m->no_more ||
	    crew_backlog(m->crew) >= crew_enough(m->crew))
		return;
	m->asked = true;
	catalog_want_lease(m->catalog, plan_batch(m->conf),
	    m->conf->master.size, m->in);
}

static void
show(struct master *m)
{
	struct crew_stats s;
	struct totals t;

	catalog_totals(m->catalog, &t);
	/* Bytes that are under way count too: a large file takes long. */
	crew_stats(m->crew, &s);
	t.bytes = MAX(t.bytes, m->job->dryrun ? s.bytes_read :
	    s.s3.bytes_sent);
	monitor_update(m->monitor, m->crew, m->catalog, &t,
	    catalog_crawl_done(m->catalog), clock_mono_ms());
}

void
master_loop(struct master *m)
{
	struct pollfd fds[2] = {
		{ .fd = mailbox_fd(m->in), .events = POLLIN },
		{ .fd = m->signals, .events = POLLIN },
	};
	struct totals t;

	while (m->stop_signal == 0 && !m->failed) {
		ask_lease(m);
		if (m->no_more && m->crawlers_left == 0 && m->open == 0)
			break;
		if (poll(fds, ARRAY_LEN(fds), TICK_MS) > 0) {
			take_mail(m);
			read_signals(m);
		}
		show(m);
	}
	/* The run has ended or was stopped: the threads end, and their last
	 * messages are still recorded. A second signal must be seen
	 * meanwhile. */
	while (m->stop_signal != 0 && !m->failed && !crew_idle(m->crew)) {
		if (poll(fds, ARRAY_LEN(fds), TICK_MS) > 0) {
			take_mail(m);
			read_signals(m);
		}
		show(m);
	}
	crawl_free(&m->crawl);
	monitor_clients(m->monitor, m->crew, m->catalog);
	crew_free(&m->crew);
	take_mail(m);
	catalog_totals(m->catalog, &t);
	m->lost = t.lost > 0;
}
