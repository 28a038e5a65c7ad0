/* What proves an object that is read back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fetch/fetch_internal.h"

#define HEX "900150983cd24fb0d6963f7d28e17f72"	/* of "abc" */

static void
set_etag(char etag[72], const char *text)
{
	snprintf(etag, 72, "%s", text);
}

static void
the_etag_alone(void **state)
{
	static const struct {
		uint64_t size;
		const char *etag, *sse;
		enum fetch_proof proof;
		bool ask;
		uint64_t part_size;
	} rows[] = {
		{ 3, HEX, "", PROOF_ETAG, false, 0 },
		{ 3, HEX, "AES256", PROOF_ETAG, false, 0 },
		{ 3, HEX, "aws:kms", PROOF_NONE, false, 0 },
		{ 3, "", "", PROOF_NONE, false, 0 },
		{ 3, HEX "0", "", PROOF_NONE, false, 0 },
		{ 3, "z" HEX, "", PROOF_NONE, false, 0 },
		{ 3, HEX "-", "", PROOF_NONE, false, 0 },
		{ 3, HEX "-0", "", PROOF_NONE, false, 0 },
		{ 3, HEX "-2x", "", PROOF_NONE, false, 0 },
		{ 3, HEX "-10001", "", PROOF_NONE, false, 0 },
		{ 3, HEX "-1", "", PROOF_ETAG, false, 3 },
		{ 0, HEX "-1", "", PROOF_ETAG, false, 1 },
		{ 20 * MIB, HEX "-3", "", PROOF_ETAG, true, 0 },
		{ 20 * MIB, HEX "-3", "aws:kms:k", PROOF_NONE, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fetch_item it = { .size = rows[i].size };
		struct fetch_claim c;

		set_etag(it.etag, rows[i].etag);
		claim_make(&c, &it, rows[i].sse);
		if (c.proof != rows[i].proof || c.ask != rows[i].ask ||
		    c.part_size != rows[i].part_size || c.has_md5)
			fail_msg("row %zu", i);
	}
}

static void
the_catalog_counts_for_its_etag(void **state)
{
	struct fetch_item it = { .size = 20 * MIB, .has_stored = true };
	struct fetch_claim c;
	uint8_t md5s[3 * MD5_LEN] = { 1 };

	(void)state;
	set_etag(it.etag, HEX "-3");
	set_etag(it.stored.etag, HEX "-3");
	it.stored.attrs.size = 20 * MIB;
	it.stored.part_size = 8 * MIB;
	it.stored.has_md5 = true;
	claim_make(&c, &it, "");
	assert_int_equal(c.proof, PROOF_CATALOG);
	assert_int_equal(c.part_size, 8 * MIB);
	assert_int_equal(c.part_count, 3);
	/* Where the ETag is no digest, the MD5 of the whole is. */
	claim_make(&c, &it, "aws:kms");
	assert_int_equal(c.part_size, 0);
	assert_true(c.has_md5);
	it.stored.part_md5s = md5s;
	it.stored.part_count = 3;
	claim_make(&c, &it, "aws:kms");
	assert_int_equal(c.part_size, 8 * MIB);
	assert_ptr_equal(c.part_md5s, md5s);
	/* Another object now: what the catalog knows is of no use. */
	set_etag(it.stored.etag, HEX);
	claim_make(&c, &it, "");
	assert_int_equal(c.proof, PROOF_ETAG);
	assert_true(c.ask);
	set_etag(it.stored.etag, HEX "-3");
	it.stored.attrs.size++;
	claim_make(&c, &it, "");
	assert_int_equal(c.proof, PROOF_ETAG);
}

static void
part_sizes_are_told_or_guessed(void **state)
{
	struct fetch_item it = { .size = 20 * MIB };
	struct fetch_claim c;

	(void)state;
	set_etag(it.etag, HEX "-3");
	claim_make(&c, &it, "");
	assert_true(claim_answer(&c, &it, 9 * MIB, 3));
	assert_int_equal(c.part_size, 9 * MIB);
	assert_false(claim_guess(&c, &it));
	/* Parts that are unequal. */
	claim_make(&c, &it, "");
	assert_false(claim_answer(&c, &it, 5 * MIB, 3));
	claim_make(&c, &it, "");
	assert_false(claim_answer(&c, &it, 9 * MIB, 4));
	/* 7, 8 and 9 MiB would make three parts; 9 is not among the common. */
	claim_make(&c, &it, "");
	assert_true(claim_answer(&c, &it, 20 * MIB, 0));
	assert_int_equal(c.part_size, 8 * MIB);
	assert_true(claim_guess(&c, &it));
	assert_int_equal(c.part_size, 7 * MIB);
	assert_false(claim_guess(&c, &it));
}

static void
bytes_hold_or_not(void **state)
{
	struct fetch_item it = { .size = 3 };
	struct fetch_claim c;
	struct md5 md5;
	uint8_t digest[MD5_LEN];
	char etag[72];

	(void)state;
	md5_init(&md5);
	md5_update(&md5, "abc", 3);
	md5_final(&md5, digest);
	set_etag(it.etag, HEX);
	claim_make(&c, &it, "");
	assert_true(claim_holds(&c, &it, &md5, NULL));
	assert_true(it.result.hashed);
	assert_string_equal(it.result.etag_computed, HEX);
	md5_update(&md5, "d", 1);
	assert_false(claim_holds(&c, &it, &md5, NULL));
	etag_multipart(digest, 1, etag);
	set_etag(it.etag, etag);
	claim_make(&c, &it, "");
	assert_true(claim_holds(&c, &it, NULL, digest));
	digest[0] ^= 1;
	assert_false(claim_holds(&c, &it, NULL, digest));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_etag_alone),
		cmocka_unit_test(the_catalog_counts_for_its_etag),
		cmocka_unit_test(part_sizes_are_told_or_guessed),
		cmocka_unit_test(bytes_hold_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
