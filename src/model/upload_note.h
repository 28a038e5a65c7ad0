/*
 * upload_note.h: the facts about a multipart upload that the catalog must
 * record while the upload is under way.
 */
#ifndef MODEL_UPLOAD_NOTE_H
#define MODEL_UPLOAD_NOTE_H

#include "base/mailbox.h"
#include "model/mail.h"

enum upload_event {
	UPLOAD_INTENT = 0,	/* about to create: waits for sender_noted */
	UPLOAD_CREATED,		/* upload_id is known */
	UPLOAD_ENDED,		/* completed or aborted */
	UPLOAD_PART		/* a part is there whose ETag is not its MD5 */
};
struct upload_note {
	struct mail mail;	/* MAIL_UPLOAD to the run, MAIL_UPLOAD_NOTED
				   when the catalog gives an intent back */
	enum upload_event event;
	int64_t	 lease;		/* that its item came with */
	int64_t	 object;
	char	*upload_id;	/* owned, or NULL */
	char	*part;		/* PART: its number, its MD5 in hexadecimal,
				   and its ETag as S3 wrote it, with blanks
				   between; owned */
	int64_t	 server_sec;	/* S3's clock */
	uint64_t part_size;
	unsigned worker;	/* for sender_noted */
};
#define UPLOAD_PART_LINE	600	/* bytes of part */
void	 upload_note_free(struct upload_note **);

#endif
