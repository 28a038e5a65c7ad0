/*
 * mirror.h: PUT --delete: what is gone from the source is deleted in the
 * bucket, under the guards of catalog/mirror.h and below --max-delete. Just
 * before each deletion the source is asked once more (absence/asker.h).
 */
#ifndef RUN_MIRROR_H
#define RUN_MIRROR_H

#include "frame/frame.h"

/* After the loop of the PUT, with deleter_mail as a part of the run's mail. A
 * dry run prints its plan. Ctrl-C and errors are left in the run. */
struct mirror_end {
	bool	 guarded;	/* something was kept by a guard */
	uint64_t planned;
};
void	 mirror_run(struct run *, struct mirror_end *);

#endif
