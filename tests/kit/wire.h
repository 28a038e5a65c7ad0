/*
 * What the tests of connections share: a listener on loopback and the peers
 * that it has got, others who dial it, and one turn of all of them. One
 * thread; each wait ends with what it waits for, and has a limit only so that
 * a fault ends the test.
 */
#ifndef KIT_WIRE_H
#define KIT_WIRE_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "wire/peer.h"

#define PATIENCE_MS 30000
#define PEERS	16

extern const uint8_t key[TLS_KEY_LEN];
extern const uint8_t wrong_key[TLS_KEY_LEN];

/* What one side of a connection got. */
struct side {
	struct wire_peer *peer;
	struct err err;		/* the end of it */
	bool	 ended;
	unsigned got[WIRE__MAX];
	struct wire_msg last;	/* released with the side */
	bool	 stop;		/* fn returns false */
};

struct world {
	struct wire_listener *l;
	uint64_t skip_ms;	/* added to the clock */
	bool	 answer;	/* WELCOME to who says HELLO */
	size_t	 count;		/* of those who said HELLO */
	struct side in[PEERS];	/* the listener's */
	struct wire_hello hello; /* the last; without its texts */
	char	 version[32];
};

struct wire_msg hello(void);
bool on_message(void *arg, struct wire_msg *m);
int setup_world(void **state);
void drop_side(struct side *s);
int teardown_world(void **state);
void service(struct side *s);

/* Wait for something to do, up to 20 ms, and do it: only where poll says that
 * there is something. */
void turn(struct world *w, struct side *out, size_t count);

#define UNTIL(w, out, count, what) do { \
	uint64_t end_ = clock_mono_ms() + PATIENCE_MS; \
	while (!(what)) { \
		turn(w, out, count); \
		if (clock_mono_ms() > end_) \
			fail_msg("waited too long for %s", #what); \
	} \
} while (0)

void dial(struct world *w, struct side *s, const uint8_t *with);

/* Connected, with HELLO and WELCOME. */
void join(struct world *w, struct side *s);

/* A connection of somebody else. */
int raw_connect(struct world *w);

/* The other side has ended it; what it sent before doesn't matter. */
bool raw_ended(int fd);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_world, teardown_world)

#endif
