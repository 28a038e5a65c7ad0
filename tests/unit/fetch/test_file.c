/*
 * The fetcher of TEST: objects and their files are read and hashed in the same
 * form, and nothing is judged.
 */
#include "kit/fetch.h"

#define PART	100000

static struct fixture *
reader(void)
{
	struct fixture *x = fetch_setup();

	x->c.only_read = true;
	x->c.range_size = 250000;
	return x;
}

static struct fetch_item *
with_file(struct fixture *x, const char *key, const char *name)
{
	struct fetch_item *it = item(x, key);

	it->raw = xstrdup(name);
	return it;
}

static struct attrs
attrs_of(const struct fixture *x, const char *name)
{
	AUTOFREE char *path = xasprintf("%s/%s", x->source, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (struct attrs){ .kind = ENTRY_FILE, .mode = st.st_mode & 07777,
	    .uid = st.st_uid, .gid = st.st_gid, .size = (uint64_t)st.st_size,
	    .mtime_ns = st.st_mtim.tv_sec * (int64_t)1000000000 +
	    st.st_mtim.tv_nsec, .ctime_ns = st.st_ctim.tv_sec *
	    (int64_t)1000000000 + st.st_ctim.tv_nsec, .ino = st.st_ino,
	    .fsid = st.st_dev };
}

/* The catalog knows the object, in parts (0: whole) that have these MD5s, and
 * its file as it is. */
static struct fetch_item *
known(struct fixture *x, const char *key, const char *name, size_t part,
    const uint8_t *md5s)
{
	struct fetch_item *it = with_file(x, key, name);
	struct stored *s = &it->stored;

	it->has_stored = true;
	s->path = xstrdup("h/k");
	s->attrs = attrs_of(x, name);
	s->part_size = part;
	memcpy(s->etag, it->etag, sizeof(s->etag));
	s->has_md5 = part == 0;
	if (part == 0) {
		memcpy(s->md5, md5s, MD5_LEN);
		return it;
	}
	s->part_count = (s->attrs.size + part - 1) / part;
	s->part_md5s = xmemdup(md5s, s->part_count * MD5_LEN);
	return it;
}

static void
test_whole(void **state UNUSED)
{
	static const size_t sizes[] = { 0, 1, 700000 };
	struct fixture *x = reader();
	uint8_t md5[MD5_LEN];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fetch_item *it;

		put_object(x, "k", sizes[i], 1, 0, "", md5);
		write_source(x, "f", sizes[i], 1);
		it = fetched(x, with_file(x, "k", "f"));
		expect(it, OUTCOME_MOVED, ERR_NONE);
		assert_int_equal(it->result.proof, PROOF_NONE);
		assert_int_equal(it->result.file_err.kind, ERR_NONE);
		assert_true(it->result.hashed && it->result.file_hashed);
		assert_false(it->result.file_torn);
		assert_memory_equal(it->result.md5, md5, MD5_LEN);
		assert_memory_equal(it->result.file_md5, md5, MD5_LEN);
		assert_int_equal(it->result.file_attrs.size, sizes[i]);
		assert_int_equal(x->bytes_read, sizes[i]);
		assert_string_equal(it->result.etag_computed, it->etag);
		fetch_item_free(&it);
	}
	fetch_teardown(x);
}

/* Both in the parts that the catalog knows, by ranges. */
static void
test_parts(void **state UNUSED)
{
	struct fixture *x = reader();
	uint8_t md5s[16 * MD5_LEN];
	struct fetch_item *it;

	put_object(x, "k", 1050000, 3, PART, "", md5s);
	write_source(x, "f", 1050000, 3);
	it = fetched(x, known(x, "k", "f", PART, md5s));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_false(it->result.hashed);
	assert_true(it->result.file_hashed);
	assert_string_equal(it->result.etag_computed, it->stored.etag);
	assert_memory_equal(it->result.md5, it->result.file_md5, MD5_LEN);
	assert_int_equal(x->f.locked.gets, 6);
	fetch_item_free(&it);
	/* Another object is there, in other parts, or of another size; the
	 * file as it was. */
	put_object(x, "k", 1050000, 4, 0, "", NULL);
	it = fetched(x, known(x, "k", "f", PART, md5s));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_memory_not_equal(it->result.md5, it->result.file_md5, MD5_LEN);
	fetch_item_free(&it);
	put_object(x, "k", 350000, 3, 0, "", NULL);
	it = fetched(x, known(x, "k", "f", PART, md5s));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->size, 350000);
	assert_true(it->result.file_hashed);
	assert_memory_not_equal(it->result.md5, it->result.file_md5, MD5_LEN);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* The bytes differ, and only the file's: that is seen. */
static void
test_rot(void **state UNUSED)
{
	struct fixture *x = reader();
	uint8_t md5s[16 * MD5_LEN];
	struct fetch_item *it;

	put_object(x, "k", 1050000, 3, PART, "", md5s);
	write_source(x, "f", 1050000, 4);
	it = fetched(x, known(x, "k", "f", PART, md5s));
	assert_string_equal(it->result.etag_computed, it->stored.etag);
	assert_true(it->result.file_hashed);
	assert_memory_not_equal(it->result.md5, it->result.file_md5, MD5_LEN);
	fetch_item_free(&it);
	put_object(x, "k", 1000, 3, 0, "", md5s);
	write_source(x, "f", 1000, 4);
	it = fetched(x, known(x, "k", "f", 0, md5s));
	assert_true(it->result.hashed && it->result.file_hashed);
	assert_memory_not_equal(it->result.md5, it->result.file_md5, MD5_LEN);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* A file that is another need not be read to know it. */
static void
test_not_read(void **state UNUSED)
{
	struct fixture *x = reader();
	AUTOFREE char *link = xasprintf("%s/link", x->source);
	uint8_t md5[MD5_LEN];
	struct fetch_item *it;

	put_object(x, "k", 1000, 3, 0, "", md5);
	write_source(x, "f", 1000, 3);
	it = known(x, "k", "f", 0, md5);
	it->stored.attrs.mtime_ns++;
	it = fetched(x, it);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_true(it->result.hashed);
	assert_false(it->result.file_hashed);
	assert_int_equal(it->result.file_err.kind, ERR_NONE);
	assert_int_equal(it->result.file_attrs.size, 1000);
	fetch_item_free(&it);
	it = fetched(x, with_file(x, "k", "none"));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->result.file_err.kind, ERR_GONE);
	fetch_item_free(&it);
	assert_int_equal(symlink("f", link), 0);
	it = fetched(x, with_file(x, "k", "link"));
	assert_int_equal(it->result.file_err.kind, ERR_GONE);
	assert_string_equal(it->result.file_err.msg,
	    "the file is a symlink now");
	fetch_item_free(&it);
	x->spec.follow_links = true;
	it = fetched(x, with_file(x, "k", "link"));
	assert_int_equal(it->result.file_err.kind, ERR_NONE);
	assert_memory_equal(it->result.md5, it->result.file_md5, MD5_LEN);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* What is not as it was listed is read all the same. */
static void
test_not_as_listed(void **state UNUSED)
{
	struct fixture *x = reader();
	uint8_t md5[MD5_LEN];
	struct fetch_item *it;

	put_object(x, "k", 5000, 3, 0, "", md5);
	it = item(x, "k");
	it->size = 1000;
	it->etag[0] ^= 1;
	it = fetched(x, it);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->size, 5000);
	assert_memory_equal(it->result.md5, md5, MD5_LEN);
	fetch_item_free(&it);
	/* Nobody knows an ETag. */
	it = item(x, "k");
	it->size = 1000;
	it->etag[0] = '\0';
	it = fetched(x, it);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->size, 5000);
	fetch_item_free(&it);
	it = item(x, "none");
	it = fetched(x, it);
	expect(it, OUTCOME_GONE, ERR_GONE);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* An export that can't be opened: the objects are read, the files not. */
/* In which file system the file was seen, and what is said of the file, there
 * or removed: what lies in another one is neither changed nor gone. */
static void
test_place(void **state UNUSED)
{
	static const struct { bool numbers, any, wrong, inner; } cases[] = {
		{ false, false, false, false }, { true, false, false, false },
		{ true, false, false, true }, { true, false, true, true },
		{ false, false, true, true }, { true, true, true, true },
	};
	uint8_t md5[MD5_LEN];

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct fixture *x = reader();
		struct fetch_item *it;
		AUTOFREE char *path = xasprintf("%s/f", x->source);
		bool gone = i % 2 == 1;
		struct tree *t = NULL;
		struct err err = ERR_INIT;
		struct attrs root;

		assert_int_equal(tree_open(&t, &x->spec, &err), 0);
		tree_root(t, NULL, &root);
		tree_free(&t);
		put_object(x, "k", 1000, 3, 0, "", md5);
		write_source(x, "f", 1000, 3);
		it = known(x, "k", "f", 0, md5);
		/* A stub that differs in its attributes, too. */
		it->stored.attrs.size += cases[i / 2].wrong;
		if (cases[i / 2].numbers)
			x->spec.root_fsid = root.fsid;
		if (cases[i / 2].inner)
			it->fsid = root.fsid + cases[i / 2].wrong;
		it->any_fs = cases[i / 2].any;
		if (gone)
			assert_int_equal(unlink(path), 0);
		it = fetched(x, it);
		expect(it, OUTCOME_MOVED, ERR_NONE);
		if (cases[i / 2].wrong && !cases[i / 2].any)
			assert_int_equal(it->result.file_err.kind,
			    ERR_UNREACHABLE);
		else
			assert_int_equal(it->result.file_err.kind, gone ?
			    ERR_GONE : ERR_NONE);
		assert_int_equal(it->result.file_hashed, !gone &&
		    !cases[i / 2].wrong);
		fetch_item_free(&it);
		fetch_teardown(x);
	}
}

static void
test_no_export(void **state UNUSED)
{
	struct fixture *x = reader();
	struct fetch_item *it;

	x->spec.share = "/nonexistent/export";
	x->c.retry_for_ms = 1;
	put_object(x, "k", 1000, 3, 0, "", NULL);
	it = fetched(x, with_file(x, "k", "f"));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_true(it->result.hashed);
	assert_int_not_equal(it->result.file_err.kind, ERR_NONE);
	assert_false(it->result.file_hashed);
	fetch_item_free(&it);
	fetch_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_rot),
		cmocka_unit_test(test_not_read),
		cmocka_unit_test(test_not_as_listed),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_no_export),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
