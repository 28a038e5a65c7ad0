#include <assert.h>

#include "wire/codec.h"

/* Return the index of the field after the DONE that ends this WHEN. */
static size_t
after_when(const struct wire_record *r, size_t i)
{
	while (r->fields[i].kind != KIND_DONE)
		i++;
	return i;
}

/* --- encode --- */

/* Encodes to a buffer, or only counts bytes. */
struct writer {
	struct buf *buf;	/* NULL: count */
	size_t	 len;
};

static void
put(struct writer *w, const void *p, size_t len)
{
	w->len += len;
	if (w->buf != NULL)
		(void)buf_add(w->buf, p, len);
}

static void
put_number(struct writer *w, uint64_t n, size_t bytes)
{
	uint8_t out[8];

	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
	put(w, out, bytes);
}

static void
put_text(struct writer *w, const char *text, size_t len)
{
	put_number(w, len, 4);
	put(w, text, len);
}

static void
put_string(struct writer *w, const char *text)
{
	put_text(w, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static void	put_record(struct writer *, const struct wire_record *,
		    const char *);

static void
put_many(struct writer *w, const struct wire_field *f, const char *base)
{
	const char *p = wire_get_pointer(base + f->at);
	size_t n = wire_get_number(base + f->count_at, f->count_size);

	switch (f->kind) {
	case KIND_MD5S:
		put_number(w, n, 4);
		put_number(w, p != NULL, 1);
		if (p != NULL)
			put(w, p, n * 16);
		break;
	default:
		if (p == NULL)
			n = 0;
		put_number(w, n, 4);
		for (size_t i = 0; i < n; i++)
			put_record(w, f->record, p + i * f->size);
	}
}

static void
put_field(struct writer *w, const struct wire_field *f, const char *base)
{
	const char *p = base + f->at;

	switch (f->kind) {
	case KIND_U32:
	case KIND_U64:
	case KIND_I32:
	case KIND_I64:
		put_number(w, wire_get_number(p, f->size), f->size);
		break;
	case KIND_BOOL:
	case KIND_ENUM:
	case KIND_WHEN:
		put_number(w, wire_get_number(p, f->size), 1);
		break;
	case KIND_TEXT:
		put_string(w, wire_get_pointer(p));
		break;
	case KIND_TEXT_OR_NONE:
		put_number(w, wire_get_pointer(p) != NULL, 1);
		if (wire_get_pointer(p) != NULL)
			put_string(w, wire_get_pointer(p));
		break;
	case KIND_TEXT_IN:
		put_text(w, p, strnlen(p, f->size - 1));
		break;
	case KIND_BYTES:
		put(w, p, f->size);
		break;
	case KIND_HANDLE: {
		const struct handle *h = (const void *)p;

		put_number(w, h->len, 1);
		put(w, h->data, h->len);
		break;
	}
	case KIND_INSIDE:
		put_record(w, f->record, p);
		break;
	case KIND_OWNED:
		assert(wire_get_pointer(p) != NULL);
		put_record(w, f->record, wire_get_pointer(p));
		break;
	case KIND_MD5S:
	case KIND_LIST:
		put_many(w, f, base);
		break;
	case KIND_DONE:
		break;
	}
}

static void
put_record(struct writer *w, const struct wire_record *r, const char *base)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct wire_field *f = &r->fields[i];

		put_field(w, f, base);
		if (f->kind == KIND_WHEN &&
		    wire_get_number(base + f->at, f->size) == 0)
			i = after_when(r, i);
	}
}

static void
put_content(struct writer *w, const struct wire_msg *m)
{
	const struct wire_record *r = wire_messages[m->type].record;

	if (r != NULL)
		put_record(w, r, wire_content(m));
}

size_t
wire_size(const struct wire_msg *m)
{
	struct writer w = { .buf = NULL, .len = 0 };

	put_content(&w, m);
	return WIRE_HEAD + w.len;
}

void
wire_encode(struct buf *out, const struct wire_msg *m)
{
	struct writer w = { .buf = out, .len = 0 };
	size_t at = out->len;
	size_t len;

	/* The length is not known yet: write zeros now, and the length
	 * below. */
	put_number(&w, 0, 4);
	put_number(&w, m->type, 1);
	put_content(&w, m);
	if (buf_overflowed(out))
		return;
	len = w.len - 4;
	for (size_t i = 0; i < 4; i++)
		out->data[at + i] = (char)(len >> (8 * (3 - i)));
}

/* --- decode --- */

struct reader {
	struct str left;
	const char *message;
	struct err *err;
};

static int
bad(struct reader *r, const struct wire_field *f, const char *why)
{
	return err_set(r->err, ERR_PEER, 0, "%s: %s: %s", r->message, f->name,
	    why);
}

static int
cut_short(struct reader *r, const struct wire_field *f)
{
	return bad(r, f, "cut short");
}

static int
take(struct reader *r, const struct wire_field *f, void *p, size_t len)
{
	if (r->left.len < len)
		return cut_short(r, f);
	memcpy(p, r->left.p, len);
	r->left.p += len;
	r->left.len -= len;
	return 0;
}

static int
take_number(struct reader *r, const struct wire_field *f, size_t bytes,
    uint64_t *ret)
{
	uint8_t in[8] = { 0 };

	*ret = 0;
	if (take(r, f, in, bytes) == -1)
		return -1;
	for (size_t i = 0; i < bytes; i++)
		*ret = *ret << 8 | in[i];
	return 0;
}

/* Take a byte whose value must be below end. */
static int
take_enum(struct reader *r, const struct wire_field *f, size_t end,
    uint64_t *ret)
{
	if (take_number(r, f, 1, ret) == -1)
		return -1;
	return *ret < end ? 0 : bad(r, f, "no such value");
}

/* Take a text of at most max bytes: a view of the received bytes, not a
 * copy. */
static int
take_text(struct reader *r, const struct wire_field *f, size_t max,
    struct str *ret)
{
	uint64_t len;

	if (take_number(r, f, 4, &len) == -1)
		return -1;
	if (len > r->left.len)
		return cut_short(r, f);
	if (len > max)
		return bad(r, f, "too long");
	*ret = (struct str){ r->left.p, len };
	if (memchr(ret->p, 0, len) != NULL)
		return bad(r, f, "has a NUL");
	r->left.p += len;
	r->left.len -= len;
	return 0;
}

/* Take a text; make the pointer at member point to a copy of the text. */
static int
take_string(struct reader *r, const struct wire_field *f, char *member)
{
	struct str text;

	if (take_text(r, f, SIZE_MAX, &text) == -1)
		return -1;
	wire_set_pointer(member, xstrndup(text.p, text.len));
	return 0;
}

/* Return the smallest number of bytes that a record can take. */
static size_t
least(const struct wire_record *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct wire_field *f = &r->fields[i];

		switch (f->kind) {
		case KIND_U32:
		case KIND_U64:
		case KIND_I32:
		case KIND_I64:
		case KIND_BYTES:
			n += f->size;
			break;
		case KIND_TEXT:
		case KIND_TEXT_IN:
		case KIND_LIST:
			n += 4;
			break;
		case KIND_MD5S:
			n += 5;
			break;
		case KIND_INSIDE:
		case KIND_OWNED:
			n += least(f->record);
			break;
		case KIND_WHEN:
			n += 1;
			i = after_when(r, i);
			break;
		case KIND_DONE:
			break;
		default:
			n += 1;
		}
	}
	return n;
}

static int	take_record(struct reader *, const struct wire_record *,
		    char *);

static int
take_md5s(struct reader *r, const struct wire_field *f, char *base)
{
	uint64_t n, there;
	uint8_t *md5s;

	if (take_number(r, f, 4, &n) == -1 ||
	    take_enum(r, f, 2, &there) == -1)
		return -1;
	if (there == 1 && n > r->left.len / 16)
		return cut_short(r, f);
	wire_set_number(base + f->count_at, f->count_size, n);
	if (there == 0)
		return 0;
	md5s = xmalloc(n * 16 + 1);
	wire_set_pointer(base + f->at, md5s);
	return take(r, f, md5s, n * 16);
}

/* Take a list. Memory for the list is bounded by the number of bytes
 * received. */
static int
take_list(struct reader *r, const struct wire_field *f, char *base)
{
	size_t each = least(f->record);
	uint64_t n;
	char *v;

	if (take_number(r, f, 4, &n) == -1)
		return -1;
	if (n > r->left.len / each)
		return cut_short(r, f);
	if (f->most > 0 && n > f->most)
		return bad(r, f, "too many");
	if (n == 0)
		return 0;
	v = xcalloc(n, f->size);
	wire_set_pointer(base + f->at, v);
	wire_set_number(base + f->count_at, f->count_size, n);
	for (size_t i = 0; i < n; i++)
		if (take_record(r, f->record, v + i * f->size) == -1)
			return -1;
	return 0;
}

static int
take_handle(struct reader *r, const struct wire_field *f, struct handle *h)
{
	uint64_t len;

	if (take_enum(r, f, HANDLE_MAX + 1, &len) == -1 ||
	    take(r, f, h->data, len) == -1)
		return -1;
	h->len = (uint8_t)len;
	return 0;
}

static int
take_owned(struct reader *r, const struct wire_field *f, char *member)
{
	void *p = xcalloc(1, f->size);

	wire_set_pointer(member, p);
	return take_record(r, f->record, p);
}

static int
take_small(struct reader *r, const struct wire_field *f, char *p)
{
	bool is_enum = f->kind == KIND_ENUM;
	bool is_byte = is_enum || f->kind == KIND_BOOL ||
	    f->kind == KIND_WHEN;
	uint64_t n;

	if ((is_byte ? take_enum(r, f, is_enum ? f->most : 2, &n) :
	    take_number(r, f, f->size, &n)) == -1)
		return -1;
	wire_set_number(p, f->size, n);
	return 0;
}

static int
take_field(struct reader *r, const struct wire_field *f, char *base)
{
	char *p = base + f->at;
	struct str text;
	uint64_t there;

	switch (f->kind) {
	case KIND_U32:
	case KIND_U64:
	case KIND_I32:
	case KIND_I64:
	case KIND_BOOL:
	case KIND_ENUM:
	case KIND_WHEN:
		return take_small(r, f, p);
	case KIND_TEXT:
		return take_string(r, f, p);
	case KIND_TEXT_OR_NONE:
		if (take_enum(r, f, 2, &there) == -1)
			return -1;
		return there == 0 ? 0 : take_string(r, f, p);
	case KIND_TEXT_IN:
		if (take_text(r, f, f->size - 1, &text) == -1)
			return -1;
		memcpy(p, text.p, text.len);
		return 0;
	case KIND_BYTES:
		return take(r, f, p, f->size);
	case KIND_HANDLE:
		return take_handle(r, f, (struct handle *)(void *)p);
	case KIND_MD5S:
		return take_md5s(r, f, base);
	case KIND_INSIDE:
		return take_record(r, f->record, p);
	case KIND_OWNED:
		return take_owned(r, f, p);
	case KIND_LIST:
		return take_list(r, f, base);
	case KIND_DONE:
		break;
	}
	return 0;
}

/* Decode into a record of zeros. After an error the members decoded so far are
 * valid: the caller can release the record. */
static int
take_record(struct reader *r, const struct wire_record *rec, char *base)
{
	for (size_t i = 0; i < rec->count; i++) {
		const struct wire_field *f = &rec->fields[i];

		if (take_field(r, f, base) == -1)
			return -1;
		if (f->kind == KIND_WHEN &&
		    wire_get_number(base + f->at, f->size) == 0)
			i = after_when(rec, i);
	}
	return 0;
}

/* Is this the HELLO of a foreign protocol? Only its protocol number can be
 * decoded. */
static bool
foreign_hello(struct wire_msg *m, struct str payload)
{
	const uint8_t *d = (const void *)payload.p;
	uint32_t protocol;

	if (m->type != WIRE_HELLO || payload.len < 4)
		return false;
	protocol = (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 |
	    (uint32_t)d[2] << 8 | d[3];
	if (protocol == WIRE_PROTOCOL)
		return false;
	m->u.hello.protocol = protocol;
	m->u.hello.version = xstrdup("");
	m->u.hello.host = xstrdup("");
	return true;
}

int
wire_decode(struct wire_msg *m, unsigned type, struct str payload,
    struct err *err)
{
	struct reader r = { .left = payload, .err = err };
	int rc = 0;

	memset(m, 0, sizeof(*m));
	if (type == 0 || type >= WIRE__MAX)
		return err_set(err, ERR_PEER, 0, "message %u is not known",
		    type);
	m->type = (enum wire_type)type;
	if (foreign_hello(m, payload))
		return 0;
	r.message = wire_messages[type].name;
	if (wire_messages[type].record != NULL)
		rc = take_record(&r, wire_messages[type].record,
		    wire_content(m));
	if (rc == 0 && r.left.len > 0)
		rc = err_set(err, ERR_PEER, 0, "%s: %zu bytes too many",
		    r.message, r.left.len);
	if (rc == -1)
		wire_msg_release(m);
	return rc;
}
