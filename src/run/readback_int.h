/*
 * readback_int.h: inside readback: one worker, and one item that it works on.
 */
#ifndef RUN_READBACK_INT_H
#define RUN_READBACK_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/crypto.h"
#include "run/readback.h"
#include "xfer/rate.h"

struct reading {
	struct reading *next;
	struct reader *r;
	struct readback_item *item;
	/* the object */
	bool	 object_done;
	struct md5 md5;
	struct md5 part;
	uint64_t size;		/* so far */
	uint8_t	*parts;		/* 16 bytes each, of the parts that ended */
	unsigned part_count;
	/* the file */
	bool	 file_done;
	bool	 file_begun;	/* a call is out */
	struct tree_file *file;
	uint8_t	*buffer;
	uint64_t offset;
	struct md5 file_md5;
	uint64_t retry_at_ms;
	uint64_t give_up_ms;	/* 0: nothing failed yet */
};

/* One worker. */
struct reader {
	struct readback *rb;
	pthread_t thread;
	bool	 started;
	struct mailbox *in;
	struct s3 *s3;
	struct tree **trees;
	struct err *tree_errs;	/* why an export could not be opened */
	struct reading *active;
	unsigned active_count;
	struct readback_item *queue; /* linked by mail.next */
	struct readback_item **queue_end;
	bool	 closing;
};

struct readback {
	struct readback_config c;
	struct reader *readers;
	unsigned active_max;	/* of each worker */
	unsigned turn;		/* who gets the next item */
	struct rate rate;
	_Atomic bool stopping;
	_Atomic size_t backlog;
};

/* The file half of a reading: begins, or goes on, unless a call is out. */
void	 readback_file_step(struct reading *, uint64_t now_ms);
/* Its memory; no call may be out, or its tree be gone. */
void	 readback_file_end(struct reading *);

#endif
