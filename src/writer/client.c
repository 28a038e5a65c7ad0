/*
 * The rows of a run's clients, in the thread.
 */
#include <math.h>

#include "base/clock.h"
#include "writer/writer.h"

/* SQLite stores NaN as NULL: store 0 for an infinite rate or NaN. */
static struct value
rate(double x)
{
	return (struct value){ .type = VALUE_REAL,
	    .real = isfinite(x) ? x : 0 };
}

void
writer_clients(struct writer *w, struct client_note *n)
{
	int64_t now = clock_wall_ns();
	bool sum = false;

	for (size_t i = 0; i < n->count && !w->failed && w->run != 0; i++) {
		const struct client_line *c = &n->v[i];
		uint64_t ago_ns = MIN(c->heard_ms, (uint64_t)UINT32_MAX) *
		    1000000;

		sum = sum || c->number == 0;
		DB_RUN(&w->db, CLIENT_PUT, INT(w->run), INT(c->number),
		    TEXT(c->host), TEXT(c->state), INT(c->leases),
		    INT(c->items), INT(c->moved), INT(c->failed),
		    INT(c->bytes), rate(c->items_per_s),
		    rate(c->bytes_per_s), INT(now - (int64_t)ago_ns),
		    TEXT(c->reason[0] == '\0' ? NULL : c->reason));
	}
	/* The sum replaces the rows of clients gone long ago. */
	if (sum && !w->failed)
		DB_RUN(&w->db, CLIENT_FORGET, INT(w->run));
	free(n);
}

#include "base/clock.h"
#include "writer/writer.h"

