/* A byte that is the type of a message, then any bytes as its content. */
#include "wire/wire.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err = ERR_INIT;
	struct wire_msg m;
	struct buf out;

	if (len == 0)
		return 0;
	if (wire_decode(&m, data[0],
	    (struct str){ (const char *)data + 1, len - 1 }, &err) == -1) {
		if (err.kind != ERR_PEER || err.msg[0] == '\0')
			abort();
		return 0;
	}
	/* What is taken means the same bytes again. */
	buf_init(&out, (size_t)1 << 30);
	wire_encode(&out, &m);
	if (out.len != wire_size(&m))
		abort();
	if ((m.type != WIRE_HELLO ||
	    m.u.hello.protocol == WIRE_PROTOCOL) &&
	    (out.len != len + 4 || memcmp(out.data + 4, data, len) != 0))
		abort();
	buf_release(&out);
	wire_msg_release(&m);
	return 0;
}
