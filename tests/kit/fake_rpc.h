/*
 * fake_rpc.h: ONC RPC (RFC 5531) and XDR for servers that tests play: one
 * call of a connection is read, handed on and answered.
 */
#ifndef KIT_FAKE_RPC_H
#define KIT_FAKE_RPC_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

enum fake_how {
	FAKE_REPLY = 0,
	FAKE_DROP,		/* no answer */
	FAKE_CLOSE,		/* break the connection */
	FAKE_PROG_UNAVAIL = 101,
	FAKE_PROC_UNAVAIL = 103
};

struct fake_call {
	uint32_t prog;
	uint32_t vers;
	uint32_t proc;
	struct str cred;	/* of AUTH_SYS */
};

struct fake_in {
	const uint8_t *p;
	size_t	 left;
};

uint32_t in32(struct fake_in *in);
uint64_t in64(struct fake_in *in);
struct str in_opaque(struct fake_in *in);
void out32(struct buf *b, uint32_t v);
void out64(struct buf *b, uint64_t v);
void out_opaque(struct buf *b, const void *p, size_t len);

/* Does what is asked; what it adds to out is the answer. */
typedef enum fake_how fake_call_fn(void *arg, const struct fake_call *,
	    struct fake_in *, struct buf *out);

/* One call of a connection; false: close it. */
bool fake_rpc(int fd, fake_call_fn *fn, void *arg);

#endif
