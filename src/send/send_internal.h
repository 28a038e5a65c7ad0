/*
 * send_internal.h: inside the engine: one worker thread and its transfers.
 *
 * A transfer moves one item. Its bytes come in segments: the whole file when
 * it fits in one part, else one segment a part. A segment is read (several
 * READs in flight), hashed (in lanes, with other segments), sent, freed. The
 * whole-file MD5 follows over the segments in their order.
 *
 * Callbacks of tree and s3 get the segment or the transfer itself, which
 * lives until all of its calls have come back (calls == 0).
 */
#ifndef SEND_SEND_INTERNAL_H
#define SEND_SEND_INTERNAL_H

#include "base/backoff.h"
#include "crypto/crypto.h"
#include "send/engine.h"
#include "verify/claim.h"
#include "verify/part_plan.h"
#include "work/pool.h"
#include "work/trees.h"

#define SEGMENTS_MAX	4	/* parts of one file in flight */
#define SPARE_MAX	16

enum segment_state {
	SEG_FREE = 0,
	SEG_READING,
	SEG_HASHING,
	SEG_READY,		/* hashed */
	SEG_SENDING,
	SEG_DONE		/* sent; the whole-file hash may need it */
};

struct segment {
	struct transfer *t;
	enum segment_state state;
	unsigned index;
	uint64_t offset;
	uint64_t len;
	uint8_t	*data;
	uint64_t data_len;	/* of the buffer */
	struct stream *stream;	/* of a part too large for memory; or NULL */
	uint64_t asked;		/* bytes asked for so far */
	uint64_t got;
	struct md5 md5;
	uint64_t hashed;
	uint8_t	 digest[MD5_LEN];
};

enum transfer_mode {
	MODE_SEND = 0,
	MODE_COMPARE,		/* hash only; then decide whether to send */
	MODE_READ		/* dry run */
};

enum transfer_phase {
	PHASE_BEGIN = 0,	/* nothing is on the way */
	PHASE_ASKING,		/* HEAD, ListParts, intent, create */
	PHASE_MOVING,		/* segments are read, hashed, sent */
	PHASE_CLOSING,		/* last request: PUT, Complete, copy */
	PHASE_ENDED		/* waits for calls, then is freed */
};

/* How long something has been failing. */
struct fault {
	uint64_t since_ms;	/* 0: it is not */
	uint64_t last_ms;
};

struct transfer {
	struct worker *w;
	struct transfer *next;
	struct held_lease *lease;
	const struct item *item;
	struct str key;
	struct tree_file *file;
	struct handle fh;	/* of the file; len 0: by path */
	bool	 reopen;	/* fh has changed */
	bool	 missed;	/* reading says that it is gone: its path is
				   being looked up */
	struct attrs before;	/* every read must agree with it */
	enum transfer_mode mode;
	enum transfer_phase phase;
	struct part_plan plan;	/* of this attempt: see transfer_cut */
	unsigned calls;		/* of tree and s3 that will come back */
	bool	 broken;	/* begin again, or end, when calls is 0 */
	bool	 ending;	/* ... end with outcome */
	bool	 settled;	/* S3 was asked what it has */
	enum outcome outcome;
	unsigned changes;	/* times the file changed under us */
	unsigned tries;		/* after faults that pass */
	unsigned resent;	/* sendings that arrived wrong, or into an
				   upload that was gone */
	bool	 no_attrs;	/* a READ came without: ask before the end */
	bool	 stale_upload;	/* to be aborted, it is of no use */
	bool	 keep_upload;	/* it could not be aborted: its row stays */
	char	 found_etag[72];/* HEAD: what may be there already; or "" */
	struct fetch_claim claim; /* --adopt: in which parts */
	unsigned guesses;	/* --adopt: of part sizes, that were wrong */
	struct fault fault;	/* of reading the file */
	uint64_t began_ms;
	uint64_t resume_at_ms;	/* not before */
	struct err err;
	struct segment seg[SEGMENTS_MAX];
	unsigned next_index;	/* next part to read */
	unsigned done_count;	/* parts done */
	struct md5 whole;
	uint64_t whole_done;	/* bytes in it */
	uint8_t	 whole_md5[MD5_LEN];
	/* multipart */
	char	*upload_id;
	uint64_t upload_part_size; /* that it was begun with; 0: not known */
	bool	 upload_noted;	/* a row of it is in the catalog */
	bool	 intended;	/* ... will be: multipart_noted follows */
	bool	 unnoted;	/* that row names no upload: besides ours, if
				   there is one, others may be open that nobody
				   knows the id of */
	int64_t	 intent_sec;	/* S3's clock, before it was created */
	uint8_t	*part_md5s;	/* plan.count * 16 */
	uint8_t	*have;		/* one flag a part: the server has it */
	uint8_t	*have_md5s;
	char	 etag[72];
	char	*version_id;
	uint64_t bytes_sent;
	unsigned attempts;
};

/* A lease in the engine, until its last item has a result. */
struct held_lease {
	struct held_lease *next;
	struct lease *lease;
	size_t	 begun;		/* items handed to workers */
	size_t	 left;		/* items without result */
};

struct worker {
	struct pool_worker p;
	struct engine *e;
	struct mailbox *in;	/* answers to intents */
	struct trees trees;
	struct fault *faults;	/* by export */
	struct transfer *active;
	size_t	 active_count;
	uint64_t memory_used;
	uint64_t memory_limit;
	void	*spare[SPARE_MAX];	/* part buffers that wait for use */
	size_t	 spare_count;
	struct results *batch;
	uint64_t batch_since_ms;
	uint64_t now_ms;
	struct rng rng;
	_Atomic uint64_t bytes_read;
};

/* To a worker: the intent of this object's upload is on disk. */
struct noted_mail {
	struct mail mail;
	int64_t	 object;
};

/* An export, as all workers see it. */
struct reach {
	_Atomic uint64_t ok_ms;		/* its last answer */
	_Atomic uint64_t lost_ms;	/* when it was given up; 0: never */
	struct err why;			/* ... under the engine's lock */
};

struct engine {
	struct engine_config c;
	struct reach *reach;		/* by export */
	struct pool pool;
	pthread_mutex_t lock;
	struct {
		struct held_lease *head;
		struct held_lease **tail;
		size_t	 backlog;	/* items not begun */
	} locked;
};

/* engine.c: draw the next item, or NULL. Any worker. */
const struct item *engine_next(struct engine *, struct held_lease **);
/* The item of the lease has its result (or never will). */
void	 engine_settled(struct engine *, struct held_lease *);

/* The export answers. */
void	 engine_answered(struct engine *, unsigned export, uint64_t now_ms);
/* A worker has had no answer of the export for retry_for; true if no other has
 * either: then it is given up for a while, and by all. */
bool	 engine_give_up(struct engine *, unsigned export, uint64_t now_ms,
	    const struct err *);
/* It is given up: why. */
bool	 engine_gave_up(struct engine *, unsigned export, uint64_t now_ms,
	    struct err *);

/* worker.c */
void	 worker_init(struct pool_worker *);
void	 worker_run(struct pool_worker *);
void	 worker_release(struct pool_worker *);
/* NULL: not yet, the memory is in use. */
void	*worker_buffer(struct worker *, uint64_t size);
void	 worker_buffer_free(struct worker *, void *, uint64_t size);
/* Put the result in the batch; takes what it owns. */
void	 worker_result(struct worker *, struct held_lease *,
	    const struct result *);
void	 worker_note(struct transfer *, enum xfer_note_event);

/* transfer.c */
void	 transfer_begin(struct worker *, const struct item *,
	    struct held_lease *);
/* Go on as far as it can. */
void	 transfer_step(struct transfer *);
/* Free what it holds, whatever its phase; no call may be outstanding. */
void	 transfer_free(struct transfer *);
/* An error of the source: later again, or the end. */
void	 transfer_fault(struct transfer *, const struct err *);
/* An error of S3, which has retried by itself: the end, unless the proof
 * failed and sending again may help. */
void	 transfer_s3_fault(struct transfer *, const struct err *);
/* S3 has answered, perhaps that there is nothing (ERR_GONE). False: it was
 * another error, which is seen to, or this attempt is over. */
bool	 transfer_answered(struct transfer *, const struct err *);
/* End with this outcome when its calls have come back. */
void	 transfer_end(struct transfer *, enum outcome);
/* The file is not what it was: begin again with what is there now. */
void	 transfer_changed(struct transfer *);
/* The answer to a tree_file_stat: the file is what it was. False: it is not,
 * or nobody knows, and that is seen to. */
bool	 transfer_is_same(struct transfer *, const struct tree_entry *,
	    const struct err *);
/* Begin again from the first byte, at once. */
void	 transfer_again(struct transfer *, enum transfer_mode);
/* What S3 is told of the file. */
struct s3_meta transfer_meta(const struct transfer *);
/* The ETag that S3 must have given, and whether it did. */
bool	 transfer_proved(struct transfer *, const char *expected,
	    const char *got);
/* Send again, later; too often is the end, with this error. */
void	 transfer_resend(struct transfer *, const struct err *);
/* What an object says of its file is what the file is now. */
bool	 transfer_same_meta(const struct transfer *, const struct s3_meta *);
/* HEAD's answer shows an object of this size and with this metadata. */
bool	 transfer_looks_same(const struct transfer *, const struct s3_reply *);
/*
 * Cut the file into these parts. All that depends on the parts (their digests,
 * and which of them S3 has) is made anew here, and only here: another attempt,
 * or another answer of S3, may need other parts.
 */
void	 transfer_cut(struct transfer *, const struct part_plan *);
bool	 transfer_is_multipart(const struct transfer *);
/* It is one step of several that upload the file. */
bool	 transfer_is_by_part(const struct transfer *);
/* The first part, and the one behind the last, that it is to send. */
unsigned transfer_first_part(const struct transfer *);
unsigned transfer_end_part(const struct transfer *);

/* segment.c: reading and hashing */
void	 segments_read(struct transfer *);
void	 segment_free(struct segment *);
/* An answer to a READ of want bytes: false if it ends this attempt. */
bool	 segment_read_ok(struct transfer *, const struct tree_read *,
	    const struct err *, uint32_t want);
/* Hash a slice of all that has been read; false if there was nothing. */
bool	 hash_turn(struct worker *);

/* stream.c: parts that are too large for memory */
bool	 stream_needed(const struct transfer *);
void	 stream_start(struct transfer *);
void	 stream_done(struct segment *);
/* The request has asked for all of its bytes. */
bool	 stream_is_sent(const struct segment *);
void	 stream_free(struct segment *);

/* send.c: deciding, one PUT, metadata */
/* Ask S3 what it has, where that must be known first. */
void	 send_ask(struct transfer *);
/* That is known now: read, and send. */
void	 send_go_on(struct transfer *);
void	 send_segments(struct transfer *);
/* The part is hashed: must S3 get it? */
bool	 send_is_needed(const struct transfer *, const struct segment *);
/* The bytes of a segment, at the pace of --bwlimit. */
struct s3_body send_body(struct segment *);

/* adopt.c: PUT --adopt, what another tool has put */
/* Ask S3 what it has, and read the file in the same parts. */
void	 adopt_ask(struct transfer *);
/* All is hashed: the object that was found has these bytes; etag and parts
 * are its own. */
bool	 adopt_fits(struct transfer *);
/* It has not, in parts of a size that was guessed: true if the file is read
 * again, in parts of another size that the object may have. */
bool	 adopt_guess(struct transfer *);

/* multipart.c */
/* Find the upload to go on with, or create one. */
void	 multipart_ask(struct transfer *);
void	 multipart_noted(struct transfer *);
void	 multipart_send(struct segment *);
void	 multipart_send_body(struct segment *, const struct s3_body *);
void	 multipart_complete(struct transfer *);
/* Abort the upload and forget it. */
void	 multipart_abort(struct transfer *);
/* Forget the upload, or what is known of its parts alone. */
void	 multipart_forget(struct transfer *);
void	 multipart_forget_parts(struct transfer *);

/* by_part.c: ITEM_OPEN, ITEM_PARTS, ITEM_CLOSE */
void	 by_part_begin(struct transfer *);
/* All its parts are there; the file was the same to the end. */
void	 by_part_done(struct transfer *);
void	 by_part_changed(struct transfer *);
/* The upload is gone. */
void	 by_part_lost(struct transfer *, const struct err *);
void	 by_part_result(struct transfer *, struct result *);

#endif
