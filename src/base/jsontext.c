#include "base/jsontext.h"

int
buf_add_json(struct buf *b, struct str s)
{
	buf_addch(b, '"');
	while (s.len > 0) {
		size_t n = utf8_len(s.p, s.len);
		unsigned char c = (unsigned char)s.p[0];

		if (n == 0) {
			buf_addstr(b, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			buf_addch(b, '\\');
			buf_addch(b, (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_addf(b, "\\u%04x", c);
		} else if (n == 2 && c == 0xc2 && (s.p[1] & 0x60) == 0) {
			/* U+0080 to U+009F: terminals act on them. */
			buf_addf(b, "\\u00%02x", (unsigned char)s.p[1]);
		} else {
			buf_add(b, s.p, n);
		}
		s.p += n;
		s.len -= n;
	}
	return buf_addch(b, '"');
}
