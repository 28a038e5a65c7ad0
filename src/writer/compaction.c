/*
 * The rows of subsystems compacted after a run, in the catalog's thread.
 */
#include <math.h>

#include "base/clock.h"
#include "writer/writer.h"

void
writer_compaction(struct writer *w, struct compaction_note *n)
{
	const struct compaction *c = &n->c;

	if (!w->failed && w->run != 0)
		DB_RUN(&w->db, COMPACTION_PUT, INT(w->run), TEXT(c->target),
		    TEXT(c->nqn), INT(c->state), ((struct value){
		    .type = VALUE_REAL,
		    .real = isfinite(c->seconds) ? c->seconds : 0 }),
		    INT(clock_wall_ns()),
		    TEXT(c->reason[0] == '\0' ? NULL : c->reason));
	free(n);
}

#include "base/clock.h"
#include "writer/writer.h"

