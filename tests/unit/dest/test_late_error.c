/*
 * A destination whose errors come late, as those of a mounted server do.
 */
#include <sys/syscall.h>

#include "kit/dest.h"

/* The first file to be closed, and only it, has bad news. */
static bool news;

int
close(int fd)
{
	struct stat st;
	bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	int rc = (int)syscall(SYS_close, fd);

	if (!news || !file)
		return rc;
	news = false;
	errno = ENOSPC;
	return -1;
}

static void
test_no_space(void **state UNUSED)
{
	struct dest_want want = { .size = 3, .range = 3 };
	struct dest_meta none = { .mode = 0 };
	struct err err = ERR_INIT;
	struct dest_file *f;

	assert_int_equal(dest_begin(dest, STR("f"), &want, &f, &err), 0);
	assert_int_equal(dest_write(f, 0, "abc", 3, &err), 0);
	assert_int_equal(dest_range_done(f, 0, &err), 0);
	news = true;
	assert_int_equal(dest_commit(f, &none, false, false, &err), -1);
	assert_int_equal(err.code, ENOSPC);
	dest_abort(&f, false);
	assert_false(dest_kit_is_there("to/f"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_space),
	};

	return cmocka_run_group_tests(tests, dest_kit_setup, dest_kit_teardown);
}
