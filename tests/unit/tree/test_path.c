/*
 * Paths and names that a tree takes, following symlinks below a root, NFS
 * status and NFSv4 attributes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "nfs/nfs.h"
#include "nfs/v4_attrs.h"
#include "tree/walk.h"

static void
test_path_valid(void **state UNUSED)
{
	static const char *const good[] = { "", "a", "a/b", "...", "..a/.b",
	    "a b/c\nd", "\xff" };
	static const char *const bad[] = { "/", "/a", "a/", "a//b", ".",
	    "..", "a/..", "../a", "a/./b" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(path_valid(str_of(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(path_valid(str_of(bad[i])));
	assert_false(path_valid(STR("a\0b")));
}

static void
test_path_lies_in(void **state UNUSED)
{
	assert_true(path_lies_in(STR("h/a"), STR("h/a")));
	assert_true(path_lies_in(STR("h/a/b"), STR("h/a")));
	assert_true(path_lies_in(STR("/a"), STR("")));
	assert_false(path_lies_in(STR("h/ab"), STR("h/a")));
	assert_false(path_lies_in(STR("h"), STR("h/a")));
	assert_false(path_lies_in(STR("h/b/a"), STR("h/a")));
}

static void
test_path_parts(void **state UNUSED)
{
	assert_true(str_eq(path_name(STR("a/b/c")), STR("c")));
	assert_true(str_eq(path_name(STR("c")), STR("c")));
	assert_int_equal(path_name(STR("")).len, 0);
	assert_int_equal(path_name(STR("a/")).len, 0);
	assert_true(str_eq(path_dir(STR("a/b/c")), STR("a/b")));
	assert_true(str_eq(path_dir(STR("a/")), STR("a")));
	assert_int_equal(path_dir(STR("c")).len, 0);
	assert_int_equal(path_dir(STR("/c")).len, 0);
	assert_int_equal(path_dir(STR("")).len, 0);
}

static void
test_path_copy(void **state UNUSED)
{
	AUTOFREE char *copy = path_copy(STR("a\0b"));

	assert_memory_equal(copy, "a\0b", 4);
}

static void
test_name_fault(void **state UNUSED)
{
	char name[256];

	memset(name, 'x', sizeof(name));
	assert_null(path_name_fault((struct str){ name, 255 }));
	assert_non_null(path_name_fault((struct str){ name, 256 }));
	assert_non_null(path_name_fault(STR("")));
	assert_non_null(path_name_fault(STR("a/b")));
	assert_non_null(path_name_fault(STR("a\0b")));
	assert_null(path_name_fault(STR("\n\xff ")));
}

/* What a walk says, in letters: names as they are, '^' up, '!' outside. */
static void
walk_says(struct walk *w, const char *want)
{
	struct str name;
	struct buf b;

	buf_init(&b, 1000);
	for (;;) {
		enum walk_step s = walk_next(w, &name);

		if (s == WALK_END)
			break;
		if (b.len > 0)
			buf_addch(&b, ' ');
		if (s == WALK_NAME)
			buf_add(&b, name.p, name.len);
		else
			buf_addch(&b, s == WALK_UP ? '^' : '!');
		if (s == WALK_OUTSIDE)
			break;
	}
	assert_string_equal(b.len == 0 ? "" : b.data, want);
	buf_release(&b);
}

static void
test_walk_plain(void **state UNUSED)
{
	static const char *const rows[][2] = {
		{ "", "" }, { "a/bb/c", "a bb c" }, { "a//./b/", "a b" },
		{ "a/../b", "a ^ b" }, { "a/../../b", "a ^ !" },
		{ "..", "!" }, { "...", "..." },
	};
	struct walk w;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		walk_init(&w, str_of(rows[i][0]));
		walk_says(&w, rows[i][1]);
		walk_release(&w);
	}
}

static void
test_walk_splice(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct walk w;
	struct str name;

	walk_init(&w, STR("a/link/c"));
	walk_next(&w, &name);
	walk_next(&w, &name);
	assert_true(str_eq(name, STR("link")));
	assert_false(walk_at_end(&w));
	/* The link stood in a: ".." leaves a, not the link. */
	assert_int_equal(walk_splice(&w, STR("../x/."), &err), 0);
	walk_says(&w, "^ x c");
	assert_true(walk_at_end(&w));
	walk_release(&w);

	walk_init(&w, STR("link/."));
	walk_next(&w, &name);
	assert_true(walk_at_end(&w));
	assert_int_equal(walk_splice(&w, STR("../x"), &err), 0);
	walk_says(&w, "!");
	walk_release(&w);
}

static void
test_walk_refuses(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct walk w;
	struct str name;
	AUTOFREE char *huge = xcalloc(1, WALK_PATH_MAX + 1);
	int n = 0;

	walk_init(&w, STR("l"));
	walk_next(&w, &name);
	assert_int_equal(walk_splice(&w, STR("/etc"), &err), -1);
	assert_int_equal(err.kind, ERR_GONE);
	assert_int_equal(walk_splice(&w, STR(""), &err), -1);
	memset(huge, 'x', WALK_PATH_MAX + 1);
	assert_int_equal(walk_splice(&w,
	    (struct str){ huge, WALK_PATH_MAX + 1 }, &err), -1);
	walk_release(&w);

	walk_init(&w, STR("l"));
	while (walk_next(&w, &name) == WALK_NAME &&
	    walk_splice(&w, STR("l"), &err) == 0)
		n++;
	assert_int_equal(n, WALK_HOPS_MAX);
	assert_int_equal(err.kind, ERR_GONE);
	walk_release(&w);
}

static void
test_status(void **state UNUSED)
{
	static const struct {
		int	 status;
		enum err_kind kind;
		bool	 stale, cookie, unsupported;
	} rows[] = {
		{ 1, ERR_DENIED, 0, 0, 0 }, { 2, ERR_GONE, 0, 0, 0 },
		{ 5, ERR_RETRY, 0, 0, 0 }, { 6, ERR_RETRY, 0, 0, 0 },
		{ 17, ERR_INVALID, 0, 0, 0 }, { 66, ERR_INVALID, 0, 0, 0 },
		{ 13, ERR_DENIED, 0, 0, 0 }, { 18, ERR_INVALID, 0, 0, 0 },
		{ 19, ERR_INVALID, 0, 0, 0 }, { 20, ERR_GONE, 0, 0, 0 },
		{ 21, ERR_GONE, 0, 0, 0 }, { 22, ERR_INVALID, 0, 0, 0 },
		{ 27, ERR_INVALID, 0, 0, 0 }, { 28, ERR_RESOURCE, 0, 0, 0 },
		{ 30, ERR_DENIED, 0, 0, 0 }, { 63, ERR_INVALID, 0, 0, 0 },
		{ 69, ERR_RESOURCE, 0, 0, 0 }, { 70, ERR_RETRY, 1, 0, 0 },
		{ 71, ERR_UNREACHABLE, 0, 0, 0 },
		{ 10001, ERR_RETRY, 1, 0, 0 }, { 10003, ERR_RETRY, 0, 1, 0 },
		{ 10004, ERR_PEER, 0, 0, 1 }, { 10005, ERR_PEER, 0, 0, 0 },
		{ 10006, ERR_RETRY, 0, 0, 0 }, { 10007, ERR_PEER, 0, 0, 0 },
		{ 10011, ERR_RETRY, 0, 0, 0 }, { 10017, ERR_RETRY, 0, 0, 0 },
		{ 10022, ERR_RETRY, 0, 0, 0 }, { 10023, ERR_RETRY, 0, 0, 0 },
		{ 10025, ERR_RETRY, 0, 0, 0 }, { 10026, ERR_RETRY, 0, 0, 0 },
		{ 10008, ERR_RETRY, 0, 0, 0 }, { 10012, ERR_RETRY, 0, 0, 0 },
		{ 10013, ERR_RETRY, 0, 0, 0 }, { 10014, ERR_RETRY, 1, 0, 0 },
		{ 10015, ERR_RETRY, 0, 0, 0 }, { 10016, ERR_DENIED, 0, 0, 0 },
		{ 10018, ERR_RETRY, 0, 0, 0 },
		{ 10019, ERR_UNREACHABLE, 0, 0, 0 },
		{ 10020, ERR_PEER, 0, 0, 0 },
		{ 10021, ERR_UNREACHABLE, 0, 0, 0 },
		{ 10027, ERR_RETRY, 0, 1, 0 }, { 10029, ERR_GONE, 0, 0, 0 },
		{ 10036, ERR_PEER, 0, 0, 0 }, { 10040, ERR_INVALID, 0, 0, 0 },
		{ 10041, ERR_INVALID, 0, 0, 0 }, { 10044, ERR_PEER, 0, 0, 0 },
		{ 10046, ERR_RETRY, 0, 0, 0 }, { 12345, ERR_PEER, 0, 0, 0 },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(tnfs_status_err(&err, "read",
		    rows[i].status), -1);
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(err.code, rows[i].status);
		assert_int_equal(tnfs_is_stale(&err), rows[i].stale);
		assert_int_equal(tnfs_is_bad_cookie(&err), rows[i].cookie);
		assert_int_equal(tnfs_is_unsupported(&err),
		    rows[i].unsupported);
		assert_int_equal(err_is_absence(&err),
		    rows[i].status == 2 || rows[i].status == 20);
	}
}

static void
test_mount_status(void **state UNUSED)
{
	static const struct {
		int	 status;
		enum err_kind kind;
	} rows[] = {
		{ 1, ERR_DENIED }, { 2, ERR_UNREACHABLE },
		{ 5, ERR_UNREACHABLE }, { 13, ERR_DENIED },
		{ 20, ERR_UNREACHABLE }, { 22, ERR_UNREACHABLE },
		{ 63, ERR_UNREACHABLE }, { 10004, ERR_UNREACHABLE },
		{ 10006, ERR_UNREACHABLE },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tnfs_mount_status_err(&err, rows[i].status);
		assert_int_equal(err.kind, rows[i].kind);
	}
}

static void
test_rpc_fault(void **state UNUSED)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} rows[] = {
		{ "Server responded: Program not available",
		    ERR_UNREACHABLE },
		{ "Server responded: Program version mismatch",
		    ERR_UNREACHABLE },
		{ "Server responded: Procedure not available", ERR_PEER },
		{ "Server responded: Garbage arguments", ERR_PEER },
		{ "Message rejected by server", ERR_PEER },
		{ "RPC Packet not accepted by the server", ERR_DENIED },
		{ "Server responded: System Error", ERR_RETRY },
		{ "RPC ERROR: Failed to reconnect async", ERR_RETRY },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(tnfs_rpc_fault(rows[i].text), rows[i].kind);
}

/* --- NFSv4 attributes --- */

static void
add32(struct buf *b, uint32_t v)
{
	uint8_t be[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
	    (uint8_t)(v >> 8), (uint8_t)v };

	buf_add(b, be, 4);
}

static void
add64(struct buf *b, uint64_t v)
{
	add32(b, (uint32_t)(v >> 32));
	add32(b, (uint32_t)v);
}

static void
add_opaque(struct buf *b, const char *s)
{
	add32(b, (uint32_t)strlen(s));
	buf_addstr(b, s);
	while (b->len % 4 != 0)
		buf_addch(b, '\0');
}

static void
add_all(struct buf *b, const char *owner)
{
	add32(b, 1);			/* type */
	add64(b, 0x123456789aU);	/* size */
	add64(b, 77);			/* fsid */
	add64(b, 0);
	add32(b, 0);			/* rdattr_error */
	add_opaque(b, "handle");
	add64(b, 4711);			/* fileid */
	add32(b, 0100644);		/* mode */
	add_opaque(b, owner);
	add_opaque(b, "100");
	add64(b, 1000);			/* time_metadata */
	add32(b, 5);
	add64(b, (uint64_t)-2);		/* time_modify */
	add32(b, 7);
}

static void
test_attrs_all(void **state UNUSED)
{
	struct nfs4_attrs a;
	struct err err = ERR_INIT;
	struct buf b;

	buf_init(&b, 4096);
	add_all(&b, "4294967295");
	assert_int_equal(nfs4_attrs_decode(nfs4_mask_readdir,
	    NFS4_MASK_WORDS, b.data, b.len, &a, &err), 0);
	assert_int_equal(a.attrs.kind, ENTRY_FILE);
	assert_int_equal(a.attrs.size, 0x123456789aU);
	assert_int_equal(a.attrs.fsid, 77);
	assert_int_equal(a.attrs.ino, 4711);
	assert_int_equal(a.attrs.mode, 0644);
	assert_int_equal(a.attrs.uid, UINT32_MAX);
	assert_int_equal(a.attrs.gid, 100);
	assert_int_equal(a.attrs.ctime_ns, 1000000000005);
	assert_int_equal(a.attrs.mtime_ns, -1999999993);
	assert_int_equal(a.fh_len, 6);
	assert_memory_equal(a.fh, "handle", 6);
	assert_int_equal(a.rdattr_error, 0);
	buf_release(&b);
}

/* Cut at every byte: an error each time, and never a read beyond it (the
 * copy has exactly that size, for the address sanitizer). */
static void
test_attrs_cut(void **state UNUSED)
{
	struct nfs4_attrs a;
	struct buf b;

	buf_init(&b, 4096);
	add_all(&b, "root@example");
	for (size_t n = 0; n < b.len; n++) {
		AUTOFREE void *cut = xmemdup(b.data, n);
		struct err err = ERR_INIT;

		assert_int_equal(nfs4_attrs_decode(nfs4_mask_readdir,
		    NFS4_MASK_WORDS, cut, n, &a, &err), -1);
		assert_int_equal(err.kind, ERR_PEER);
	}
	buf_release(&b);
}

static void
test_attrs_odd(void **state UNUSED)
{
	static const char *const owners[] = { "", "@example", "-1", "1x",
	    "4294967296", "99999999999999999999", "nobody@example",
	    "nobody", "no such user@example" };
	const uint32_t rdattr[] = { (uint32_t)1 << 11 };
	const uint32_t unasked[] = { 0, 0, 1 };
	const uint32_t maxread[] = { (uint32_t)1 << 30 };
	struct nfs4_attrs a;
	struct err err = ERR_INIT;
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		buf_clear(&b);
		add_all(&b, owners[i]);
		assert_int_equal(nfs4_attrs_decode(nfs4_mask_readdir,
		    NFS4_MASK_WORDS, b.data, b.len, &a, &err), 0);
		assert_int_equal(a.attrs.uid, OWNER_NONE);
	}
	/* A name that every host knows. */
	buf_clear(&b);
	add_all(&b, "root@example");
	assert_int_equal(nfs4_attrs_decode(nfs4_mask_readdir,
	    NFS4_MASK_WORDS, b.data, b.len, &a, &err), 0);
	assert_int_equal(a.attrs.uid, 0);
	buf_clear(&b);
	add32(&b, 13);
	assert_int_equal(nfs4_attrs_decode(rdattr, 1, b.data, b.len, &a,
	    &err), 0);
	assert_int_equal(a.rdattr_error, 13);
	assert_int_equal(a.attrs.kind, ENTRY_UNKNOWN);
	assert_null(a.fh);
	assert_int_equal(nfs4_attrs_decode(unasked, 3, b.data, b.len, &a,
	    &err), -1);
	buf_clear(&b);
	add64(&b, 65536);
	assert_int_equal(nfs4_attrs_decode(maxread, 1, b.data, b.len, &a,
	    &err), 0);
	assert_int_equal(a.max_read, 65536);
	/* The step of its times: attribute 51. */
	buf_clear(&b);
	add64(&b, 2);
	add32(&b, 500000000);
	assert_int_equal(nfs4_attrs_decode((uint32_t[]){ 0, 1U << 19 }, 2,
	    b.data, b.len, &a, &err), 0);
	assert_int_equal(a.time_delta_ns, 2500000000);
	/* A time beyond what 64 bits of nanoseconds hold. */
	buf_clear(&b);
	add64(&b, INT64_MAX);
	add32(&b, 1);
	assert_int_equal(nfs4_attrs_decode((uint32_t[]){ 0, 1U << 20 }, 2,
	    b.data, b.len, &a, &err), 0);
	assert_int_equal(a.attrs.ctime_ns, MTIME_NONE);
	assert_int_equal(a.attrs.uid, OWNER_NONE);
	assert_int_equal(a.attrs.mtime_ns, MTIME_NONE);
	buf_release(&b);
}

/* RFC 7530, 5.8: in the order of the numbers, owners as text. */
static void
test_attrs_set(void **state UNUSED)
{
	static const uint8_t all[] = "\0\0\0\1\0\0\0\2" "\0\0\x9\xed"
	    "\0\0\0\4" "1234" "\0\0\0\1" "0\0\0\0"
	    "\0\0\0\1" "\xff\xff\xff\xff\xff\xff\xff\xfe"
	    "\x3b\x9a\xc9\xff";
	struct attrs_set set = { .size = ((uint64_t)1 << 32) + 2,
	    .mode = 04755, .uid = 1234, .gid = 0, .mtime_ns = -1000000001,
	    .has_size = true, .has_mode = true, .has_owner = true,
	    .has_mtime = true };
	uint32_t mask[NFS4_MASK_WORDS];
	uint8_t values[NFS4_SET_MAX];

	assert_int_equal(nfs4_attrs_encode(&set, mask, values),
	    sizeof(all) - 1);
	assert_memory_equal(values, all, sizeof(all) - 1);
	assert_int_equal(mask[0], 1 << 4);
	assert_int_equal(mask[1], 1 << 1 | 1 << 4 | 1 << 5 | 1 << 22);
	/* The longest. */
	set.uid = set.gid = UINT32_MAX;
	assert_in_range(nfs4_attrs_encode(&set, mask, values), 60,
	    NFS4_SET_MAX);
	set = (struct attrs_set){ .mode = 0600, .has_mode = true };
	assert_int_equal(nfs4_attrs_encode(&set, mask, values), 4);
	assert_int_equal(mask[0], 0);
	assert_int_equal(mask[1], 1 << 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_valid),
		cmocka_unit_test(test_path_lies_in),
		cmocka_unit_test(test_path_parts),
		cmocka_unit_test(test_path_copy),
		cmocka_unit_test(test_name_fault),
		cmocka_unit_test(test_walk_plain),
		cmocka_unit_test(test_walk_splice),
		cmocka_unit_test(test_walk_refuses),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_mount_status),
		cmocka_unit_test(test_rpc_fault),
		cmocka_unit_test(test_attrs_all),
		cmocka_unit_test(test_attrs_cut),
		cmocka_unit_test(test_attrs_odd),
		cmocka_unit_test(test_attrs_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
