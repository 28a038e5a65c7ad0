/*
 * notes.h: the facts that other rooms tell the catalog's thread, beside pages
 * and results.
 */
#ifndef WRITER_NOTES_H
#define WRITER_NOTES_H

#include "base/mailbox.h"
#include "model/outcome.h"
#include "model/upload_note.h"

/* The objects that DeleteObjects is about to name. */
struct doomed {
	struct mail mail;
	struct outcomes *outcomes;
	bool	 noted;		/* false: the catalog has failed */
};
enum export_sight {
	EXPORT_THERE = 0,
	EXPORT_ACCEPTED,	/* the user accepts the export in any file
				   system */
	EXPORT_AWAY		/* out of reach, or empty though the catalog
				   knows files: nothing of the export becomes
				   gone */
};

#endif
