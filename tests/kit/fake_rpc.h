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
	uint32_t proc;
	struct str cred;	/* of AUTH_SYS */
};

struct fake_in {
	const uint8_t *p;
	size_t	 left;
};

static uint32_t
in32(struct fake_in *in)
{
	uint32_t v;

	if (in->left < 4)
		return 0;
	memcpy(&v, in->p, 4);
	in->p += 4;
	in->left -= 4;
	return ntohl(v);
}

static uint64_t
in64(struct fake_in *in)
{
	uint64_t high = in32(in);

	return high << 32 | in32(in);
}

static struct str
in_opaque(struct fake_in *in)
{
	struct str s = { .len = in32(in) };
	size_t padded = (s.len + 3) & ~(size_t)3;

	s.p = (const char *)in->p;
	if (padded > in->left)
		abort();
	in->p += padded;
	in->left -= padded;
	return s;
}

static void
out32(struct buf *b, uint32_t v)
{
	v = htonl(v);
	buf_add(b, &v, 4);
}

static void
out64(struct buf *b, uint64_t v)
{
	out32(b, (uint32_t)(v >> 32));
	out32(b, (uint32_t)v);
}

static void
out_opaque(struct buf *b, const void *p, size_t len)
{
	out32(b, (uint32_t)len);
	buf_add(b, p, len);
	while (b->len % 4 != 0)
		buf_addch(b, '\0');
}

static bool
fake_read_all(int fd, void *p, size_t len)
{
	return recv(fd, p, len, MSG_WAITALL) == (ssize_t)len;
}

/* Does what is asked; what it adds to out is the answer. */
typedef enum fake_how fake_call_fn(void *arg, const struct fake_call *,
	    struct fake_in *, struct buf *out);

/* One call of a connection; false: close it. */
static bool
fake_rpc(int fd, fake_call_fn *fn, void *arg)
{
	static char record[65536];
	struct buf out;
	struct fake_in in = { .p = (const uint8_t *)record };
	struct fake_call call;
	uint32_t mark, xid, how;

	if (!fake_read_all(fd, &mark, 4))
		return false;
	in.left = ntohl(mark) & 0x7fffffff;
	if (in.left > sizeof(record) || !fake_read_all(fd, record, in.left))
		return false;
	buf_init(&out, 4 * MIB);
	out32(&out, 0);
	xid = in32(&in);
	in32(&in);
	in32(&in);
	call.prog = in32(&in);
	in32(&in);
	call.proc = in32(&in);
	in32(&in);
	call.cred = in_opaque(&in);
	in32(&in);
	in_opaque(&in);
	out32(&out, xid);
	for (int i = 0; i < 4; i++)	/* reply, accepted, no verifier */
		out32(&out, i == 0);
	out32(&out, 0);
	how = fn(arg, &call, &in, &out);
	if (how > 100) {
		out.len = 24;
		out32(&out, how - 100);
	}
	if (how != FAKE_DROP && how != FAKE_CLOSE) {
		mark = htonl((uint32_t)(out.len - 4) | 0x80000000);
		memcpy(out.data, &mark, 4);
		send(fd, out.data, out.len, MSG_NOSIGNAL);
	}
	buf_release(&out);
	return how != FAKE_CLOSE;
}

#endif
