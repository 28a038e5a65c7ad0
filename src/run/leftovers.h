/*
 * leftovers.h: a run that finishes leaves no multipart upload open that this
 * run or an earlier run began. Uploads of other programs are not touched.
 */
#ifndef RUN_LEFTOVERS_H
#define RUN_LEFTOVERS_H

#include "frame/frame.h"

/* Abort the uploads that the catalog remembers and that no later run
 * continues: no run with these settings comes to the file, or not to this
 * version. Of the files that a PUT may come to, abort only uploads whose keys
 * begin with one of the prefixes (or NULL): DEL has deleted the objects there.
 * An upload that can't be aborted now is logged and left to the next run. */
void	 leftovers_abort(struct run *, const struct strlist *prefixes);

#endif
