/*
 * erase.h: objects to be deleted in one go, and what became of each.
 */
#ifndef MODEL_ERASE_H
#define MODEL_ERASE_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/mail.h"

#define ERASE_KEYS_MAX 1000	/* S3 takes so many in one DeleteObjects */

struct erase_row {
	char	*key;		/* key text; owned */
	/* what became of it: deleted if err.kind is ERR_NONE. STOPPED: nobody
	 * knows */
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
