/*
 * The rows of subsystems compacted after a run, in the catalog's thread.
 */
#include <math.h>

#include "base/clock.h"
#include "writer/writer.h"

void
core_compaction(struct own *o, struct compaction_note *n)
{
	const struct compaction *c = &n->c;

	if (!o->failed && o->run != 0)
		DB_RUN(&o->db, COMPACTION_PUT, INT(o->run), TEXT(c->target),
		    TEXT(c->nqn), INT(c->state), ((struct value){
		    .type = VALUE_REAL,
		    .real = isfinite(c->seconds) ? c->seconds : 0 }),
		    INT(clock_wall_ns()),
		    TEXT(c->reason[0] == '\0' ? NULL : c->reason));
	free(n);
}

#include "base/clock.h"
#include "writer/writer.h"

