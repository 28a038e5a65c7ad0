/*
 * s3_internal.h: declarations shared by the files of the S3 client.
 *
 * A struct s3_request is one call of the caller, from its beginning to its
 * callback, over every attempt. A struct s3_slot is one place on the wire: an
 * easy handle with fixed options, and the bytes sent and received by one
 * attempt. A request is in exactly one place: the queue, the list of requests
 * waiting for their next attempt, the list of refused requests, or a slot.
 */
#ifndef S3_S3_INTERNAL_H
#define S3_S3_INTERNAL_H

/* First: curl.h needs functions banned by base.h. */
#include <curl/curl.h>

#include "base/backoff.h"
#include "crypto/crypto.h"
#include "rest/meta.h"
#include "rest/sign.h"
#include "rest/xml.h"
#include "s3/cluster.h"
#include "s3/fault.h"
#include "rest/map.h"
#include "s3/pace.h"
#include "rest/place.h"
#include "s3/s3.h"

#define S3_KEY_MAX	1024	/* bytes, S3's own limit */
#define S3_HEADERS_MAX	32
#define S3_NO_XML	S3_XML__MAX

struct s3_op {
	const char *name;	/* in errors */
	const char *method;
	enum s3_xml_kind xml;	/* of a good answer, or S3_NO_XML */
	bool	 of_bucket;	/* the request names no object */
	bool	 counted;	/* nothing may be sent again unknown to us */
	bool	 deletes;	/* see s3_config.delete_once */
	bool	 follows;	/* a key missing here may be in another
				   cluster */
	bool	 whole_object;	/* it makes an object: class, encryption */
	bool	 needs_etag;	/* a good answer has an ETag */
	bool	 keeps_etag;	/* ... that is wanted as it is written */
	bool	 once;		/* a failure is an answer too */
};

/* Judge the XML of a good answer for the operation: as s3_answer_judge. The
 * judge may write the body for another attempt anew. */
struct s3_request;
typedef int s3_judge_fn(struct s3_request *, const struct s3_xml *,
	    unsigned *ret_flags, struct err *);

struct s3_request {
	struct s3_request *next;
	const struct s3_op *op;
	s3_done_fn *done;
	s3_data_fn *data;
	s3_judge_fn *judge;	/* or NULL */
	void	*arg;
	size_t	 cluster;	/* target of the request */
	size_t	 place;		/* in the key's order of clusters: 0 is the
				   cluster of the key; see s3_place_nth */
	struct buf key;		/* with several clusters, if op follows */
	struct buf path;	/* encoded, with the leading slash */
	struct buf query;	/* encoded and sorted */
	struct s3_body body;
	struct buf own_body;	/* complete's XML */
	char	 content_md5[25];	/* base64, or "" */
	char	 payload[65];	/* hex, or UNSIGNED-PAYLOAD, or "" */
	bool	 has_meta;
	bool	 copy_self;
	struct buf copy_query;	/* of the source: its version; or empty */
	struct s3_meta meta;
	uint64_t offset;	/* of a GET */
	uint64_t len;		/* 0: to the end */
	/* over the attempts */
	unsigned attempts;
	uint64_t first_failure_ms;
	uint64_t due_ms;
	bool	 skew_adopted;
	uint64_t first_expired_ms; /* its keys had expired; 0: not yet */
	bool	 ask_why;	/* a HEAD that was refused without a reason: the
				   next attempt is a GET, whose answer has the
				   reason */
	bool	 asked_why;
	bool	 region_taken;	/* signed once more, for another region */
	uint64_t got;		/* bytes given to data */
	char	 got_etag[72];	/* ETag of the object the bytes came from or
				   must come from */
	struct err refused;	/* by us: never sent */
};

/* A header of the attempt: offsets into the slot's head. */
struct s3_line {
	size_t	 name;
	size_t	 name_len;
	size_t	 value_len;	/* after ": " */
	bool	 sign;
};

enum s3_mode {
	S3_MODE_NONE = 0,
	S3_MODE_READ,		/* no body goes out */
	S3_MODE_HEAD,
	S3_MODE_MEMORY,
	S3_MODE_STREAM
};

struct s3_slot {
	struct s3_slot *next;	/* next free slot */
	struct s3 *s3;
	struct s3_request *req;	/* NULL: free */
	CURL	*easy;		/* made at first use */
	enum s3_mode mode;	/* current mode of easy */
	const char *method;	/* likewise */
	size_t	 endpoint;	/* of all */
	int64_t	 signed_sec;
	uint64_t keys_number;	/* of the keys that signed */
	struct buf head;	/* URL and header lines */
	struct s3_line lines[S3_HEADERS_MAX];
	size_t	 line_count;
	struct curl_slist nodes[S3_HEADERS_MAX + 2];
	uint64_t sent;		/* of a streamed body */
	bool	 paused;
	bool	 held;		/* the gate closed before the request
				   was sent */
	/* the answer */
	int	 status;
	char	 etag[72];
	bool	 has_etag;
	bool	 etag_opaque;
	struct buf etag_given;
	struct buf version_id;
	bool	 delete_marker;
	uint64_t parts_count;
	char	 region[40];
	bool	 head_whole;	/* the empty line has come */
	bool	 has_date, has_length, chunked, has_modified, has_range;
	int64_t	 date_sec;
	int64_t	 modified_sec;
	uint64_t length;
	uint64_t range_first, range_last, range_total;
	struct s3_meta_seen meta;
	bool	 range_checked;
	struct buf answer;
	struct err local;	/* our reason to break off */
	char	 curl_text[CURL_ERROR_SIZE];
	/* bytes already in the stats, and when the last bytes moved */
	uint64_t sent_counted;
	uint64_t received_counted;
	uint64_t moved_ms;
};

struct s3_list_of_requests {
	struct s3_request *first;
	struct s3_request *last;
	size_t	 count;
};

/* The cluster's endpoints are a range of the struct s3's endpoints. */
struct s3_cluster {
	size_t	 first;
	size_t	 count;
	size_t	 turn;
	char	*bucket;
};

struct s3 {
	CURLM	*multi;
	struct s3_signer signer;
	uint64_t keys_number;	/* of the signer's keys in store.keyring; 0:
				   not from there */
	struct s3_endpoint *endpoints;	/* cluster by cluster */
	size_t	 endpoint_count;
	struct s3_cluster *clusters;
	size_t	 cluster_count;
	struct s3_map *map;	/* or NULL: a single bucket */
	struct buf upload_id;	/* with the cluster, for a reply */
	struct store store;	/* lent */
	bool	 global;	/* curl_global_init was called */
	uint64_t retry_for_ms;
	bool	 delete_once;
	uint64_t connect_timeout_ms;
	uint64_t stall_timeout_ms;
	uint64_t unacked_ms;
	struct rng rng;
	struct s3_window window;
	struct s3_gate *gate;	/* or NULL */
	struct s3_slot *slots;
	struct s3_slot *free_slots;
	size_t	 on_wire;
	struct s3_list_of_requests queue;
	struct s3_list_of_requests waiting;
	uint64_t waiting_due_ms;	/* the earliest due_ms in waiting */
	struct s3_list_of_requests refused;
	struct s3_list_of_requests spare;	/* request structs to reuse */
	size_t	 pending;
	uint64_t finished;	/* callbacks run */
	uint64_t now_ms;	/* read at the start and end of s3_wait */
	uint64_t stall_check_ms;	/* next one */
	int64_t	 skew_sec;	/* added to our clock when signing */
	int64_t	 boot_ms;	/* see s3_boot_ms; by the last Date */
	size_t	 resume;	/* so many paused transfers may go on */
	unsigned resume_turn;	/* the slot whose turn it is */
	bool	 paused_now;	/* the caller has things to do */
	bool	 lists_v1;	/* the server knows ListObjects alone */
	bool	 deletes_single; /* the server refuses DeleteObjects */
	/* loop.c: the sockets and the timer named by curl */
	struct {
		int	 wakeup_fd;
		struct pollfd *fds;	/* curl's sockets */
		unsigned fd_count;
		unsigned fd_cap;
		struct pollfd *all;	/* every descriptor, for poll */
		unsigned all_cap;
		uint64_t timer_ms;	/* curl's; UINT64_MAX: none */
	} loop;
	struct s3_stats stats;
};

/* keys.c: keys that end. */
/* Sign with the keys in force. */
void	 s3_keys_take(struct s3 *);
/* Return true if requests wait for other keys. */
bool	 s3_keys_awaited(const struct s3 *);
/* The attempt has failed, with this code or "": return the flags of a fault
 * that lies with keys that end, or may lie there. */
unsigned s3_keys_failed(const struct s3_slot *, const char *code);
/* An attempt to learn why a HEAD was refused was not refused. */
int	 s3_keys_refused_head_alone(struct s3_slot *, unsigned *ret_flags,
	    struct err *) MUST_USE;
/* The keys of the attempt had expired. Return true if the request may go on
 * with other keys; else err gets the reason. */
bool	 s3_keys_expired(struct s3_slot *, struct err *);

/* The request was signed for another region than the bucket's, which the answer
 * names: sign for that region from now on. False: it does not help. */
bool	 s3_region_take(struct s3_slot *);

/* request.c: one attempt. */
int	 s3_slot_start(struct s3_slot *, struct s3_request *, struct err *)
	    MUST_USE;
void	 s3_slot_release(struct s3_slot *);

/* answer.c: the callbacks of curl, and the meaning of answers. */
size_t	 s3_on_header(char *, size_t, size_t, void *slot);
size_t	 s3_on_write(char *, size_t, size_t, void *slot);
size_t	 s3_on_read(char *, size_t, size_t, void *slot);
int	 s3_on_seek(void *slot, curl_off_t, int origin);
void	 s3_answer_clear(struct s3_slot *);
/* 0, or -1 with err and the fault's flags. */
int	 s3_answer_judge(struct s3_slot *, CURLcode, struct s3_xml *,
	    unsigned *ret_flags, struct err *) MUST_USE;
void	 s3_answer_reply(const struct s3_slot *, const struct s3_xml *,
	    struct s3_reply *);

/* loop.c: curl's sockets and timer. */
int	 s3_loop_init(struct s3 *, struct err *) MUST_USE;
void	 s3_loop_release(struct s3 *);
void	 s3_loop_run_timer(struct s3 *);
/* Wait for events, and let curl act on its sockets. */
void	 s3_loop_poll(struct s3 *, struct pollfd *extra, unsigned extra_count,
	    int timeout_ms);

/* client.c: for s3_free: run every due callback, with ERR_STOPPED. */
void	 s3_stop_all(struct s3 *);
/* Return true if the gate is closed: send nothing, not even the rest of
 * requests under way. */
bool	 s3_held(const struct s3 *);
/* For the operations. */
struct s3_request *s3_request_new(struct s3 *, const struct s3_op *,
	    struct str key, s3_done_fn *, void *arg);
/* Send the request again, to a different cluster, before queued requests. */
void	 s3_request_resubmit(struct s3 *, struct s3_request *);
void	 s3_request_submit(struct s3 *, struct s3_request *);
/* Never sent: the callback gets this error. */
void	 s3_request_refuse(struct s3 *, struct s3_request *, enum err_kind,
	    const char *why);

/* ops.c: operations on a single cluster. */
void	 s3_delete_in(struct s3 *, size_t cluster, struct str key,
	    s3_done_fn *, void *arg);
void	 s3_bucket_in(struct s3 *, size_t cluster, s3_done_fn *, void *arg);
void	 s3_mpu_list_in(struct s3 *, size_t cluster, struct str prefix,
	    struct str key_marker, struct str id_marker, s3_done_fn *,
	    void *arg);

/* cluster.c: the work for more than one cluster of a map. */
/* Choose the first cluster to ask for key, the request's key. */
void	 s3_cluster_set(struct s3 *, struct s3_request *, struct str key);
/* The key is missing there: return true if the request goes to another
 * cluster. */
bool	 s3_cluster_follow(struct s3_slot *, const struct err *);
/* The request got a good answer: count and log a key found astray. */
void	 s3_cluster_found(struct s3 *, const struct s3_request *);
/* An upload belongs to a cluster, named by the upload's id: the caller sees
 * "CLUSTER.ID". */
void	 s3_cluster_tag(struct s3 *, size_t cluster, struct str *upload_id);
struct str s3_cluster_untag(struct s3 *, struct s3_request *,
	    struct str upload_id);
/* Return true if a deletion may ask only the key's own cluster. */
bool	 s3_cluster_tidy(const struct s3 *);

#endif
