/*
 * erase.h: a batch of objects to delete in one request, and the result of each
 * deletion.
 */
#ifndef MODEL_ERASE_H
#define MODEL_ERASE_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/mail.h"

#define ERASE_KEYS_MAX 1000	/* S3 takes so many in one DeleteObjects */

struct erase_row {
	char	*key;		/* key text; owned */
	/* result of the row: deleted if err.kind is ERR_NONE. STOPPED:
	 * nobody knows whether the object was deleted */
	struct err err;
	char	*version_id;	/* of the delete marker; owned, or NULL */
};
struct erase_batch {
	struct mail mail;
	struct erase_row *v;
	size_t	 count;		/* at most ERASE_KEYS_MAX */
	void	*user;		/* the caller's */
};
void	 erase_batch_free(struct erase_batch **);

#endif
