/*
 * The verdict on one object: what is said of which difference, what counts
 * as verified, and what a later PUT is to upload again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "verify/verdict.h"

#define SIZE	1000
#define SEC	((int64_t)1000000000)

static struct stored
stored(void)
{
	struct stored s = { .path = (char []){ "h/s/f" }, .object = 7,
	    .attrs = { .kind = ENTRY_FILE, .size = SIZE, .mtime_ns = 5 * SEC,
	    .ctime_ns = 6 * SEC, .ino = 9 }, .has_md5 = true,
	    .newest = true };

	memset(s.md5, 0xaa, sizeof(s.md5));
	etag_single(s.md5, s.etag);
	return s;
}

/* Read back, and all as it must be; the file too. */
static struct fetch_item
item(void)
{
	struct fetch_item it = { .key = (char []){ "h/s/f" },
	    .raw = (char []){ "f" }, .has_stored = true,
	    .stored = stored(), .size = SIZE, .modified_sec = 10,
	    .result = { .hashed = true, .file_hashed = true } };

	memset(it.result.md5, 0xaa, sizeof(it.result.md5));
	memset(it.result.file_md5, 0xaa, sizeof(it.result.file_md5));
	it.result.file_attrs = it.stored.attrs;
	return it;
}

static void
expect(const struct judged *j, enum verdict v, enum outcome e, bool lost)
{
	assert_string_equal(verdict_name(j->verdict) == NULL ? "" :
	    verdict_name(j->verdict), verdict_name(v) == NULL ? "" :
	    verdict_name(v));
	assert_int_equal(j->outcome, e);
	assert_int_equal(j->lost, lost);
	/* Whoever reads a row wants to know why. */
	if (v != VERDICT_OK && v != VERDICT_NONE)
		assert_int_not_equal(j->err.kind, ERR_NONE);
}

static void
expect_read(const struct fetch_item *it, enum verdict v, enum outcome e,
    bool lost)
{
	struct judged j;

	verdict_read(it, 0, &j);
	expect(&j, v, e, lost);
}

static void
test_listed(void **state UNUSED)
{
	struct stored s = stored();
	char other[72] = "0123456789abcdef0123456789abcdef";
	struct judged j;

	verdict_listed(&s, SIZE, s.etag, &j);
	expect(&j, VERDICT_OK, OUTCOME_MOVED, false);
	verdict_listed(&s, SIZE - 1, s.etag, &j);
	expect(&j, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	verdict_listed(&s, SIZE, other, &j);
	expect(&j, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	/* Other parts of perhaps the same bytes, either way. */
	verdict_listed(&s, SIZE, "0123456789abcdef0123456789abcdef-2", &j);
	expect(&j, VERDICT_UNREADABLE, OUTCOME_FAILED, false);
	verdict_listed(&s, SIZE + 1, "0123456789abcdef0123456789abcdef-2", &j);
	expect(&j, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	snprintf(s.etag, sizeof(s.etag), "%.32s-3", other);
	verdict_listed(&s, SIZE, other, &j);
	expect(&j, VERDICT_UNREADABLE, OUTCOME_FAILED, false);
	/* Two empty ETags prove nothing. */
	s.etag[0] = '\0';
	verdict_listed(&s, SIZE, "", &j);
	expect(&j, VERDICT_UNREADABLE, OUTCOME_FAILED, false);
}

static void
test_listed_newer(void **state UNUSED)
{
	struct stored s = stored();
	struct judged j;

	s.newest = false;
	verdict_listed(&s, SIZE, s.etag, &j);
	expect(&j, VERDICT_CHANGED, OUTCOME_MOVED, false);
	s.gone = true;
	verdict_listed(&s, SIZE, s.etag, &j);
	expect(&j, VERDICT_OK, OUTCOME_MOVED, false);
	verdict_missing(&s, &j);
	expect(&j, VERDICT_MISSING, OUTCOME_FAILED, true);
}

static void
test_read(void **state UNUSED)
{
	struct fetch_item it = item();

	expect_read(&it, VERDICT_OK, OUTCOME_MOVED, false);
	it.raw = NULL;
	memset(&it.result.file_attrs, 0, sizeof(it.result.file_attrs));
	expect_read(&it, VERDICT_OK, OUTCOME_MOVED, false);
	it.result.md5[15] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	it = item();
	it.size++;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	it = item();
	it.result.outcome = OUTCOME_GONE;
	expect_read(&it, VERDICT_MISSING, OUTCOME_FAILED, true);
	it = item();
	it.result.outcome = OUTCOME_FAILED;
	err_set(&it.result.err, ERR_DENIED, 403, "no");
	expect_read(&it, VERDICT_UNREADABLE, OUTCOME_FAILED, false);
}

/* Where only its parts were hashed they are the proof: those that the catalog
 * knows, or else the ETag. */
static void
test_read_parts(void **state UNUSED)
{
	struct fetch_item it = item();
	uint8_t md5s[2 * MD5_LEN];

	memset(md5s, 0x55, sizeof(md5s));
	it.result.hashed = false;
	it.raw = NULL;
	it.stored.part_md5s = md5s;
	it.stored.part_count = 2;
	etag_multipart(md5s, 2, it.result.etag_computed);
	expect_read(&it, VERDICT_OK, OUTCOME_MOVED, false);
	it.result.etag_computed[0] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	it.stored.part_md5s = NULL;
	etag_multipart(md5s, 2, it.stored.etag);
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	it.result.etag_computed[0] ^= 1;
	expect_read(&it, VERDICT_OK, OUTCOME_MOVED, false);
}

/* The file was hashed in the same parts. */
static void
test_read_parts_file(void **state UNUSED)
{
	struct fetch_item it = item();
	uint8_t md5s[2 * MD5_LEN];
	char etag[72];

	memset(md5s, 0x55, sizeof(md5s));
	etag_multipart(md5s, 2, etag);
	etag[2 * MD5_LEN] = '\0';
	assert_true(hex_decode(etag, it.result.md5, MD5_LEN));
	memcpy(it.result.file_md5, it.result.md5, MD5_LEN);
	it.result.hashed = false;
	it.stored.part_md5s = md5s;
	it.stored.part_count = 2;
	etag_multipart(md5s, 2, it.result.etag_computed);
	expect_read(&it, VERDICT_OK, OUTCOME_MOVED, false);
	it.result.file_md5[0] ^= 1;
	expect_read(&it, VERDICT_BITROT, OUTCOME_FAILED, false);
	/* Neither is what was put: nothing good is left. */
	it.result.etag_computed[0] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, false);
	it.result.file_md5[0] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
}

/* Its times may have hidden a change: that is no rot, and no reason to keep
 * the file from being put. */
static void
test_read_fresh(void **state UNUSED)
{
	struct fetch_item it = item();

	it.stored.fresh = true;
	it.result.file_md5[0] ^= 1;
	expect_read(&it, VERDICT_CHANGED, OUTCOME_MOVED, false);
	it.result.md5[3] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
}

static void
test_read_file(void **state UNUSED)
{
	struct fetch_item it = item();

	/* Bit rot, and only with stat as it was. */
	it.result.file_md5[0] ^= 1;
	expect_read(&it, VERDICT_BITROT, OUTCOME_FAILED, false);
	it.result.file_attrs.mtime_ns++;
	expect_read(&it, VERDICT_CHANGED, OUTCOME_MOVED, false);
	it.result.file_attrs = it.stored.attrs;
	it.result.file_torn = true;
	expect_read(&it, VERDICT_CHANGED, OUTCOME_MOVED, false);
	/* Neither hides an object that is not what was put. */
	it.result.md5[3] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	/* Nothing good is left: it must not be overwritten with rot. */
	it.result.file_torn = false;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, false);
	it = item();
	it.result.md5[3] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
	it = item();
	err_set(&it.result.file_err, ERR_GONE, 0, "gone");
	expect_read(&it, VERDICT_OK, OUTCOME_MOVED, false);
	err_set(&it.result.file_err, ERR_DENIED, 0, "permission denied");
	expect_read(&it, VERDICT_UNREADABLE, OUTCOME_FAILED, false);
	it.result.md5[3] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, true);
}

static void
test_what_is_ignored(void **state UNUSED)
{
	struct fetch_item it = item();
	struct judged j;

	it.result.file_attrs.ino++;
	expect_read(&it, VERDICT_CHANGED, OUTCOME_MOVED, false);
	verdict_read(&it, ATTRS_INO, &j);
	expect(&j, VERDICT_OK, OUTCOME_MOVED, false);
	it.result.file_attrs.ctime_ns++;
	verdict_read(&it, ATTRS_INO, &j);
	expect(&j, VERDICT_CHANGED, OUTCOME_MOVED, false);
	verdict_read(&it, ATTRS_INO | ATTRS_CTIME, &j);
	expect(&j, VERDICT_OK, OUTCOME_MOVED, false);
}

/* An object that the catalog does not know. */
static void
test_unknown(void **state UNUSED)
{
	struct fetch_item it = item();

	it.has_stored = false;
	memset(&it.stored, 0, sizeof(it.stored));
	expect_read(&it, VERDICT_OK, OUTCOME_MOVED, false);
	it.result.file_md5[0] ^= 1;
	expect_read(&it, VERDICT_CORRUPT, OUTCOME_FAILED, false);
	it.result.file_attrs.mtime_ns = 11 * SEC;
	expect_read(&it, VERDICT_CHANGED, OUTCOME_FAILED, false);
	it.result.file_attrs.mtime_ns = 5 * SEC;
	it.result.file_md5[0] ^= 1;
	it.result.file_torn = true;
	expect_read(&it, VERDICT_CHANGED, OUTCOME_FAILED, false);
	err_set(&it.result.file_err, ERR_UNREACHABLE, 0, "no answer");
	expect_read(&it, VERDICT_UNREADABLE, OUTCOME_FAILED, false);
	err_set(&it.result.file_err, ERR_GONE, 0, "gone");
	expect_read(&it, VERDICT_NONE, OUTCOME_EXCLUDED, false);
	err_set(&it.result.file_err, ERR_INVALID, 0, "not a path");
	expect_read(&it, VERDICT_NONE, OUTCOME_EXCLUDED, false);
	it.raw = NULL;
	expect_read(&it, VERDICT_NONE, OUTCOME_EXCLUDED, false);
	it.result.outcome = OUTCOME_GONE;
	expect_read(&it, VERDICT_NONE, OUTCOME_GONE, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_listed_newer),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_parts),
		cmocka_unit_test(test_read_parts_file),
		cmocka_unit_test(test_read_fresh),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_what_is_ignored),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
