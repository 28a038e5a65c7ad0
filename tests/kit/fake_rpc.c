#include "kit/fake_rpc.h"

uint32_t
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

uint64_t
in64(struct fake_in *in)
{
	uint64_t high = in32(in);

	return high << 32 | in32(in);
}

struct str
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

void
out32(struct buf *b, uint32_t v)
{
	v = htonl(v);
	buf_add(b, &v, 4);
}

void
out64(struct buf *b, uint64_t v)
{
	out32(b, (uint32_t)(v >> 32));
	out32(b, (uint32_t)v);
}

void
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

bool
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
	call.vers = in32(&in);
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
