/*
 * fake_s3.h: an S3 for the tests of the sender: it keeps objects and uploads
 * in memory and does what it is told to. A thread for each connection.
 */
#ifndef KIT_FAKE_S3_H
#define KIT_FAKE_S3_H

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "crypto/crypto.h"

#define FAKE_MAX	128	/* objects, connections */
#define FAKE_PARTS	16

struct fake_object {
	char	*key;
	struct buf data;
	struct buf meta;	/* header lines x-amz-meta- */
	char	 etag[72];
};

struct fake_upload {
	char	*key;		/* NULL: there is none */
	struct buf meta;
	struct buf parts[FAKE_PARTS];
};

struct fake_s3 {
	int	 fd;
	char	 url[64];
	pthread_t thread;
	pthread_t conn[FAKE_MAX];
	int	 conn_fd[FAKE_MAX];
	size_t	 conn_count;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct {
		struct fake_object objects[FAKE_MAX];
		size_t	 count;
		struct fake_upload upload;	/* one at a time */
		unsigned puts, parts, heads, copies, creates, aborts;
		unsigned gets, part_lists, lists, deletes;
		unsigned in_flight;	/* PUTs of objects and parts */
		unsigned in_flight_max;
		/* What it is told: */
		bool	 held;		/* PUTs wait until it is false */
		unsigned wrong_etags;	/* of the next PUTs */
		unsigned spoiled_etags;	/* in the answers to the next PUTs */
		bool	 opaque_etags;	/* no digests, as under SSE-KMS */
		bool	 ignores_md5;	/* Content-MD5 is not compared */
		unsigned damaged;	/* of the next PUTs, on their way */
		unsigned fail_parts;	/* 500, of the next ones */
		unsigned without_md5;	/* PUTs without Content-MD5 so far */
		bool	 swallow;	/* the answer of the next create */
		size_t	 page_keys;	/* of a page of a listing; 0: 1,000 */
		bool	 denies;	/* listings and deletions: 403 */
		bool	 denies_heads;
		const char *head_lines;	/* more of HEAD's answers; or NULL */
		char	*orphan;	/* key of the upload that it made */
		char	 completed[4096]; /* body of the last Complete */
		void	 (*on_put)(void *arg, unsigned count);
		void	 (*on_get)(void *arg, unsigned count);
		void	 (*on_head)(void *arg, unsigned count);
		void	*arg;
	} locked;
};

struct fake_object *fake_find_locked(struct fake_s3 *f, const char *key);
struct fake_object *fake_store_locked(struct fake_s3 *f, const char *key);
void fake_remove_locked(struct fake_s3 *f, const char *key);
void fake_drop_locked(struct fake_upload *u);
void fake_start(struct fake_s3 *f);

/* Whoever asks must have ended. */
void fake_stop(struct fake_s3 *f);

#endif
