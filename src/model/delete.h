/*
 * delete.h: a batch of objects to delete in one request, and the result of each
 * deletion.
 */
#ifndef MODEL_DELETE_H
#define MODEL_DELETE_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/mail.h"

#define DELETE_KEYS_MAX 1000	/* S3 takes so many in one DeleteObjects */

struct delete_row {
	char	*key;		/* key text; owned */
	/* The object that is meant, as S3 has shown the object. etag "": S3
	 * showed none, and any object under the key is meant. */
	uint64_t size;
	char	 etag[72];
	bool	 asked;		/* a request to delete the object was sent, and
				   its answer may be lost */
	/* result of the row: deleted if err.kind is ERR_NONE. STOPPED:
	 * nobody knows whether the object was deleted */
	struct err err;
	char	*version_id;	/* of the delete marker; owned, or NULL */
};
struct delete_batch {
	struct mail mail;
	struct delete_row *v;
	size_t	 count;		/* at most DELETE_KEYS_MAX */
	void	*user;		/* the caller's */
};
void	 delete_batch_free(struct delete_batch **);

#endif
