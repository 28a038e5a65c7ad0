#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verify/etag.h"

static void
test_proof(void **state UNUSED)
{
	struct err err = ERR_INIT;

	assert_int_equal(etag_check("aa", "aa", NULL, &err), 0);
	assert_int_equal(etag_check("aa", "AA", "AES256", &err), 0);
	assert_int_equal(etag_check("aa", "ab", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_CORRUPT);
	assert_int_equal(etag_check("aa", "", NULL, &err), -1);
	assert_int_equal(etag_check("aa", "ab", "aws:kms:key", &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
