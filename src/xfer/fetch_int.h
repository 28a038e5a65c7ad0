/*
 * fetch_int.h: inside the engine of GET and TEST.
 *
 * A fetching moves one item, in passes over its bytes: first perhaps over the
 * file that is there already, then over the object, then perhaps over what
 * was written. A pass cuts the object into units; each is a stream that
 * brings its bytes from S3 or from a file into a small buffer. Buffers of
 * all streams of a worker are written and hashed together, in MD5 lanes.
 */
#ifndef XFER_FETCH_INT_H
#define XFER_FETCH_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/crypto.h"
#include "xfer/claim.h"
#include "xfer/fetch.h"
#include "xfer/rate.h"

#define FETCH_BUFFER	((size_t)(256 * KIB))	/* of one stream */
#define FETCH_RANGE	(64 * MIB)
#define UNITS_AT_ONCE	4	/* streams of one object: the fewer, the less
				   a kill undoes */

struct fetching;

struct stream {
	struct stream *next;
	struct fetching *t;
	struct dest_file *from;	/* NULL: from S3 */
	bool	 write;		/* into t->file */
	bool	 done;		/* all bytes came */
	bool	 turn;		/* its buffer is being worked off */
	uint32_t index;
	uint64_t at;		/* where buf begins in the object */
	uint64_t end;
	uint8_t	*buf;
	size_t	 cap;
	size_t	 fill;
	size_t	 hashed;	/* of fill */
	struct md5 part;
	uint64_t part_left;
};

enum fetch_phase {
	FETCH_NEW = 0,
	FETCH_ASKING,		/* HEAD is on the way */
	FETCH_CHECK,		/* pass over the file that is there */
	FETCH_MOVE,		/* pass over the object */
	FETCH_BACK,		/* pass over what was written */
	FETCH_CLOSE,		/* proved: commit, when the metadata is known */
	FETCH_ENDED
};

struct fetching {
	struct fetch_worker *w;
	struct fetching *next;
	struct fetch_item *item;
	enum fetch_phase phase;
	struct fetch_claim claim;
	unsigned calls;		/* of s3 that will come back */
	bool	 broken;	/* its bytes don't count any more */
	bool	 again;		/* broken: ask what the object is now, begin
				   anew; else it ends */
	bool	 no_keep;	/* what was written is of no use */
	bool	 skip_check;	/* the file that is there is not the one */
	unsigned changes;	/* times the object was another */
	unsigned tries;		/* times the proof failed */
	struct dest_file *existing;
	struct attrs existing_attrs;
	struct dest_file *file;
	bool	 resumed;	/* some ranges were there */
	bool	 has_meta;
	bool	 asked_meta;	/* what S3 knows is in meta, or nothing is */
	struct s3_meta meta;
	/* the pass */
	uint64_t unit;
	uint32_t unit_count;
	uint32_t unit_next;
	uint32_t unit_done;
	struct stream *streams;
	uint32_t stream_count;
	bool	 hash_whole;
	bool	 hash_parts;
	struct md5 whole;
	uint8_t	*part_md5s;
};

struct fetch_worker {
	struct fetch *f;
	pthread_t thread;
	struct s3 *s3;
	struct fetching *active;
	size_t	 active_count;
	size_t	 net_streams;	/* requests for bytes under way */
	size_t	 net_limit;
	uint64_t memory_used;
	uint64_t memory_limit;
	pthread_mutex_t lock;
	struct s3_stats stats_locked;
};

struct fetch {
	struct fetch_config c;
	struct fetch_worker *workers;
	struct rate rate;
	pthread_mutex_t lock;
	struct {
		struct mail *head;	/* struct fetch_item */
		struct mail **tail;
		size_t	 backlog;
	} locked;
	_Atomic bool stopping;
	_Atomic uint64_t stop_at_ms;
	_Atomic bool closing;
	_Atomic unsigned running;
};

/* fetch.c */
struct fetch_item *fetch_next(struct fetch *);

/* fetch_worker.c */
void	*fetch_worker_main(void *);

/* fetching.c */
void	 fetching_begin(struct fetch_worker *, struct fetch_item *);
/* Go on as far as it can. True: files are being read, don't wait for S3. */
bool	 fetching_step(struct fetching *);
void	 fetching_free(struct fetching *);
/* End it, FAILED, when its calls have come back. */
void	 fetching_fail(struct fetching *, const struct err *);
/* S3 failed, or the object is another or gone. */
void	 fetching_s3_fault(struct fetching *, const struct err *);

/* fetch_stream.c */
/* Begin a pass of the phase that t is in: the bytes come from the file that
 * is there, from S3, or from what was written. Parts need units that are
 * multiples of them, the whole MD5 one unit. */
void	 pass_begin(struct fetching *, uint64_t unit, bool hash_whole,
	    bool hash_parts);
/* Start the streams that may start; read those that come from files. True
 * while files are being read: do not wait for S3. */
bool	 pass_step(struct fetching *);
bool	 pass_over(const struct fetching *);
/* Drop its streams; no call may be outstanding. */
void	 pass_drop(struct fetching *);
/* If one of the worker's buffers is full, or has all that comes: write and
 * hash it, and with it all that have something. */
void	 streams_turn(struct fetch_worker *);

#endif
