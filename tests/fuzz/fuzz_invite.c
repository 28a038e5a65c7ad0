/* Any bytes as an invitation: what is taken is written and read again. */
#include "launch/launch.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = { (const char *)data, len };
	struct err err = ERR_INIT;
	struct invite v, again;
	struct buf b, c;

	if (invite_read(&v, text, &err) == -1) {
		if (err.kind != ERR_CONFIG)
			abort();
		return 0;
	}
	buf_init(&b, 8 * len + 1024);
	buf_init(&c, 8 * len + 1024);
	invite_write(&b, &v);
	if (invite_read(&again, buf_str(&b), &err) == -1)
		abort();
	invite_write(&c, &again);
	if (!str_eq(buf_str(&b), buf_str(&c)))
		abort();
	buf_release(&b);
	buf_release(&c);
	invite_release(&v);
	invite_release(&again);
	return 0;
}
