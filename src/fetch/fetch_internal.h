/*
 * fetch_internal.h: inside the engine of GET and TEST.
 *
 * A fetching moves one item, in passes over its bytes: first perhaps over the
 * file that is there already, then over the object, then perhaps over what
 * was written, or over the file of the export. A pass cuts them into units;
 * each is a stream that brings its bytes from S3 or from a file into a small
 * buffer. A buffer that is full waits, with its connection, until the others
 * had their turn to fill: they are written and hashed together, in MD5 lanes.
 */
#ifndef FETCH_FETCH_INTERNAL_H
#define FETCH_FETCH_INTERNAL_H

#include "crypto/crypto.h"
#include "fetch/fetch.h"
#include "verify/claim.h"
#include "work/pool.h"
#include "work/trees.h"

#define FETCH_BUFFER	((size_t)(256 * KIB))	/* of one stream, and what
						   comes all the same */
#define FETCH_RANGE	(64 * MIB)
#define UNITS_AT_ONCE	4	/* streams of one object: the fewer, the less
				   a kill undoes */

struct fetching;

struct stream {
	struct stream *next;
	struct fetching *t;
	struct dest_file *from;	/* NULL: from S3, or the export's file */
	bool	 write;		/* into t->file */
	bool	 done;		/* all bytes came */
	bool	 reading;	/* a READ of the export's file is out */
	bool	 turn;		/* its buffer is being worked off */
	bool	 flushed;	/* what was written is stable */
	uint32_t index;
	uint64_t at;		/* where buf begins in the object */
	uint64_t end;
	uint64_t paid;		/* bytes that --bwlimit was charged for */
	uint8_t	*buf;
	size_t	 cap;		/* full when so much is in it */
	size_t	 room;		/* bytes of buf */
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
	FETCH_LOOK,		/* for the file of the export */
	FETCH_FILE,		/* pass over it */
	FETCH_CLOSE,		/* proved: commit, when the metadata is known */
	FETCH_ENDED
};

/* What follows when the calls of a broken one have come back. */
enum fetch_then {
	THEN_END = 0,
	THEN_HEAD,		/* ask what the object is now, begin anew */
	THEN_ANEW,		/* begin anew */
	THEN_LOOK,		/* for the file again, later */
	THEN_CLOSE		/* that was all of the file */
};

struct fetching {
	struct fetch_worker *w;
	struct fetching *next;
	struct fetch_item *item;
	enum fetch_phase phase;
	struct fetch_claim claim;
	unsigned calls;		/* of s3 and tree that will come back */
	bool	 broken;	/* its bytes don't count any more */
	enum fetch_then then;	/* if broken */
	bool	 no_keep;	/* what was written is of no use */
	bool	 skip_check;	/* the file that is there is not the one */
	unsigned changes;	/* times the object was another */
	unsigned tries;		/* times the proof failed */
	unsigned commits;	/* times it could not be put in place */
	struct dest_file *existing;
	struct attrs existing_attrs;
	struct dest_file *file;
	bool	 resumed;	/* some ranges were there */
	bool	 asked_meta;	/* what is known is in meta */
	struct dest_meta meta;
	/* the file of the export */
	struct tree_file *source;
	bool	 no_attrs;	/* a READ came without: ask at the end */
	uint64_t resume_at_ms;	/* not before */
	uint64_t give_up_ms;	/* 0: nothing failed yet */
	/* the pass */
	uint64_t size;
	char	 seen_etag[72];	/* of the first answer, if none was told */
	uint64_t unit;
	uint32_t unit_next;	/* to begin */
	uint32_t unit_end;	/* behind the last */
	uint32_t unit_left;	/* not yet done */
	struct stream *streams;
	uint32_t stream_count;
	bool	 hash_whole;
	bool	 hash_parts;
	struct md5 whole;
	uint8_t	*part_md5s;
};

/* An export that could not be opened. */
struct fetch_fault {
	struct err err;
	uint64_t since_ms;	/* 0: it was not tried */
	uint64_t again_ms;	/* not before */
};

struct fetch_worker {
	struct pool_worker p;
	struct fetch *f;
	struct trees trees;
	struct fetch_fault *faults;	/* by export */
	struct fetching *active;
	size_t	 active_count;
	size_t	 net_streams;	/* requests for bytes under way */
	size_t	 net_limit;
	size_t	 ranges;	/* of objects that several fetch, under way */
	uint64_t memory_used;
	uint64_t memory_limit;
	uint64_t now_ms;
};

struct fetch {
	struct fetch_config c;
	struct pool pool;
	_Atomic uint64_t bytes_read;	/* of files, here and in exports */
	/* A warning of this kind was given: the first file speaks for all. */
	_Atomic bool told_owner;
	_Atomic bool told_mtime;
	pthread_mutex_t lock;
	struct {
		struct mail *head;	/* struct fetch_item */
		struct mail **tail;
		size_t	 backlog;
	} locked;
};

/* fetch.c */
/* NULL too if it is a range of an object that several fetch, and the worker
 * has enough of those. */
struct fetch_item *fetch_next(struct fetch *, bool range_too);

/* worker.c */
void	 fetch_worker_init(struct pool_worker *);
void	 fetch_worker_run(struct pool_worker *);
void	 fetch_worker_release(struct pool_worker *);

/* fetching.c */
void	 fetching_begin(struct fetch_worker *, struct fetch_item *);
/* Go on as far as it can. True: files are being read, don't wait for S3. */
bool	 fetching_step(struct fetching *);
void	 fetching_free(struct fetching *);
/* End it, FAILED, when its calls have come back. */
void	 fetching_fail(struct fetching *, const struct err *);
/* What the reply says of the file that the object was. */
void	 fetching_take_meta(struct fetching *, const struct s3_reply *);
/* What was written is perhaps not all there: a range is begun anew, else it
 * fails. */
void	 fetching_lost(struct fetching *, const struct err *);
/* Writing failed: the end, or begin anew if the file is known no more as it
 * was begun. */
void	 fetching_dest_fault(struct fetching *, const struct err *);
/* S3 failed, or the object is another or gone. */
void	 fetching_s3_fault(struct fetching *, const struct err *);

void	 fetching_end(struct fetching *, enum outcome);
/* The pass over what was written. */
void	 fetching_back(struct fetching *);

/* step.c: an object that several clients fetch into one file */
/* Begin the file, if it is one for several; false: it isn't. */
bool	 step_begin(struct fetching *);
/* Bring one range of it. */
void	 step_range(struct fetching *);
/* It is written, or was there: what its parts are. */
void	 step_range_done(struct fetching *);
/* All ranges are there: prove them. */
void	 step_end(struct fetching *);

/* file.c: the file of the export */
/* In FETCH_LOOK. */
void	 file_look(struct fetching *);
/* Ask for the next bytes. */
void	 file_read(struct stream *);
/* The pass over it is over. */
void	 file_judge(struct fetching *);

/* pass.c */
/* Begin a pass over size bytes in the phase that t is in: they come from the
 * file that is there, from S3, from what was written, or from the export's
 * file. Parts need units that are multiples of them, the whole MD5 one
 * unit. */
void	 pass_begin(struct fetching *, uint64_t size, uint64_t unit,
	    bool hash_whole, bool hash_parts);
/* Start the streams that may start; read those that come from files. True
 * while local files are being read: do not wait for S3. */
bool	 pass_step(struct fetching *);
bool	 pass_over(const struct fetching *);
/* Of the pass that was begun, only this unit, or none. */
void	 pass_only(struct fetching *, uint32_t unit);
void	 pass_none(struct fetching *);
/* Drop its streams; no call may be outstanding. */
void	 pass_drop(struct fetching *);

/* turn.c */
/* If one of the worker's buffers is full, or has all that comes: write and
 * hash it, and with it all that have something. */
void	 streams_turn(struct fetch_worker *);
/* The last bytes of a part are in: its MD5. at: where they end. */
void	 stream_part_done(struct stream *, uint64_t at);

#endif
