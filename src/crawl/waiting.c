/*
 * waiting.c: look-ups that wait for the time of their next try.
 */
#include "crawl/crawl_internal.h"

void
waiting_add(struct waiting **list, struct waiting *x, uint64_t at_ms)
{
	x->resume_at_ms = at_ms;
	x->next = *list;
	*list = x;
}

void
waiting_take(struct waiting **list, uint64_t now, void (*fn)(void *lookup))
{
	struct waiting *x = STEAL(*list), *next;

	for (; x != NULL; x = next) {
		next = x->next;
		if (x->resume_at_ms <= now)
			fn(x);
		else
			waiting_add(list, x, x->resume_at_ms);
	}
}
