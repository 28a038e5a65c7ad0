/*
 * client.h: a client process, and a master that does as it is told.
 * The program is both: with the argument "client" it is the client.
 */
#ifndef KIT_CLIENT_H
#define KIT_CLIENT_H

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/version.h"
#include "client/client.h"
#include "launch/launch.h"
#include "wire/wire.h"

#include "kit/sender.h"

#define LIMIT_MS	60000
#define CLIENT_PART	((size_t)(5 * MIB))
#define CLIENT		7	/* the number that it is given */
/* S3's clock is slow, and its answers don't tell it. */
#define S3_CLOCK_S	1369353600
#define S3_CLOCK_GRAIN_S 2	/* that an upload may seem older */

struct kit {
	struct fixture *x;	/* files and S3 */
	uint8_t	 key[TLS_KEY_LEN];
	struct wire_listener *listener[2];
	struct wire_peer *peer[2];
	pid_t	 pid;
	int	 input;		/* its standard input; -1: closed */
	int	 errors;	/* its standard error */
	uint64_t setup_ms;	/* clock_boot_ms, when SETUP was sent */
	/* what the master says */
	uint64_t silence_ms;
	bool	 mute;		/* nothing after HELLO */
	bool	 beats;
	const char *refuse;
	const char *settings;	/* lines of [fs_config], or NULL */
	enum op	 op;
	char	*dest;
	/* what the client said */
	unsigned hellos;
	uint32_t hello_client[2];
	uint64_t hello_pid[2];
	unsigned ready, wants, notes, heartbeats, byes;
	struct wire_want want;
	struct wire_heartbeat heartbeat;
	struct err bye;
	unsigned results;
	enum outcome outcome[ITEMS];	/* by object */
	int64_t	 result_lease;
	unsigned fetched, deleted;
	struct wire_fetch last_fetched;
	struct delete_row last_deleted;
	unsigned lost;		/* connections that the client closed */
};

int be_client(int argc, char **argv);
void spawn(struct kit *k, const char *join, const char *key_file);
struct kit *kit_new(void);
void send_invitation(struct kit *k);
void pump_master(struct kit *k);

#define UNTIL(k, condition) do { \
	uint64_t until_ = clock_mono_ms() + LIMIT_MS; \
	while (!(condition)) { \
		pump_master(k); \
		if (clock_mono_ms() > until_) \
			fail_msg("not in time: %s", #condition); \
	} \
} while (0)

/* Its exit status; what it wrote last to standard error in text. */
int end_of(struct kit *k, char *text, size_t size);

void expect_end(struct kit *k, int want, const char *said);
void kit_free(struct kit *k);

/* An invited client that has its SETUP. */
struct kit *working(enum op op);

void send_lease(struct kit *k, int64_t id, unsigned first, unsigned count);
void send_stop(struct kit *k, uint64_t limit_ms);
void hold_puts(struct kit *k, bool held);
bool puts_wait(struct kit *k);

#endif
