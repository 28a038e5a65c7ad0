/*
 * sender.h: a sender over a directory of its own and a fake S3:
 * files, leases, results.
 */
#ifndef KIT_SENDER_H
#define KIT_SENDER_H

#include <fcntl.h>
#include <sys/stat.h>
#include <utime.h>

#include "send/sender.h"
#include "kit/fake_s3.h"

#define PART	(64 * KIB)
#define ITEMS	64

struct fixture {
	struct fake_s3 f;
	char	 dir[64];
	char	*endpoint;
	struct tree_spec spec;
	struct sender_config c;
	struct sender *sender;
	struct result got[ITEMS];	/* by object; object 0: none yet */
	size_t	 count;
	unsigned notes[4];	/* by event */
	size_t	 ended_at;	/* results before the last UPLOAD_ENDED */
};

char *path_of(const struct fixture *x, unsigned i);

/* size bytes that depend on seed; a new mtime each time. */
void write_file(const struct fixture *x, unsigned i, size_t size,
    unsigned seed);

struct attrs attrs_of(const struct fixture *x, unsigned i);

/* S3 has the file as it is now, whole. */
void assert_stored(struct fixture *x, unsigned i);

/* On the heap: threads may outlive a test that fails. */
struct fixture *sender_setup(void);

void sender_begin(struct fixture *x);
struct lease *new_lease(const struct fixture *x, unsigned count);
void take_mail(struct fixture *x, int timeout_ms);
void sender_finish(struct fixture *x, size_t count);
void end_sender(struct fixture *x);
void sender_teardown(struct fixture *x);

/* One lease of the files 0 to count - 1, to its end. */
void move(struct fixture *x, struct lease *l);

/* Forget the results. */
void forget(struct fixture *x);

/* Items that the target holds in an earlier version. */
struct lease *held_lease(struct fixture *x, unsigned count);

void touch(struct fixture *x, unsigned i);

#endif
