#include "base/clock.h"
#include "xfer/xfer.h"

#define BATCH_MAX	256	/* results in one message */
#define BATCH_MS	50	/* a result waits no longer */
#define ACTIVE_PER_SLOT	2	/* transfers begun for each request slot */

struct tree *
worker_tree(struct worker *w, unsigned export, struct err *err)
{
	struct tree_spec spec = w->e->c.exports[export];

	spec.stop = &w->e->stopping;
	if (w->trees[export] == NULL &&
	    tree_open(&w->trees[export], &spec, err) == -1)
		return NULL;
	return w->trees[export];
}

/* Parts are alike in size: their buffers are kept. Smaller ones come from
 * malloc. */
void *
worker_buffer(struct worker *w, uint64_t size)
{
	if (w->memory_used > 0 && w->memory_used + size > w->memory_limit)
		return NULL;
	w->memory_used += size;
	if (size == w->e->c.part_size && w->spare_count > 0)
		return w->spare[--w->spare_count];
	return xmalloc((size_t)size);
}

void
worker_buffer_free(struct worker *w, void *p, uint64_t size)
{
	if (p == NULL)
		return;
	w->memory_used -= size;
	if (size == w->e->c.part_size && w->spare_count < SPARE_MAX)
		w->spare[w->spare_count++] = p;
	else
		free(p);
}

static void
flush(struct worker *w)
{
	struct results *b = STEAL(w->batch);

	if (b == NULL)
		return;
	if (!mailbox_put(w->e->c.up, &b->mail))
		results_free(&b);
}

void
worker_result(struct worker *w, struct held_lease *h, const struct result *r)
{
	struct results *b = w->batch;

	if (b != NULL && b->lease != h->lease->id) {
		flush(w);
		b = NULL;
	}
	if (b == NULL) {
		b = w->batch = xcalloc(1, sizeof(*b));
		b->mail.type = MAIL_RESULTS;
		b->lease = h->lease->id;
		b->epoch = h->lease->epoch;
		b->v = xcalloc(BATCH_MAX, sizeof(*b->v));
		w->batch_since_ms = w->now_ms;
	}
	b->v[b->count++] = *r;
	if (b->count == BATCH_MAX)
		flush(w);
}

void
worker_note(struct transfer *t, enum xfer_note_event event)
{
	struct xfer_note *n = xcalloc(1, sizeof(*n));

	/* Results go first: an ended upload must not be forgotten before the
	 * object that it made is known. */
	flush(t->w);
	n->mail.type = MAIL_UPLOAD;
	n->event = event;
	n->lease = t->lease->lease->id;
	n->object = t->item->object;
	n->upload_id = t->upload_id == NULL ? NULL : xstrdup(t->upload_id);
	n->server_sec = t->intent_sec;
	n->part_size = t->plan.part_size;
	n->worker = t->w->index;
	if (!mailbox_put(t->w->e->c.up, &n->mail))
		xfer_note_free(&n);
}

static void
read_mail(struct worker *w)
{
	struct mail *m = mailbox_take(w->in), *next;

	for (; m != NULL; m = next) {
		int64_t object = ((struct noted_mail *)(void *)m)->object;

		next = m->next;
		for (struct transfer *t = w->active; t != NULL; t = t->next)
			if (t->item->object == object) {
				multipart_noted(t);
				break;
			}
		free(m);
	}
}

static void
start_new(struct worker *w, size_t limit)
{
	while (w->active_count < limit && w->memory_used < w->memory_limit) {
		struct held_lease *h;
		const struct item *it = engine_next(w->e, &h);

		if (it == NULL)
			return;
		transfer_begin(w, it, h);
	}
}

/* Step all transfers; take the ended ones out. */
static void
step_all(struct worker *w)
{
	struct transfer **tp = &w->active;

	while (*tp != NULL) {
		struct transfer *t = *tp;

		transfer_step(t);
		if (t->phase != PHASE_ENDED || t->calls > 0) {
			tp = &t->next;
			continue;
		}
		*tp = t->next;
		w->active_count--;
		transfer_free(t);
	}
}

/* How long the loop may sleep: until a transfer's time comes, at most. */
static int
sleep_ms(struct worker *w)
{
	uint64_t until = w->now_ms + 1000;

	if (w->batch != NULL)
		until = MIN(until, w->batch_since_ms + BATCH_MS);
	for (struct transfer *t = w->active; t != NULL; t = t->next)
		if (t->calls == 0 && t->resume_at_ms > 0)
			until = MIN(until, t->resume_at_ms);
	if (w->e->rate.bytes_per_s > 0 && s3_pending(w->s3) > 0)
		until = MIN(until, rate_next_ms(&w->e->rate));
	return until <= w->now_ms ? 0 : (int)(until - w->now_ms);
}

/* One wait for everything; then everybody's turn. */
static void
wait_turn(struct worker *w, bool busy)
{
	size_t n = w->e->c.export_count, count = 0;
	struct pollfd *fds = w->fds;
	size_t *first = w->fds_first;
	int timeout = busy ? 0 : sleep_ms(w);

	fds[count++] = (struct pollfd){ .fd = mailbox_fd(w->in),
	    .events = POLLIN };
	for (size_t i = 0; i < n; i++) {
		int ms;

		first[i] = count;
		if (w->trees[i] == NULL)
			continue;
		count += (size_t)tree_fds(w->trees[i], fds + count, TREE_FDS);
		ms = tree_timeout_ms(w->trees[i]);
		if (ms >= 0)
			timeout = MIN(timeout, ms);
	}
	s3_wait(w->s3, fds, (unsigned)count, timeout);
	w->now_ms = clock_mono_ms();
	for (size_t i = 0; i < n; i++)
		if (w->trees[i] != NULL)
			tree_service(w->trees[i], fds + first[i],
			    (int)((i + 1 < n ? first[i + 1] : count) -
			    first[i]));
}

static void
publish(struct worker *w)
{
	struct s3_stats s;

	s3_stats(w->s3, &s);
	pthread_mutex_lock(&w->lock);
	w->stats_locked = s;
	pthread_mutex_unlock(&w->lock);
}

void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct engine *e = w->e;
	size_t limit = (size_t)MAX(e->c.s3.max_inflight, 1U) *
	    ACTIVE_PER_SLOT;
	bool busy = false;

	for (;;) {
		w->now_ms = clock_mono_ms();
		read_mail(w);
		start_new(w, limit);
		step_all(w);
		if (w->active_count == 0) {
			flush(w);
			if (atomic_load(&e->closing) ||
			    atomic_load(&e->stopping))
				break;
		}
		if (atomic_load(&e->stopping) &&
		    w->now_ms >= atomic_load(&e->stop_at_ms))
			break;
		wait_turn(w, busy);
		if (e->rate.bytes_per_s > 0)
			s3_body_ready(w->s3);
		busy = hash_turn(w);
		if (w->batch != NULL &&
		    w->now_ms - w->batch_since_ms >= BATCH_MS)
			flush(w);
		publish(w);
	}
	flush(w);
	atomic_fetch_sub(&e->running, 1);
	return NULL;
}
