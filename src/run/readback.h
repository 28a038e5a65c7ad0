/*
 * readback.h: what the proof of an object needs: its bytes read back from the
 * bucket and hashed, and, where asked for, those of its file. Nothing is
 * written anywhere. Worker threads with connections of their own.
 *
 * readback_start, readback_give items, each comes back as mail MAIL_READBACK
 * with its results filled, in any order; readback_free. After readback_stop
 * what was not ended does not come back and is freed by readback_free.
 *
 * Thread: one gives, stops and frees.
 */
#ifndef RUN_READBACK_H
#define RUN_READBACK_H

#include "base/mailbox.h"
#include "model/outcome.h"
#include "s3/s3.h"
#include "tree/tree.h"

enum { MAIL_READBACK = 330 };

struct readback;

struct readback_item {
	struct mail mail;
	char	*key;			/* owned */
	char	*raw;			/* owned: name bytes of the file below
					   its export's root; NULL: it is not
					   looked at */
	unsigned export;
	bool	 has_stored;		/* the catalog knows the object */
	struct stored stored;		/* owned */
	int64_t	 modified_sec;		/* of the object, as listed; or 0 */
	/* the object: err tells why it was not read whole */
	struct err object_err;
	uint64_t object_size;
	uint8_t	 object_md5[16];
	char	 object_etag[72];	/* that the bytes give, in parts of
					   the stored part size */
	/* the file; attrs before it was read */
	struct err file_err;
	struct attrs file_attrs;
	bool	 file_torn;		/* it changed meanwhile */
	bool	 file_hashed;
	uint8_t	 file_md5[16];
};
void	 readback_item_free(struct readback_item **);

struct readback_config {
	unsigned workers;
	struct s3_config s3;
	const struct tree_spec *exports;
	size_t	 export_count;
	bool	 ignore_inode;
	uint64_t memory_bytes;		/* buffers of all workers together */
	uint64_t bwlimit;		/* of the objects, bytes a second; 0:
					   none */
	uint64_t retry_for_ms;		/* of the files */
	struct mailbox *up;
};

/* What the config points to must live until readback_free. */
int	 readback_start(struct readback **, const struct readback_config *,
	    struct err *) MUST_USE;
/* Takes the item. Never waits. */
void	 readback_give(struct readback *, struct readback_item *);
/* For each item that came back, once it is worked off. */
void	 readback_taken(struct readback *);
/* Items given that are not worked off. */
size_t	 readback_backlog(const struct readback *);
/* So many given keep all workers busy. */
size_t	 readback_enough(const struct readback *);
/* End at once. Any thread. */
void	 readback_stop(struct readback *);
/* Waits for the threads; NULL-safe, sets NULL. */
void	 readback_free(struct readback **);

#endif
