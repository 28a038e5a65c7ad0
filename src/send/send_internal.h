/*
 * send_internal.h: inside the sender: a worker thread and its transfers.
 *
 * A transfer moves one item. The item's bytes come in segments: the whole file
 * when the file fits in a single part, else a segment for each part. A segment
 * is read (several READs in flight), hashed (in lanes, with segments of more
 * files), sent, freed. The whole-file MD5 follows over the segments in their
 * order.
 *
 * Callbacks of tree and s3 get the segment or the transfer itself, which lives
 * until its last call has come back (calls == 0).
 */
#ifndef SEND_SEND_INTERNAL_H
#define SEND_SEND_INTERNAL_H

#include "base/backoff.h"
#include "crypto/crypto.h"
#include "model/proved.h"
#include "send/sender.h"
#include "tree/place.h"
#include "verify/claim.h"
#include "verify/part_plan.h"
#include "work/trees.h"

#define SEGMENTS_MAX	4	/* parts of a file in flight */
#define SPARE_MAX	16

enum segment_state {
	SEG_FREE = 0,
	SEG_READING,
	SEG_HASHING,
	SEG_READY,		/* hashed */
	SEG_SENDING,
	SEG_DONE		/* sent; the whole-file MD5 may need the
				   bytes */
};

struct segment {
	struct transfer *t;
	enum segment_state state;
	unsigned index;
	uint64_t offset;
	uint64_t len;
	uint8_t	*data;
	uint64_t data_len;	/* of the buffer */
	struct ring *ring;	/* for a part too large for memory; or NULL */
	uint64_t asked;		/* bytes asked for so far */
	uint64_t got;
	struct md5 md5;
	uint64_t crc64;		/* of the bytes that are hashed */
	uint64_t hashed;
	uint8_t	 digest[MD5_LEN];
};

enum transfer_mode {
	MODE_SEND = 0,
	MODE_COMPARE,		/* hash only; then decide whether to send */
	MODE_READ		/* dry run */
};

enum transfer_phase {
	PHASE_BEGIN = 0,	/* no call is outstanding */
	PHASE_ASKING,		/* HEAD, ListParts, intent, create */
	PHASE_MOVING,		/* segments are read, hashed, sent */
	PHASE_CLOSING,		/* last request: PUT, Complete, copy */
	PHASE_ENDED		/* waits for calls, then is freed */
};

/* How long a file or an export has been failing. */
struct fault {
	uint64_t since_ms;	/* 0: no failure */
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
	bool	 missed;	/* reading says that the file is gone: its path
				   is being looked up */
	struct {		/* of the file: see place.c */
		struct place ask;
		uint64_t fsid;	/* in which the file was met, and the question
				   asked */
		bool	 proven; /* fsid is right */
		unsigned asked;	/* times, for a file that was read */
	} place;
	struct attrs before;	/* every READ must agree with these
				   attributes */
	enum transfer_mode mode;
	enum transfer_phase phase;
	struct part_plan plan;	/* of this attempt: see transfer_cut */
	unsigned calls;		/* calls of tree and s3 without their callback
				   yet */
	bool	 broken;	/* begin again, or end, when calls is 0 */
	bool	 ending;	/* with broken: end with outcome */
	bool	 settled;	/* S3 was asked for the object */
	enum outcome outcome;
	enum event_kind event;	/* what the last answer about the object made
				   true, should the transfer end well */
	unsigned changes;	/* times the file changed during the transfer */
	unsigned tries;		/* after passing faults */
	unsigned resent;	/* sendings with wrong bytes at S3, or into an
				   upload already gone */
	bool	 no_attrs;	/* a READ came without attributes: stat before
				   the end */
	bool	 stale_upload;	/* the upload is of no use: abort */
	bool	 keep_upload;	/* the abort failed: the upload's row stays */
	char	 found_etag[72];/* HEAD: ETag of an object that may hold the
				   file already; or "" */
	bool	 stale;		/* the object of found_etag has every field of
				   metadata that PUT gives, and one of them
				   differs from the file's */
	struct fetch_claim claim; /* --adopt: the parts of the object */
	unsigned guesses;	/* --adopt: wrong guesses of part sizes */
	struct fault fault;	/* of reading the file */
	uint64_t began_ms;
	uint64_t resume_at_ms;	/* not before */
	struct err err;
	struct segment seg[SEGMENTS_MAX];
	unsigned next_index;	/* next part to read */
	unsigned done_count;	/* parts done */
	struct md5 whole;
	uint64_t whole_done;	/* bytes in whole */
	uint8_t	 whole_md5[MD5_LEN];
	uint64_t whole_crc64;
	/* multipart */
	char	*upload_id;
	uint64_t upload_part_size; /* the upload's part size; 0: not known */
	bool	 upload_noted;	/* the catalog has a row of the upload */
	bool	 intended;	/* the row is asked for: multipart_noted
				   follows */
	bool	 unnoted;	/* the upload's row has no id: besides the
				   upload of upload_id, if set, more uploads
				   with unknown ids may be open */
	int64_t	 intent_sec;	/* S3's clock, before the upload was created */
	uint8_t	*part_md5s;	/* plan.count * 16 */
	uint64_t *part_crc64s;	/* plan.count; NULL: not multipart */
	uint8_t	*have;		/* a flag for each part: the server has the
				   part */
	uint8_t	*have_md5s;
	char	**given;	/* for each part: the ETag as S3 wrote it, or
				   NULL: the part's MD5 in quotes */
	char	 etag[72];
	enum proved proved;
	bool	 opaque;	/* the object's encryption says that its ETag
				   is no digest */
	bool	 waits_proof;	/* see worker.asks_md5 */
	char	*version_id;
	uint64_t bytes_sent;
	unsigned attempts;
};

/* A lease in the sender, until its last item has a result. */
struct held_lease {
	struct held_lease *next;
	struct lease *lease;
	size_t	 begun;		/* items handed to workers */
	size_t	 left;		/* items without result */
};

struct worker {
	struct pool_worker p;
	struct sender *sender;
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
	bool	 asks_md5;	/* whether the store compares Content-MD5 */
	unsigned md5_tries;	/* ... without an answer so far */
	char	 probe_key[64];	/* ... by this object */
};

/* To a worker: the intent of this object's upload is on disk. */
struct noted_mail {
	struct mail mail;
	int64_t	 object;
};

/* The state of an export, shared by the workers. */
struct reach {
	_Atomic uint64_t ok_ms;		/* its last answer */
	_Atomic uint64_t lost_ms;	/* when the workers gave the export up;
					   0: never */
	struct err why;			/* the reason; under the sender's
					   lock */
};

struct sender {
	struct sender_config c;
	struct reach *reach;		/* by export */
	struct pool pool;
	_Atomic unsigned known;		/* of the store; see model/proved.h */
	pthread_mutex_t lock;
	struct {
		struct held_lease *head;
		struct held_lease **tail;
	} locked;
};

/* sender.c: draw the next item, or NULL. Any worker. */
const struct item *sender_next(struct sender *, struct held_lease **);
/* The item of the lease has its result (or will never have a result). */
void	 sender_settled(struct sender *, struct held_lease *);

/* The export answers. */
void	 sender_answered(struct sender *, unsigned export, uint64_t now_ms);
/* A worker has had no answer of the export for retry_for. True if no worker has
 * had an answer: then every worker gives the export up for a while. */
bool	 sender_give_up(struct sender *, unsigned export, uint64_t now_ms,
	    const struct err *);
/* True if the export is given up; err gets the reason. */
bool	 sender_gave_up(struct sender *, unsigned export, uint64_t now_ms,
	    struct err *);

/* worker.c */
void	 worker_init(struct pool_worker *);
void	 worker_run(struct pool_worker *);
void	 worker_release(struct pool_worker *);
/* NULL if the memory is in use now. */
void	*worker_buffer(struct worker *, uint64_t size);
void	 worker_buffer_free(struct worker *, void *, uint64_t size);
/* Put the result in the batch; takes whatever the result owns. */
void	 worker_result(struct worker *, struct held_lease *,
	    const struct result *);
void	 worker_note(struct transfer *, enum upload_event);
/* Tell the catalog of a part whose ETag is not its MD5. */
void	 worker_note_part(struct transfer *, unsigned index,
	    const uint8_t *md5);

/* transfer.c */
void	 transfer_begin(struct worker *, const struct item *,
	    struct held_lease *);
/* Go on as far as possible. */
void	 transfer_step(struct transfer *);
/* Free whatever the transfer holds, in any phase; no call may be
 * outstanding. */
void	 transfer_free(struct transfer *);
/* An error of the source: try again later, or end the transfer. */
void	 transfer_fault(struct transfer *, const struct err *);
/* An error of S3, after the retries of the S3 client: end the transfer, unless
 * the proof failed and sending again may help. */
void	 transfer_s3_fault(struct transfer *, const struct err *);
/* S3 has answered, perhaps with ERR_GONE for a missing object. False: the
 * answer was an error already handled, or this attempt is over. */
bool	 transfer_answered(struct transfer *, const struct err *);
/* End with this outcome when every call has come back. */
void	 transfer_end(struct transfer *, enum outcome);
/* If the transfer ends well now, then by this event: the reply, to a request
 * that made the object or to a HEAD, names the version of the bucket. */
void	 transfer_holds(struct transfer *, enum event_kind,
	    const struct s3_reply *);
/* The file has changed: begin again with the present file. */
void	 transfer_changed(struct transfer *);
/* The answer to a tree_file_stat: true if the file is unchanged. False: the
 * file has changed, or the stat failed, and the call has handled the case. */
bool	 transfer_is_same(struct transfer *, const struct tree_entry *,
	    const struct err *);
/* Begin again from the first byte, at once. */
void	 transfer_again(struct transfer *, enum transfer_mode);
/* The file's metadata as sent to S3. */
struct s3_meta transfer_meta(const struct transfer *);
/* Send again, later; after too many tries end the transfer with this error. */
void	 transfer_resend(struct transfer *, const struct err *);
/* Does the object's metadata agree with the file's present attributes? */
bool	 transfer_same_meta(const struct transfer *, const struct s3_meta *);
/* HEAD's answer shows an object of this size and with this metadata. */
bool	 transfer_looks_same(const struct transfer *, const struct s3_reply *);
/*
 * Cut the file into these parts. Make everything that depends on the parts
 * (their digests, and the flags of parts at S3) anew here, and only here: a
 * further attempt, or a different answer of S3, may need different parts.
 */
void	 transfer_cut(struct transfer *, const struct part_plan *);
/* The CRC of this many parts, from the one with this index on. */
uint64_t transfer_crc64(const struct transfer *, unsigned first,
	    unsigned count);
bool	 transfer_is_multipart(const struct transfer *);
/* Is the item a step of a file uploaded by several clients? */
bool	 transfer_is_step(const struct transfer *);
/* The first part to send, and the index behind the last part to send. */
unsigned transfer_first_part(const struct transfer *);
unsigned transfer_end_part(const struct transfer *);

/* place.c: the file system in which the crawl saw the file's directory */
/* Do these attributes of the file tell the right file system? False: the
 * directory is being looked up; the transfer then begins again, or fails. */
bool	 place_fits(struct transfer *, const struct attrs *);
/* No entry is at the file's path: the file is gone if the directory above is in
 * the right file system, else the transfer fails. */
void	 place_gone(struct transfer *, const struct err *);

/* segment.c: reading and hashing */
void	 segments_read(struct transfer *);
void	 segment_free(struct segment *);
/* Check an answer to a READ of want bytes: false if the answer ends this
 * attempt. */
bool	 segment_read_ok(struct transfer *, const struct tree_read *,
	    const struct err *, uint32_t want);
/* Hash a slice of each segment already read; false if no segment had bytes to
 * hash. */
bool	 hash_turn(struct worker *);

/* ring.c: parts that are too large for memory */
bool	 ring_needed(const struct transfer *);
void	 ring_start(struct transfer *);
void	 ring_done(struct segment *);
/* The request has asked for every byte of the part. */
bool	 ring_is_sent(const struct segment *);
void	 ring_free(struct segment *);

/* send.c: deciding, one PUT, metadata */
/* Ask S3 for the object, where the answer must be known first. */
void	 send_ask(struct transfer *);
/* S3's answer is known: read, and send. */
void	 send_go_on(struct transfer *);
void	 send_segments(struct transfer *);
/* The part is hashed: must the part be sent to S3? */
bool	 send_is_needed(const struct transfer *, const struct segment *);
/* The bytes of a segment, at the pace of --bwlimit. */
struct s3_body send_body(struct segment *);

/* proof.c: what proves the object */
/* The ETag that S3 gives for the transfer's bytes where ETags are digests. */
void	 proof_expected(const struct transfer *, char etag[72]);
bool	 proof_is_md5(const char *etag, const uint8_t md5[MD5_LEN]);
/* S3 has stored the part; false if the part differs, after handling the
 * fault. */
bool	 proof_part(struct transfer *, const uint8_t md5[MD5_LEN],
	    const struct s3_reply *);
/* S3 has stored the object, as the answer says: find the proof, and end the
 * transfer. */
void	 proof_object(struct transfer *, const struct s3_reply *);

/* adopt.c: PUT --adopt, objects put by foreign tools */
/* Ask S3 for the object, and read the file in the object's parts. */
void	 adopt_ask(struct transfer *);
/* Every part is hashed: true if the found object has these bytes; etag and
 * parts are then the object's. */
bool	 adopt_fits(struct transfer *);
/* The object does not match in parts of a guessed size: true if the file is
 * read again, in parts of a different size that fits the object. */
bool	 adopt_guess(struct transfer *);

/* multipart.c */
/* Find the upload to continue, or create an upload. */
void	 multipart_ask(struct transfer *);
void	 multipart_noted(struct transfer *);
void	 multipart_send(struct segment *);
void	 multipart_send_body(struct segment *, const struct s3_body *);
void	 multipart_complete(struct transfer *);
/* Abort the upload and forget its id. */
void	 multipart_abort(struct transfer *);
/* Make room for the state of the parts at S3. */
void	 multipart_alloc(struct transfer *);
/* Forget the upload (multipart_forget), or only the state of its parts at
 * S3. */
void	 multipart_forget(struct transfer *);
void	 multipart_forget_parts(struct transfer *);

/* split.c: an item that is a step of an upload by several clients */
void	 send_split_begin(struct transfer *);
/* Every part of the step is at S3; the file was the same to the end. */
void	 send_split_done(struct transfer *);
void	 send_split_changed(struct transfer *);
/* The upload is gone. */
void	 send_split_lost(struct transfer *, const struct err *);
void	 send_split_result(struct transfer *, struct result *);

#endif
