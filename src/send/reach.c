/*
 * reach.c: every worker gives up an export that is out of reach for good at
 * once, so that the export's remaining items don't cost each worker the time of
 * a fault per item. After AGAIN_MS the workers try an item again.
 */
#include "send/send_internal.h"

#define AGAIN_MS	10000

void
sender_answered(struct sender *s, unsigned export, uint64_t now_ms)
{
	struct reach *r = &s->reach[export];

	/* Every worker reads this cache line: write rarely. */
	if (now_ms - atomic_load_explicit(&r->ok_ms, memory_order_relaxed) >
	    1000)
		atomic_store_explicit(&r->ok_ms, now_ms,
		    memory_order_relaxed);
	if (atomic_load_explicit(&r->lost_ms, memory_order_relaxed) != 0)
		atomic_store(&r->lost_ms, 0);
}

bool
sender_give_up(struct sender *s, unsigned export, uint64_t now_ms,
    const struct err *err)
{
	struct reach *r = &s->reach[export];

	if (now_ms - atomic_load(&r->ok_ms) < s->c.retry_for_ms)
		return false;
	pthread_mutex_lock(&s->lock);
	r->why = *err;
	pthread_mutex_unlock(&s->lock);
	atomic_store(&r->lost_ms, now_ms);
	return true;
}

bool
sender_gave_up(struct sender *s, unsigned export, uint64_t now_ms,
    struct err *err)
{
	struct reach *r = &s->reach[export];
	uint64_t at = atomic_load(&r->lost_ms);

	if (at == 0 || now_ms >= at + AGAIN_MS)
		return false;
	pthread_mutex_lock(&s->lock);
	*err = r->why;
	pthread_mutex_unlock(&s->lock);
	return true;
}
