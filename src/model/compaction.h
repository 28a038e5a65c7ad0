/*
 * compaction.h: the state of the compaction of a subsystem of a DSS target
 * after a run.
 */
#ifndef MODEL_COMPACTION_H
#define MODEL_COMPACTION_H

#include "base/base.h"

enum compaction_state {
	COMPACTION_RUNNING = 0,
	COMPACTION_DONE,
	COMPACTION_FAILED
};

struct compaction {
	char	 target[256];	/* as configured */
	char	 nqn[256];	/* "": none is known for this target */
	enum compaction_state state;
	double	 seconds;	/* that it took, or has taken */
	char	 reason[232];	/* FAILED */
};

#endif
