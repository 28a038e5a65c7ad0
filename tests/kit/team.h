/*
 * team.h: a team, and clients that are played by the test, over real
 * connections.
 */
#ifndef KIT_TEAM_H
#define KIT_TEAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/version.h"
#include "team/team_internal.h"

#define LIMIT_MS	20000	/* a test that waits so long has failed */
#define LOST_S		8	/* who is not heard for so long is lost */
#define GOT_MAX		256
/* S3's clock is slow. */
#define S3_CLOCK_MS	INT64_C(1369353600000)

/* The team, and who plays its run. */
struct fixture {
	struct conf conf;
	char	 key_file[64];
	uint8_t	 key[TLS_KEY_LEN];
	struct mailbox *up;
	struct crew *crew;
	struct mail *mail;	/* taken from up, not yet looked at */
	int64_t	 leases;
	uint64_t started_ms;	/* clock_boot_ms */
};

char *text(const char *s);
void team_start(struct fixture *x, enum op op);
struct fixture *team_setup(void);
void team_finish(struct fixture *x);

/* The next mail of the team; the test fails if none comes. */
void *mail_of(struct fixture *x, int type);

bool has_mail(struct fixture *x);
void give(struct fixture *x, size_t count, int64_t first, uint64_t size);

/* A client that the test plays. */
struct fake {
	struct fixture *x;
	uint64_t pid;
	unsigned number;
	const char *host;	/* NULL: "fakehost" */
	struct wire_peer *index;
	struct wire_peer *status;
	bool	 closed;	/* by the master */
	uint64_t heard_ms;	/* as its last BEAT said */
	int64_t	 s3_clock_ms;	/* as its SETUP said */
	struct wire_msg got[GOT_MAX];
	size_t	 count;
};

void fake_hang_up(struct fake *f);
void pump_fake(struct fake *f, int ms);

/* The next message of the type, others before it are thrown away if the
 * master sends them by itself; the test fails if it does not come. */
struct wire_msg wait_for(struct fake *f, enum wire_type type);

void drop(struct fake *f, enum wire_type type);
bool has(const struct fake *f, enum wire_type type);

/* Everything sent until now has reached the master and its answers us: it
 * takes what comes in order. */
void send_msg(struct fake *f, struct wire_peer *p, struct wire_msg *m);

struct wire_peer *dial_team(struct fixture *x, unsigned channel);
void send_hello(struct fake *f, struct wire_peer *p, unsigned channel,
    uint32_t protocol, const char *version);
void want(struct fake *f, uint32_t items);

/* Both connections; the SETUP. */
struct wire_msg call(struct fake *f);

void join_ready(struct fake *f);
struct fake *client(struct fixture *x, uint64_t pid);

/* It says that it must go, and that nothing of it is under way. */
void leave(struct fake *f);

void client_free(struct fake *f);
void result(struct fake *f, int64_t lease, int64_t id);

/* The file is another version than the one that was asked for. */
void newer_result(struct fake *f, int64_t lease, int64_t id);

void failure(struct fake *f, int64_t lease, int64_t id, enum err_kind kind);
void note(struct fake *f, enum upload_event event, int64_t lease, int64_t id,
    const char *upload);
void heartbeat(struct fake *f, uint64_t bytes_read);
void wait_clients(struct fixture *x, unsigned number, const char *state);

/* The master has taken results of all but so many items of this client. */
void wait_items(struct fixture *x, unsigned number, size_t items);

/* A client that is killed: its connections break off, with nothing said. Its
 * program is known to have ended, so that its work goes to others at once. */
void killed(struct fake *f);

/* It is started again. */
void again(struct fake *f, uint64_t pid);

#endif
