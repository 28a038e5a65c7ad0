/*
 * note.h: the facts about a multipart upload that the catalog must record while
 * the upload is under way.
 */
#ifndef MODEL_NOTE_H
#define MODEL_NOTE_H

#include "base/mailbox.h"
#include "model/mail.h"

enum xfer_note_event {
	NOTE_INTENT = 0,	/* about to create: waits for engine_noted */
	NOTE_CREATED,		/* upload_id is known */
	NOTE_ENDED		/* completed or aborted */
};
struct xfer_note {
	struct mail mail;
	enum xfer_note_event event;
	int64_t	 lease;		/* that its item came with */
	int64_t	 object;
	char	*upload_id;	/* owned, or NULL */
	int64_t	 server_sec;	/* S3's clock */
	uint64_t part_size;
	unsigned worker;	/* for engine_noted */
};
void	 xfer_note_free(struct xfer_note **);

#endif
