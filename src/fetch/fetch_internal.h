/*
 * fetch_internal.h: inside the fetcher of GET and TEST.
 *
 * A fetching moves one item, in passes over the item's bytes: first perhaps
 * over the existing file, then over the object, then perhaps over the written
 * file, or over the file of the export. A pass cuts the bytes into units; each
 * unit is a stream that brings its bytes from S3 or from a file into a small
 * buffer. A full buffer waits, with its connection, until the remaining buffers
 * had their turn to fill: the worker writes and hashes the buffers together, in
 * MD5 lanes.
 */
#ifndef FETCH_FETCH_INTERNAL_H
#define FETCH_FETCH_INTERNAL_H

#include "crypto/crypto.h"
#include "fetch/fetch.h"
#include "tree/place.h"
#include "verify/claim.h"
#include "work/trees.h"

#define FETCH_BUFFER	((size_t)(256 * KIB))	/* of a stream; bytes that S3
						   sends regardless get
						   S3_DATA_SLACK more */
#define FETCH_RANGE	(64 * MIB)
#define UNITS_AT_ONCE	4	/* streams of one object: with fewer streams a
				   kill undoes less */

struct fetching;

struct stream {
	struct stream *next;
	struct fetching *t;
	struct dest_file *from;	/* NULL: from S3, or the export's file */
	bool	 write;		/* into t->file */
	bool	 done;		/* all bytes came */
	bool	 reading;	/* a READ of the export's file is out */
	bool	 turn;		/* streams_turn works the buffer off */
	bool	 flushed;	/* the written bytes are stable */
	uint32_t index;
	uint64_t at;		/* where buf begins in the object */
	uint64_t end;
	uint64_t paid;		/* bytes already charged to --bwlimit */
	uint8_t	*buf;
	size_t	 cap;		/* bytes at which buf is full */
	size_t	 room;		/* bytes of buf */
	size_t	 fill;
	size_t	 hashed;	/* of fill */
	struct md5 part;
	uint64_t part_left;
};

enum fetch_phase {
	FETCH_NEW = 0,
	FETCH_ASKING,		/* HEAD is on the way */
	FETCH_CHECK,		/* pass over the existing file */
	FETCH_MOVE,		/* pass over the object */
	FETCH_BACK,		/* pass over the written file */
	FETCH_LOOK,		/* for the file of the export */
	FETCH_FILE,		/* pass over it */
	FETCH_CLOSE,		/* proved: commit, when the metadata is known */
	FETCH_ENDED
};

/* The next step of a broken fetching, once its calls have come back. */
enum fetch_then {
	THEN_END = 0,
	THEN_HEAD,		/* HEAD the object for its present ETag and
				   size, begin anew */
	THEN_ANEW,		/* begin anew */
	THEN_LOOK,		/* look for the file again, later */
	THEN_CLOSE		/* the file is done: commit */
};

struct fetching {
	struct fetch_worker *w;
	struct fetching *next;
	struct fetch_item *item;
	enum fetch_phase phase;
	struct fetch_claim claim;
	unsigned calls;		/* calls of s3 and tree without their callback
				   yet */
	bool	 broken;	/* the bytes don't count any more */
	enum fetch_then then;	/* if broken */
	bool	 no_keep;	/* the written bytes are of no use */
	bool	 headed;	/* S3 was asked for the ETag: the item had
				   none */
	bool	 skip_check;	/* do not check the existing file again */
	unsigned changes;	/* times the object had changed */
	unsigned tries;		/* times the proof failed */
	unsigned commits;	/* times the file could not be put in place */
	struct dest_file *existing;
	struct attrs existing_attrs;
	struct dest_file *file;
	bool	 resumed;	/* some ranges existed already */
	bool	 opaque;	/* the answers tell of an encryption under
				   which ETags are no digests */
	bool	 asked_meta;	/* meta holds the known metadata */
	struct dest_meta meta;
	/* the file of the export */
	struct tree_file *source;
	struct place place;	/* of the file, if it is in doubt */
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

/* A failure to open an export. */
struct fetch_fault {
	struct err err;
	uint64_t since_ms;	/* 0: not tried yet */
	uint64_t again_ms;	/* not before */
};

struct fetch_worker {
	struct pool_worker p;
	struct fetcher *f;
	struct trees trees;
	struct fetch_fault *faults;	/* by export */
	struct fetching *active;
	size_t	 active_count;
	size_t	 net_streams;	/* requests for bytes under way */
	size_t	 net_limit;
	size_t	 ranges;	/* ranges under way, of objects shared by
				   several clients */
	uint64_t memory_used;
	uint64_t memory_limit;
	uint64_t now_ms;
};

struct fetcher {
	struct fetch_config c;
	struct pool pool;
	/* Set when a warning of this kind was given: the first file speaks for
	 * every later file. */
	_Atomic bool told_owner;
	_Atomic bool told_mtime;
	pthread_mutex_t lock;
	struct {
		struct mail *head;	/* struct fetch_item */
		struct mail **tail;
	} locked;
};

/* queue.c */
/* NULL also if the next item is a range of an object shared by several clients
 * and range_too is false: the worker has enough ranges. */
struct fetch_item *fetch_next(struct fetcher *, bool range_too);

/* worker.c */
void	 fetch_worker_init(struct pool_worker *);
void	 fetch_worker_run(struct pool_worker *);
void	 fetch_worker_release(struct pool_worker *);

/* fetching.c */
void	 fetching_begin(struct fetch_worker *, struct fetch_item *);
/* Go on as far as possible. True: files are being read, don't wait for S3. */
bool	 fetching_step(struct fetching *);
void	 fetching_free(struct fetching *);
/* End the fetching as FAILED when its calls have come back. */
void	 fetching_fail(struct fetching *, const struct err *);
/* Take mtime, mode and owner of the original file from the reply. */
void	 fetching_take_meta(struct fetching *, const struct s3_reply *);
/* The destination may have lost written bytes: begin a range anew, fail any
 * other step. */
void	 fetching_lost(struct fetching *, const struct err *);
/* Writing failed: fail, or begin anew if the server no longer knows the file by
 * the handle of its beginning (ESTALE). */
void	 fetching_dest_fault(struct fetching *, const struct err *);
/* S3 failed, or the object has changed or is gone. */
void	 fetching_s3_fault(struct fetching *, const struct err *);

void	 fetching_end(struct fetching *, enum outcome);
/* The pass over the written file. */
void	 fetching_back(struct fetching *);

/* split.c: an item that is a step of a fetch by several clients */
/* Begin a file for several clients. Return false if the object is not cut into
 * ranges, so that a single client fetches the file. */
bool	 fetch_split_begin(struct fetching *);
/* Bring the item's range. */
void	 fetch_split_range(struct fetching *);
/* The range is written, or existed already: give the MD5s of its parts back. */
void	 fetch_split_range_done(struct fetching *);
/* The file has every range: prove the file. */
void	 fetch_split_end(struct fetching *);

/* file.c: the file of the export */
/* In FETCH_LOOK. */
void	 file_look(struct fetching *);
/* Ask for the next bytes. */
void	 file_read(struct stream *);
/* End the pass over the file. */
void	 file_judge(struct fetching *);

/* pass.c */
/* Begin a pass over size bytes in the phase of t, which selects the origin of
 * the bytes: the existing file, S3, the written file, or the export's file.
 * Hashing parts needs units of whole parts, the whole MD5 needs a single
 * unit. */
void	 pass_begin(struct fetching *, uint64_t size, uint64_t unit,
	    bool hash_whole, bool hash_parts);
/* Start the streams allowed to start; read the streams fed from files. True
 * while local files are being read: do not wait for S3. */
bool	 pass_step(struct fetching *);
bool	 pass_over(const struct fetching *);
/* Reduce the begun pass to this unit (pass_only), or to no unit (pass_none). */
void	 pass_only(struct fetching *, uint32_t unit);
void	 pass_none(struct fetching *);
/* Drop the streams of the pass; no call may be outstanding. */
void	 pass_drop(struct fetching *);

/* turn.c */
/* If a buffer of the worker is full, or its stream has ended: write and hash
 * that buffer together with every buffer worth a lane. */
void	 streams_turn(struct fetch_worker *);
/* Finish the MD5 of a part after its last bytes; at is the offset of the part's
 * end. */
void	 stream_part_done(struct stream *, uint64_t at);

#endif
