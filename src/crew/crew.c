#include "crew/crew_internal.h"

void
crew_free(struct crew **cp)
{
	struct crew *c = STEAL(*cp);

	if (c != NULL)
		c->ops->free(c);
}

void
crew_lease(struct crew *c, struct lease *l)
{
	c->ops->lease(c, l);
}

void
crew_fetch(struct crew *c, struct fetch_item *it)
{
	c->ops->fetch(c, it);
}

void
crew_delete(struct crew *c, struct delete_batch *b)
{
	c->ops->delete(c, b);
}

void
crew_noted(struct crew *c, unsigned worker, int64_t object)
{
	c->ops->noted(c, worker, object);
}

void
crew_no_more(struct crew *c)
{
	c->ops->no_more(c);
}

size_t
crew_backlog(struct crew *c)
{
	return c->ops->backlog(c);
}

size_t
crew_enough(struct crew *c)
{
	return c->ops->enough(c);
}

void
crew_stats(struct crew *c, struct crew_stats *ret)
{
	memset(ret, 0, sizeof(*ret));
	c->ops->stats(c, ret);
}

size_t
crew_clients(struct crew *c, struct client_line *v, size_t max)
{
	return c->ops->clients(c, v, max);
}

void
crew_stop(struct crew *c, uint64_t limit_ms)
{
	c->ops->stop(c, limit_ms);
}

bool
crew_idle(struct crew *c)
{
	return c->ops->idle(c);
}

void
crew_limits(struct crew *c, uint64_t bwlimit, uint64_t tpslimit)
{
	c->ops->limits(c, bwlimit, tpslimit);
}

void
crew_valid_until(struct crew *c, uint64_t mono_ms)
{
	if (c->ops->valid_until != NULL)
		c->ops->valid_until(c, mono_ms);
}

struct mail *
crew_fetch_back(struct crew *c, size_t most)
{
	return c->ops->fetch_back == NULL ? NULL :
	    c->ops->fetch_back(c, most);
}
