/* Mounting from a server that takes the connection and never says a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "tree/tree.h"

static int listener = -1;
static unsigned port;

static int
setup(void **state UNUSED)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(listener, -1);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len),
	    0);
	port = ntohs(a.sin_port);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	close_fd(&listener);
	return 0;
}

static void
try_open(unsigned version, unsigned timeout_ms, const _Atomic bool *stop,
    struct err *err)
{
	struct tree_spec spec = { .type = TREE_NFS, .server = "127.0.0.1",
	    .share = "/export", .timeout_ms = timeout_ms, .stop = stop,
	    .access = { .nfs_version = version, .nfsport = port,
	    .mountport = port } };
	struct tree *tree = NULL;

	assert_int_equal(tree_open(&tree, &spec, err), -1);
	assert_null(tree);
}

/* It would wait for ten minutes. */
static void
test_stop(void **state UNUSED)
{
	static const unsigned versions[] = { 3, 4, 0 };
	_Atomic bool stop = true;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct err err = ERR_INIT;

		try_open(versions[i], 600000, &stop, &err);
		assert_int_equal(err.kind, ERR_STOPPED);
	}
}

/* Both versions together have the time that one had, so each is cut before
 * its own call would be. */
static void
test_time_is_shared(void **state UNUSED)
{
	struct err err = ERR_INIT;
	const char *first;

	try_open(0, 400, NULL, &err);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	first = strstr(err.msg, "no answer in time");
	assert_non_null(first);
	assert_non_null(strstr(first + 1, "no answer in time"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_is_shared, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
