/*
 * Messages as bytes and back. Content is made up from the tables themselves,
 * at random from a fixed seed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire/codec.h"

static uint64_t seed = 1;

static uint64_t
dice(uint64_t end)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (seed >> 33) % end;
}

static uint64_t
number(void)
{
	switch (dice(4)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	default:
		return dice(1 << 30) << 34 | dice(1 << 30) << 4 | dice(16);
	}
}

/* Any bytes but NUL. */
static void
letters(char *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (char)(1 + dice(255));
	to[len] = '\0';
}

static char *
word(void)
{
	size_t len = dice(3) == 0 ? 0 : dice(40);
	char *s = xmalloc(len + 1);

	letters(s, len);
	return s;
}

static void	fill(const struct wire_record *, char *);

static void
fill_many(const struct wire_field *f, char *base)
{
	size_t n = dice(5);
	char *v;

	wire_set_number(base + f->count_at, f->count_size, n);
	if (f->kind == KIND_MD5S) {
		if (dice(2) == 0)
			return;
		v = xmalloc(n * 16 + 1);
		for (size_t i = 0; i < n * 16; i++)
			v[i] = (char)dice(256);
	} else {
		if (n == 0)
			return;
		v = xcalloc(n, f->size);
		for (size_t i = 0; i < n; i++)
			fill(f->record, v + i * f->size);
	}
	wire_set_pointer(base + f->at, v);
}

static void
fill(const struct wire_record *r, char *base)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct wire_field *f = &r->fields[i];
		char *p = base + f->at;
		struct handle *h;

		switch (f->kind) {
		case KIND_U32:
		case KIND_U64:
		case KIND_I32:
		case KIND_I64:
			wire_set_number(p, f->size, number());
			break;
		case KIND_BOOL:
			wire_set_number(p, f->size, dice(2));
			break;
		case KIND_ENUM:
			wire_set_number(p, f->size, dice(f->most));
			break;
		case KIND_TEXT_OR_NONE:
			if (dice(2) == 0)
				break;
			/* fall through */
		case KIND_TEXT:
			wire_set_pointer(p, word());
			break;
		case KIND_TEXT_IN:
			letters(p, dice(f->size));
			break;
		case KIND_BYTES:
			for (size_t k = 0; k < f->size; k++)
				p[k] = (char)dice(256);
			break;
		case KIND_HANDLE:
			h = (struct handle *)(void *)p;
			h->len = (uint8_t)dice(HANDLE_MAX + 1);
			for (size_t k = 0; k < h->len; k++)
				h->data[k] = (uint8_t)dice(256);
			break;
		case KIND_INSIDE:
			fill(f->record, p);
			break;
		case KIND_OWNED:
			wire_set_pointer(p, xcalloc(1, f->size));
			fill(f->record, wire_get_pointer(p));
			break;
		case KIND_MD5S:
		case KIND_LIST:
			fill_many(f, base);
			break;
		case KIND_WHEN:
			wire_set_number(p, f->size, dice(2));
			if (wire_get_number(p, f->size) == 0)
				while (r->fields[i].kind != KIND_DONE)
					i++;
			break;
		case KIND_DONE:
			break;
		}
	}
}

static void	same(const struct wire_record *, const char *, const char *);

static void
same_text(const char *a, const char *b)
{
	assert_true((a == NULL) == (b == NULL));
	if (a != NULL)
		assert_string_equal(a, b);
}

static void
same_many(const struct wire_field *f, const char *a, const char *b)
{
	const char *v = wire_get_pointer(a + f->at);
	const char *w = wire_get_pointer(b + f->at);
	size_t n = wire_get_number(a + f->count_at, f->count_size);

	assert_int_equal(n, wire_get_number(b + f->count_at, f->count_size));
	assert_true((v == NULL) == (w == NULL));
	if (v == NULL)
		return;
	if (f->kind == KIND_MD5S) {
		assert_memory_equal(v, w, n * 16);
		return;
	}
	for (size_t i = 0; i < n; i++)
		same(f->record, v + i * f->size, w + i * f->size);
}

/* Two structs that were zero before they were filled. */
static void
same(const struct wire_record *r, const char *a, const char *b)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct wire_field *f = &r->fields[i];
		const char *p = a + f->at, *q = b + f->at;

		switch (f->kind) {
		case KIND_TEXT:
		case KIND_TEXT_OR_NONE:
			same_text(wire_get_pointer(p), wire_get_pointer(q));
			break;
		case KIND_TEXT_IN:
			assert_string_equal(p, q);
			break;
		case KIND_INSIDE:
			same(f->record, p, q);
			break;
		case KIND_OWNED:
			same(f->record, wire_get_pointer(p),
			    wire_get_pointer(q));
			break;
		case KIND_MD5S:
		case KIND_LIST:
			same_many(f, a, b);
			break;
		default:
			assert_memory_equal(p, q, f->size);
		}
	}
}

static void
make(struct wire_msg *m, enum wire_type type)
{
	memset(m, 0, sizeof(*m));
	m->type = type;
	if (wire_messages[type].record != NULL)
		fill(wire_messages[type].record, wire_content(m));
	if (type == WIRE_HELLO)
		m->u.hello.protocol = WIRE_PROTOCOL;
}

/* The payload, as wire_decode wants it, in memory of its own: a sanitizer
 * sees each byte beyond. */
static int
decode(struct wire_msg *m, const struct buf *frame, size_t len,
    struct err *err)
{
	char *p = xmemdup(frame->data + WIRE_HEAD, len);
	int rc = wire_decode(m, (uint8_t)frame->data[4],
	    (struct str){ p, len }, err);

	free(p);
	return rc;
}

static void
test_round_trip(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		for (enum wire_type t = WIRE_HELLO; t < WIRE__MAX; t++) {
			struct err err = ERR_INIT;
			struct wire_msg a, b;
			struct buf out;
			size_t len;

			buf_init(&out, 1 << 20);
			buf_addch(&out, 'x');
			make(&a, t);
			wire_encode(&out, &a);
			memmove(out.data, out.data + 1, --out.len);
			assert_int_equal(out.len, wire_size(&a));
			len = (size_t)(uint8_t)out.data[2] << 8 |
			    (uint8_t)out.data[3];
			assert_int_equal(len, out.len - 4);
			assert_int_equal(out.data[4], t);
			if (decode(&b, &out, out.len - WIRE_HEAD, &err) == -1)
				fail_msg("%s", err.msg);
			assert_int_equal(b.type, t);
			if (wire_messages[t].record != NULL)
				same(wire_messages[t].record,
				    wire_content(&a), wire_content(&b));
			wire_msg_release(&a);
			wire_msg_release(&b);
			buf_release(&out);
		}
	}
}

/* A message that was cut anywhere, or has bytes too many, is none. */
static void
test_cut(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		for (enum wire_type t = WIRE_HELLO; t < WIRE__MAX; t++) {
			struct err err = ERR_INIT;
			struct wire_msg a, b;
			struct buf out;

			buf_init(&out, 1 << 20);
			make(&a, t);
			wire_encode(&out, &a);
			wire_msg_release(&a);
			for (size_t n = 0; n < out.len - WIRE_HEAD; n++) {
				assert_int_equal(decode(&b, &out, n, &err),
				    -1);
				assert_int_equal(err.kind, ERR_PEER);
			}
			buf_addch(&out, '\0');
			assert_int_equal(decode(&b, &out,
			    out.len - WIRE_HEAD, &err), -1);
			assert_int_equal(err.kind, ERR_PEER);
			assert_non_null(strstr(err.msg, "too many"));
			buf_release(&out);
		}
	}
}

/* Any byte changed: it is refused, or what comes of it is a message that
 * encodes to the same bytes. */
static void
test_changed(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		enum wire_type t = (enum wire_type)(1 + dice(WIRE__MAX - 1));
		struct err err = ERR_INIT;
		struct buf out, again;
		struct wire_msg a, b;

		buf_init(&out, 1 << 20);
		buf_init(&again, 1 << 20);
		make(&a, t);
		wire_encode(&out, &a);
		wire_msg_release(&a);
		for (unsigned k = 0; out.len > WIRE_HEAD && k < 3; k++)
			out.data[WIRE_HEAD + dice(out.len - WIRE_HEAD)] =
			    (char)dice(256);
		if (decode(&b, &out, out.len - WIRE_HEAD, &err) == 0) {
			if (t == WIRE_HELLO &&
			    b.u.hello.protocol != WIRE_PROTOCOL)
				out.len = wire_size(&b);
			wire_encode(&again, &b);
			assert_int_equal(again.len, out.len);
			if (t != WIRE_HELLO)
				assert_memory_equal(again.data, out.data,
				    out.len);
			wire_msg_release(&b);
		} else {
			assert_int_equal(err.kind, ERR_PEER);
		}
		buf_release(&out);
		buf_release(&again);
	}
}

static void
expect_refused(unsigned type, const char *payload, size_t len,
    const char *why)
{
	struct err err = ERR_INIT;
	struct wire_msg m;

	assert_int_equal(wire_decode(&m, type, (struct str){ payload, len },
	    &err), -1);
	assert_int_equal(err.kind, ERR_PEER);
	if (strstr(err.msg, why) == NULL)
		fail_msg("%s: not %s", err.msg, why);
}
#define REFUSED(t, p, w) expect_refused(t, p, sizeof(p) - 1, w)

static void
test_refused(void **state)
{
	(void)state;
	REFUSED(0, "", "not known");
	REFUSED(WIRE__MAX, "", "not known");
	REFUSED(255, "", "not known");
	REFUSED(WIRE_BEAT, "\0\0\0\0\0\0\0\1x", "too many");
	REFUSED(WIRE_REFUSED, "\0\0\0\3a\0b", "has a NUL");
	REFUSED(WIRE_REFUSED, "\xff\xff\xff\xff" "abc", "cut short");
	/* Of an error: its kind, and a text that is too long. */
	REFUSED(WIRE_BYE, "\xff\0\0\0\0\0\0\0\0", "no such value");
	{
		char text[9 + 240] = { 0 };

		text[8] = (char)232;
		memset(text + 9, 'x', 240);
		expect_refused(WIRE_BYE, text, 9 + 232, "too long");
	}
	/* Lists that can't be as long as they say. */
	REFUSED(WIRE_LEASE_PUT, "\0\0\0\0\0\0\0\1\xff\xff\xff\xff",
	    "cut short");
	REFUSED(WIRE_LEASE_PUT, "\0\0\0\0\0\0\0\1\0\0\0\2"
	    "0123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789", "cut short");
	/* A boolean is 0 or 1. */
	REFUSED(WIRE_BYE, "\0\0\0\0\0\0\0\0\0\2", "idle: no such value");
	REFUSED(WIRE_HELLO, "\0\0\0\xa\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\0\0\0\0\2", "channel: no such value");
}

/* No more keys than S3 takes in one request. */
static void
test_delete_most(void **state)
{
	struct delete_batch batch = { .count = DELETE_KEYS_MAX + 1 };
	struct wire_msg m = { .type = WIRE_LEASE_DELETE }, got;
	struct err err = ERR_INIT;
	struct buf out;

	(void)state;
	batch.v = xcalloc(batch.count, sizeof(*batch.v));
	for (size_t i = 0; i < batch.count; i++)
		batch.v[i].key = (char *)(uintptr_t)"key";
	m.u.lease_delete.batch = &batch;
	buf_init(&out, 1 << 20);
	wire_encode(&out, &m);
	assert_int_equal(decode(&got, &out, out.len - WIRE_HEAD, &err), -1);
	assert_non_null(strstr(err.msg, "too many"));
	batch.count--;
	buf_clear(&out);
	wire_encode(&out, &m);
	assert_int_equal(decode(&got, &out, out.len - WIRE_HEAD, &err), 0);
	assert_int_equal(got.u.lease_delete.batch->count, DELETE_KEYS_MAX);
	assert_string_equal(got.u.lease_delete.batch->v[999].key, "key");
	wire_msg_release(&got);
	buf_release(&out);
	free(batch.v);
}

/* What the manual says, byte by byte. */
static void
test_golden(void **state)
{
	static const char hello[] = "\0\0\0\x22\1" "\0\0\0\7"
	    "\0\0\0\3" "1.0" "\0\0\0\5" "host1" "\0\0\0\0\0\0\1\2"
	    "\0\0\0\7" "\1" "";
	static const char limits[] = "\0\0\0\x11\xb"
	    "\0\0\0\0\0\1\0\0" "\0\0\0\0\0\0\x3\xe8";
	static const char beat[] = "\0\0\0\x9\xc" "\0\0\0\0\0\0\1\2";
	static const char bye[] = "\0\0\0\xe\x13" "\7" "\xff\xff\xff\xfe"
	    "\0\0\0\3" "not" "\1";
	struct wire_msg m = { .type = WIRE_HELLO, .u.hello = {
	    .protocol = 7, .version = (char *)(uintptr_t)"1.0",
	    .host = (char *)(uintptr_t)"host1", .pid = 258, .client = 7,
	    .channel = 1 } };
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	wire_encode(&out, &m);
	assert_int_equal(out.len, sizeof(hello) - 1);
	assert_memory_equal(out.data, hello, out.len);
	buf_clear(&out);
	m = (struct wire_msg){ .type = WIRE_LIMITS,
		.u.limits = { .bwlimit = 65536, .tpslimit = 1000 } };
	wire_encode(&out, &m);
	assert_int_equal(out.len, sizeof(limits) - 1);
	assert_memory_equal(out.data, limits, out.len);
	buf_clear(&out);
	m = (struct wire_msg){ .type = WIRE_BEAT, .u.beat.heard_ms = 258 };
	wire_encode(&out, &m);
	assert_int_equal(out.len, sizeof(beat) - 1);
	assert_memory_equal(out.data, beat, out.len);
	buf_clear(&out);
	m = (struct wire_msg){ .type = WIRE_BYE, .u.bye.idle = true };
	err_set(&m.u.bye.err, ERR_UNREACHABLE, -2, "not");
	wire_encode(&out, &m);
	assert_int_equal(out.len, sizeof(bye) - 1);
	assert_memory_equal(out.data, bye, out.len);
	buf_release(&out);
}

/* A NULL where text must be is sent as none; a list that was taken away may
 * leave its count behind. */
static void
test_stolen(void **state)
{
	struct err err = ERR_INIT;
	struct wire_msg m, got;
	struct buf out;
	struct item *items;
	size_t count;

	(void)state;
	buf_init(&out, 1 << 20);
	memset(&m, 0, sizeof(m));
	m.type = WIRE_LEASE_PUT;
	m.u.lease_put.count = 2;
	m.u.lease_put.items = xcalloc(2, sizeof(struct item));
	m.u.lease_put.items[1].raw = xstrdup("a/b");
	wire_encode(&out, &m);
	wire_msg_release(&m);
	assert_int_equal(decode(&got, &out, out.len - WIRE_HEAD, &err), 0);
	items = STEAL(got.u.lease_put.items);
	count = got.u.lease_put.count;
	assert_int_equal(count, 2);
	assert_string_equal(items[0].raw, "");
	assert_string_equal(items[1].raw, "a/b");
	wire_msg_release(&got);
	for (size_t i = 0; i < count; i++)
		item_release(&items[i]);
	free(items);
	buf_release(&out);
}

/* Of a later protocol: who says so can be answered. */
static void
test_foreign_hello(void **state)
{
	static const char hello[] = "\0\0\0\xff" "whatever there is";
	struct err err = ERR_INIT;
	struct wire_msg m;

	(void)state;
	for (size_t len = 4; len < sizeof(hello); len++) {
		assert_int_equal(wire_decode(&m, WIRE_HELLO,
		    (struct str){ hello, len }, &err), 0);
		assert_int_equal(m.u.hello.protocol, 255);
		assert_string_equal(m.u.hello.version, "");
		assert_string_equal(m.u.hello.host, "");
		wire_msg_release(&m);
	}
	REFUSED(WIRE_HELLO, "\0\0\0", "cut short");
	REFUSED(WIRE_HELLO, "\0\0\0\xa" "whatever there is", "cut short");
}

/* The saved input of this type for the fuzz target; or write one anew. */
static void
check_saved(enum wire_type t, unsigned n, bool anew)
{
	AUTOFREE char *path = xasprintf("tests/fuzz/corpus/wire/%s_%u",
	    wire_type_name(t), n);
	FILE *f = fopen(path, anew ? "wb" : "rb");
	struct err err = ERR_INIT;
	struct wire_msg m;
	struct buf frame;

	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	buf_init(&frame, 1 << 20);
	if (anew) {
		make(&m, t);
		wire_encode(&frame, &m);
		assert_int_equal(fwrite(frame.data + 4, 1, frame.len - 4, f),
		    frame.len - 4);
	} else {
		buf_add(&frame, "\0\0\0\0", 4);
		for (int c = getc(f); c != EOF; c = getc(f))
			buf_addch(&frame, (char)c);
		if (frame.len < WIRE_HEAD || frame.data[4] != (char)t ||
		    decode(&m, &frame, frame.len - WIRE_HEAD, &err) == -1)
			fail_msg("%s is no message of this protocol: %s",
			    path, err.msg);
	}
	assert_int_equal(fclose(f), 0);
	wire_msg_release(&m);
	buf_release(&frame);
}

/* What the fuzz target begins with are messages of this protocol. After a
 * change of the protocol, CORPUS=anew in the environment writes the files. */
static void
test_saved(void **state)
{
	const char *corpus = getenv("CORPUS");

	(void)state;
	for (enum wire_type t = WIRE_HELLO; t < WIRE__MAX; t++)
		for (unsigned n = 0; n < 2; n++)
			check_saved(t, n, corpus != NULL &&
			    strcmp(corpus, "anew") == 0);
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(wire_type_name(WIRE_HELLO), "HELLO");
	assert_string_equal(wire_type_name(WIRE_BYE), "BYE");
	assert_string_equal(wire_type_name(WIRE__MAX), "?");
	assert_string_equal(wire_type_name((enum wire_type)0), "?");
	for (enum wire_type t = WIRE_HELLO; t < WIRE__MAX; t++)
		assert_non_null(wire_messages[t].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_delete_most),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_stolen),
		cmocka_unit_test(test_foreign_hello),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
