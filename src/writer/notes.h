/*
 * notes.h: the facts that other rooms tell the catalog's thread, beside pages
 * and results.
 */
#ifndef WRITER_NOTES_H
#define WRITER_NOTES_H

#include "base/mailbox.h"
#include "model/outcome.h"

enum upload_event {
	UPLOAD_INTENT = 0,	/* before CreateMultipartUpload */
	UPLOAD_CREATED,		/* upload_id is known */
	UPLOAD_ENDED		/* completed or aborted: row goes */
};
struct upload_note {
	struct mail mail;	/* type MAIL_UPLOAD_NOTED when it comes back */
	enum upload_event event;
	int64_t	 object;
	char	*upload_id;	/* owned; or NULL */
	int64_t	 server_sec;	/* S3's clock at the intent */
	uint64_t part_size;
	unsigned worker;	/* the sender's; for routing the answer */
};
void	 upload_note_free(struct upload_note **);
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
