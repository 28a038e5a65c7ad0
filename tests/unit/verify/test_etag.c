#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verify/etag.h"

#define A	"0123456789abcdef0123456789abcdef"
#define B	"1123456789abcdef0123456789abcdef"

static enum etag_word
word(enum etag_of of, const char *expected, const char *got, unsigned known)
{
	return etag_judge(&(struct etag_case){ .of = of,
	    .expected = expected, .got = got, .known = known });
}

static void
test_words(void **state UNUSED)
{
	unsigned digest = KNOWN_DIGEST(ETAG_WHOLE);
	unsigned opaque = KNOWN_OPAQUE(ETAG_WHOLE);

	assert_int_equal(word(ETAG_WHOLE, A, A, 0), ETAG_PROVES);
	assert_int_equal(word(ETAG_WHOLE, A, A, opaque), ETAG_PROVES);
	assert_int_equal(word(ETAG_JOINED, A "-2", A "-2", 0), ETAG_PROVES);
	/* Only a store whose ETags were digests says "other bytes". */
	assert_int_equal(word(ETAG_WHOLE, A, B, 0), ETAG_DOUBT);
	assert_int_equal(word(ETAG_WHOLE, A, B, digest), ETAG_DIFFERS);
	assert_int_equal(word(ETAG_WHOLE, A, B, opaque), ETAG_SILENT);
	assert_int_equal(word(ETAG_WHOLE, A, B, digest | opaque),
	    ETAG_DIFFERS);
	/* What is known of single PUTs says nothing of uploads. */
	assert_int_equal(word(ETAG_JOINED, A "-2", B "-2", digest),
	    ETAG_DOUBT);
	/* These can't be digests of these bytes. */
	assert_int_equal(word(ETAG_WHOLE, A, B "-1", digest), ETAG_SILENT);
	assert_int_equal(word(ETAG_WHOLE, A, "", digest), ETAG_SILENT);
	assert_int_equal(word(ETAG_WHOLE, A, "opaque", digest), ETAG_SILENT);
	assert_int_equal(word(ETAG_JOINED, A "-2", A "-3", digest),
	    ETAG_SILENT);
}

static void
test_encrypted(void **state UNUSED)
{
	struct etag_case c = { .of = ETAG_WHOLE, .expected = A, .got = B,
	    .opaque = true, .known = KNOWN_DIGEST(ETAG_WHOLE) };

	assert_int_equal(etag_judge(&c), ETAG_SILENT);
	/* Of objects that are not encrypted so that says nothing. */
	assert_int_equal(etag_teaches(&c, ETAG_SILENT), 0);
	c.opaque = false;
	assert_int_equal(etag_teaches(&c, ETAG_SILENT),
	    KNOWN_OPAQUE(ETAG_WHOLE));
	assert_int_equal(etag_teaches(&c, ETAG_PROVES),
	    KNOWN_DIGEST(ETAG_WHOLE));
	assert_int_equal(etag_teaches(&c, ETAG_DOUBT), 0);
	assert_false(etag_is_digest("aws:kms:key"));
	assert_true(etag_is_digest("AES256"));
	assert_true(etag_is_digest(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_encrypted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
