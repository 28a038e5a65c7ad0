#include "base/clock.h"
#include "send/send_internal.h"

#define BATCH_MAX	256	/* results in a message */
#define BATCH_MS	50	/* the longest wait of a result */
#define ACTIVE_PER_SLOT	2	/* transfers begun for each request slot */

void
worker_init(struct pool_worker *p)
{
	struct worker *w = (struct worker *)(void *)p;
	struct sender *s = w->sender = p->pool->owner;
	uint64_t seed;

	w->in = mailbox_new(0);
	trees_init(&w->trees, s->c.exports, s->c.export_count,
	    &p->pool->stopping);
	w->faults = xcalloc(s->c.export_count, sizeof(*w->faults));
	w->memory_limit = s->c.memory_bytes / s->c.workers;
	random_bytes(&seed, sizeof(seed));
	rng_seed(&w->rng, seed);
}

/* Leave unfinished transfers as found when the time to stop came; their items
 * stay open in the catalog. */
void
worker_release(struct pool_worker *p)
{
	struct worker *w = (struct worker *)(void *)p;
	struct mail *m, *next;
	struct transfer *t;

	trees_release(&w->trees);
	s3_free(&p->s3);
	while ((t = w->active) != NULL) {
		w->active = t->next;
		transfer_free(t);
	}
	free(w->faults);
	for (size_t i = 0; i < w->spare_count; i++)
		free(w->spare[i]);
	for (m = mailbox_take(w->in); m != NULL; m = next) {
		next = m->next;
		free(m);
	}
	mailbox_free(&w->in);
}

/* Keep the buffers of parts of part_size for reuse; take buffers of any
 * different size from malloc. */
void *
worker_buffer(struct worker *w, uint64_t size)
{
	if (w->memory_used > 0 && w->memory_used + size > w->memory_limit)
		return NULL;
	w->memory_used += size;
	if (size == w->sender->c.part_size && w->spare_count > 0)
		return w->spare[--w->spare_count];
	return xmalloc((size_t)size);
}

void
worker_buffer_free(struct worker *w, void *p, uint64_t size)
{
	if (p == NULL)
		return;
	w->memory_used -= size;
	if (size == w->sender->c.part_size && w->spare_count < SPARE_MAX)
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
	mailbox_put(w->sender->c.up, &b->mail);
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
		b->v = xcalloc(BATCH_MAX, sizeof(*b->v));
		w->batch_since_ms = w->now_ms;
	}
	b->v[b->count++] = *r;
	if (b->count == BATCH_MAX)
		flush(w);
}

static void
note(struct transfer *t, enum upload_event event, char *part)
{
	struct upload_note *n = xcalloc(1, sizeof(*n));

	/* Send results first: the catalog must not forget an ended upload
	 * before knowing the object made by the upload. */
	if (event != UPLOAD_PART)
		flush(t->w);
	n->mail.type = MAIL_UPLOAD;
	n->event = event;
	n->part = part;
	n->lease = t->lease->lease->id;
	n->object = t->item->object;
	n->upload_id = t->upload_id == NULL ? NULL : xstrdup(t->upload_id);
	n->server_sec = t->intent_sec;
	n->part_size = t->plan.part_size;
	n->worker = t->w->p.index;
	mailbox_put(t->w->sender->c.up, &n->mail);
}

void
worker_note(struct transfer *t, enum upload_event event)
{
	note(t, event, NULL);
}

void
worker_note_part(struct transfer *t, unsigned index, const uint8_t *md5)
{
	char hex[2 * MD5_LEN + 1];

	hex_encode(md5, MD5_LEN, hex);
	note(t, UPLOAD_PART, xasprintf("%u %s %s", index + 1, hex,
	    t->given[index]));
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
		const struct item *it = sender_next(w->sender, &h);

		if (it == NULL)
			return;
		transfer_begin(w, it, h);
	}
}

/* Step every transfer; remove the ended transfers. */
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

/* How long the loop may sleep: at most until a transfer's time comes. */
static int
sleep_ms(struct worker *w)
{
	uint64_t until = w->now_ms + 1000;

	if (w->batch != NULL)
		until = MIN(until, w->batch_since_ms + BATCH_MS);
	for (struct transfer *t = w->active; t != NULL; t = t->next)
		if (t->calls == 0 && t->resume_at_ms > 0)
			until = MIN(until, t->resume_at_ms);
	/* The time of a limit that nobody uses is past: a store that takes no
	 * bytes must not keep the processor busy. */
	if (rate_limited(&w->sender->pool.rate) && s3_pending(w->p.s3) > 0)
		until = MIN(until, MAX(rate_next_ms(&w->sender->pool.rate),
		    w->now_ms + 1));
	return until <= w->now_ms ? 0 : (int)(until - w->now_ms);
}

void
worker_run(struct pool_worker *p)
{
	struct worker *w = (struct worker *)(void *)p;
	struct sender *s = w->sender;
	size_t limit = (size_t)MAX(s->c.s3.store.max_inflight, 1U) *
	    ACTIVE_PER_SLOT;
	bool busy = false, limited, was_limited = false;

	for (;;) {
		w->now_ms = clock_mono_ms();
		read_mail(w);
		start_new(w, limit);
		step_all(w);
		if (w->active_count == 0)
			flush(w);
		if (pool_over(p, w->active_count, w->now_ms))
			break;
		trees_wait(&w->trees, p->s3, mailbox_fd(w->in),
		    busy ? 0 : sleep_ms(w));
		w->now_ms = clock_mono_ms();
		trees_service(&w->trees);
		/* Resume bodies also in the turn after the limit was lifted. */
		limited = rate_limited(&s->pool.rate);
		if (limited || was_limited)
			s3_resume(p->s3, SIZE_MAX);
		was_limited = limited;
		busy = hash_turn(w);
		if (w->batch != NULL &&
		    w->now_ms - w->batch_since_ms >= BATCH_MS)
			flush(w);
		pool_publish(p);
	}
	flush(w);
}
