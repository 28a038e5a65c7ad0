/*
 * s3.h: an S3 client for one thread: own SigV4 signing, requests over a libcurl
 * multi handle, retries, and a number of requests in flight adapted to the
 * server (additive increase; halved on 503 SlowDown and time-outs).
 *
 * Life cycle: s3_new, begin requests, loop over s3_wait, s3_free. Every request
 * gets its callback exactly once, from s3_wait (or from s3_free with
 * ERR_STOPPED), never from inside the call beginning the request. Callbacks may
 * begin requests. Requests beyond the limit in flight wait in a queue.
 *
 * Thread: one; only s3_wakeup may be called from another thread.
 *
 * The client retries 5xx, SlowDown, RequestTimeout, time-outs and broken
 * connections, with full jitter, on the next endpoint, until retry_for_ms is
 * over (ERR_RETRY then). RequestTimeTooSkewed adopts the server's Date once.
 * Requests signed for a wrong region are signed for the region that the answer
 * names.
 * A request whose keys have expired waits for other keys (model/keyring.h).
 * 403 is ERR_DENIED, a missing key ERR_GONE, a missing bucket ERR_UNREACHABLE,
 * an unknown upload ERR_GONE. The caller must compare ETags.
 *
 * With a cluster map (rest/map.h) each key's requests go to the key's cluster.
 * HEAD, GET and s3_copy_self of a missing object look for the object in the
 * remaining clusters. A deletion goes to every cluster, unless the map says the
 * keys were listed before and every key was in the right cluster. An upload
 * stays in its cluster; the upload's id names the cluster. s3_bucket asks for
 * the buckets of every cluster, s3_mpu_list lists the uploads of every cluster,
 * s3_lister the keys of every cluster. s3_list lists the first cluster only.
 */
#ifndef S3_S3_H
#define S3_S3_H

#include <poll.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/attrs.h"
#include "model/store.h"
#include "rest/types.h"
#include "s3/gate.h"
#include "verify/held.h"

struct s3;
struct s3_map;

struct s3_config {
	struct s3_map *map;		/* or NULL; lent until s3_free. A map
					   replaces endpoints and bucket of the
					   store */
	struct store store;		/* its texts are lent until s3_free */
	uint64_t retry_for_ms;		/* 0: 300 s */
	bool	 delete_once;		/* a deletion whose answer is lost is
					   not sent again, but ERR_RETRY at
					   once: the caller looks first */
	uint64_t connect_timeout_ms;	/* 0: 10 s */
	uint64_t stall_timeout_ms;	/* no byte moves for so long; 0: 60 s */
	uint64_t unacked_ms;		/* see sock.h; 0: stall_timeout_ms */
	int64_t	 boot_ms;		/* see s3_boot_ms */
	uint64_t seed;			/* of the jitter */
	struct s3_gate *gate;		/* shared with further clients; or NULL.
					   The gate must outlive the client */
};

int	 s3_new(struct s3 **, const struct s3_config *, struct err *) MUST_USE;
void	 s3_free(struct s3 **);

/*
 * Run one turn: do the work at hand, wait until a connection, one of the extra
 * descriptors (the call fills revents), a retry's time or s3_wakeup is ready or
 * timeout_ms is over; run callbacks.
 */
void	 s3_wait(struct s3 *, struct pollfd *extra, unsigned extra_count,
	    int timeout_ms);
void	 s3_wakeup(struct s3 *);
/* Give up the requests on the wire and reset their connections; their callbacks
 * come with s3_free. Only s3_free and s3_stats may follow. */
void	 s3_cut(struct s3 *);
/* Requests begun and not yet called back; and of those on the wire. */
size_t	 s3_pending(const struct s3 *);
/* Seconds since 1970 by the server's clock as last seen (Date header); by our
 * wall clock as long as neither an answer nor the config told it. */
int64_t	 s3_server_time(const struct s3 *);
/* The server's clock at the time this machine booted, in milliseconds since
 * 1970: add clock_boot_ms for the server's time now. 0: not known. */
int64_t	 s3_boot_ms(const struct s3 *);

struct s3_stats {
	uint64_t requests;	/* attempts sent */
	uint64_t retries;
	uint64_t slowdowns;
	uint64_t bytes_sent;	/* bodies; about a second late on the way */
	uint64_t bytes_received;
	unsigned window;	/* requests allowed in flight now */
};
void	 s3_stats(const struct s3 *, struct s3_stats *);

/* Lent for the time of the callback. */
struct s3_reply {
	int	 status;		/* HTTP */
	unsigned attempts;		/* 1: the first attempt succeeded */
	char	 etag[72];		/* in the form of s3_etag; "" if none
					   came */
	struct str etag_given;		/* of a part: as the server wrote it */
	bool	 etag_opaque;		/* the answer names an encryption of
					   the object whose ETags are no
					   digests */
	struct str version_id;		/* or empty */
	bool	 delete_marker;		/* DELETE left a marker, or HEAD met a
					   marker */
	uint64_t size;			/* HEAD: Content-Length; GET: bytes
					   given to data */
	uint64_t object_size;		/* HEAD, GET: of the whole object */
	unsigned parts_count;		/* HEAD of a part: the number of parts;
					   0: the server doesn't say */
	int64_t	 modified_sec;		/* HEAD */
	bool	 has_meta;		/* HEAD, GET: every metadata field of
					   datamover was present; of foreign
					   objects, these: */
	bool	 has_mtime, has_mode, has_owner;
	struct s3_meta meta;		/* missing fields: NONE; mode 0 */
	struct str upload_id;		/* create */
	/* one page of ListObjectsV2, ListParts, ListMultipartUploads */
	const struct s3_listed *listed;
	size_t	 listed_count;
	const struct str *prefixes;	/* common prefixes, with delimiter */
	size_t	 prefix_count;
	const struct s3_part *parts;
	size_t	 part_count;
	const struct s3_upload *uploads;
	size_t	 upload_count;
	const struct s3_version *versions;	/* of ListObjectVersions */
	size_t	 version_count;
	bool	 truncated;
	struct str next;		/* token or marker of the next page */
};
/* err is NULL on success; the reply is never NULL (status may be 0). */
typedef void s3_done_fn(void *arg, const struct s3_reply *,
	    const struct err *);

/*
 * Bytes to send; the bytes must stay unchanged until the callback. With read
 * set, the client asks for the body piece by piece, in order; a retry asks from
 * offset 0 again. read returns the number of bytes put into out, 0 for "none
 * yet" (s3_resume must follow when bytes are ready), -1 to give up. data may be
 * NULL then; signed payloads need data.
 */
struct s3_body {
	const void *data;
	uint64_t len;
	const uint8_t *md5;		/* 16 bytes for Content-MD5, or NULL;
					   copied */
	ptrdiff_t (*read)(void *arg, uint64_t offset, void *out, size_t max);
	void	*read_arg;
};
/* Ask the bodies again after "none yet", and go on with receiving after
 * S3_DATA_FULL: at most so many transfers of both kinds, in turn (SIZE_MAX: no
 * limit). */
void	 s3_resume(struct s3 *, size_t most);

void	 s3_put(struct s3 *, struct str key, const struct s3_body *,
	    const struct s3_meta *, s3_done_fn *, void *arg);
/* Ask whether the server compares bodies with Content-MD5: PUT a body with a
 * wrong digest, once. Success: the server does not, and has stored the body. */
void	 s3_put_wrong(struct s3 *, struct str key, s3_done_fn *, void *arg);
void	 s3_head(struct s3 *, struct str key, s3_done_fn *, void *arg);
/* The answer to s3_head, for the rule of verify/held.h. */
void	 s3_head_answer(const struct s3_reply *, const struct err *,
	    struct held_answer *);
/*
 * HEAD of the version with this id ("": the newest), or of one part (from 1) of
 * an object put in parts: size is the part's then, object_size and etag the
 * object's. A server without support for partNumber answers for the whole
 * object, with parts_count 0, or refuses (s3_knows_no_parts). part 0: the whole
 * object.
 */
bool	 s3_knows_no_parts(const struct err *);
void	 s3_head_of(struct s3 *, struct str key, struct str version,
	    unsigned part, s3_done_fn *, void *arg);
/* CopyObject onto itself with new metadata (MetadataDirective REPLACE). */
void	 s3_copy_self(struct s3 *, struct str key, const struct s3_meta *,
	    s3_done_fn *, void *arg);
/* CopyObject of an earlier version onto the key, metadata included. */
void	 s3_copy_version(struct s3 *, struct str key, struct str version,
	    s3_done_fn *, void *arg);
void	 s3_delete(struct s3 *, struct str key, s3_done_fn *, void *arg);
/* ListObjectVersions: the versions of a key, the newest first, 1,000 at most,
 * and perhaps those of longer keys after them; no cluster map. */
void	 s3_versions(struct s3 *, struct str key, s3_done_fn *, void *arg);
/* Delete a version, or take a delete marker off; no cluster map. */
void	 s3_delete_version(struct s3 *, struct str key, struct str version,
	    s3_done_fn *, void *arg);
/*
 * DeleteObjects: many keys in one request (1,000, fewer if they are very
 * long; more keys than that make several requests). The callback comes once,
 * with a result for each key, in the order asked. A request that fails as a
 * whole fails all its keys; keys that the server asks to try again are asked
 * for again; a key that the answer doesn't mention has failed. From a server
 * that refuses DeleteObjects, the keys are deleted one by one. As with
 * s3_delete, it is no error that a key isn't there. The keys are copied.
 */
struct s3_deleted {
	struct str key;
	const struct err *err;	/* NULL: the key is gone */
	struct str version_id;	/* of the new delete marker; without a marker,
				   of the deleted version; or empty */
	bool	 delete_marker;
};
typedef void s3_deleted_fn(void *arg, const struct s3_deleted *,
	    size_t count);
void	 s3_delete_many(struct s3 *, const struct str *keys, size_t count,
	    s3_deleted_fn *, void *arg);
/* HEAD of the bucket: check the bucket's existence and our permission. */
void	 s3_bucket(struct s3 *, s3_done_fn *, void *arg);

/*
 * Receives body bytes in order. The client treats the bytes as taken, unless
 * the callback ends the transfer (STOP: ERR_STOPPED). FULL: no more bytes until
 * s3_resume, but for bytes already received, up to S3_DATA_SLACK.
 */
enum s3_data { S3_DATA_STOP = 0, S3_DATA_TAKEN, S3_DATA_FULL };
#define S3_DATA_SLACK ((size_t)(128 * KIB))
typedef enum s3_data s3_data_fn(void *arg, const void *, size_t);
/* GET of bytes [offset, offset + len) (len 0: to the end). */
void	 s3_get(struct s3 *, struct str key, uint64_t offset, uint64_t len,
	    s3_data_fn *, s3_done_fn *, void *arg);
/* As s3_get, of the version with this id ("": the newest) and with this ETag
 * (in the form of s3_etag; "": any); for a different ETag fail with ERR_GONE
 * before the first byte. */
void	 s3_get_match(struct s3 *, struct str key, struct str version,
	    const char *etag, uint64_t offset, uint64_t len, s3_data_fn *,
	    s3_done_fn *, void *arg);

void	 s3_mpu_create(struct s3 *, struct str key, const struct s3_meta *,
	    s3_done_fn *, void *arg);
void	 s3_mpu_part(struct s3 *, struct str key, struct str upload_id,
	    unsigned number, const struct s3_body *, s3_done_fn *, void *arg);
/* md5s: 16 bytes for each part, parts 1 to count; given: for each the ETag as
 * the server wrote it, where that is not the MD5 (else NULL; or given NULL). A
 * 200 with an error inside is an error. */
void	 s3_mpu_complete(struct s3 *, struct str key, struct str upload_id,
	    const uint8_t *md5s, char *const *given, unsigned count,
	    s3_done_fn *, void *arg);
void	 s3_mpu_abort(struct s3 *, struct str key, struct str upload_id,
	    s3_done_fn *, void *arg);
/* Parts after number marker (0: from the first), up to 1,000. */
void	 s3_mpu_parts(struct s3 *, struct str key, struct str upload_id,
	    unsigned marker, s3_done_fn *, void *arg);
/* List the uploads of keys with this prefix, page by page. The callback gets
 * one upload at a time, valid during the call. */
typedef void s3_upload_fn(void *arg, const struct s3_upload *);
void	 s3_mpu_list(struct s3 *, struct str prefix, s3_upload_fn *,
	    s3_done_fn *, void *arg);
/* ListObjectsV2, one page of up to 1,000. delimiter: 0 or '/'. token:
 * next of the page before, or empty; start_after: list keys after this
 * key, or empty. */
void	 s3_list(struct s3 *, struct str prefix, struct str start_after,
	    struct str token, char delimiter, s3_done_fn *, void *arg);

#endif
