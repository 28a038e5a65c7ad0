/*
 * A server whose name has several addresses: those that refuse are passed
 * over, the others share the connections, and one that is lost is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>

#include "kit/fake_nfs.h"

#include "tree/tree.h"

#define ADDRESSES	3	/* 127.0.0.1, .2, .3 */
#define LOOK_MAX	8	/* at most so many look-ups find a new way */

static struct fake fakes[ADDRESSES];
static struct tree *tree;
/* What the resolver says. */
static struct sockaddr_in sins[ADDRESSES];
static struct addrinfo infos[ADDRESSES];

/* In place of libc's, which libnfs asks for numeric addresses. */
int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **ret)
{
	int (*next)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);

	if (strcmp(node, "filer") == 0) {
		*ret = infos;
		return 0;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
	return next(node, service, hints, ret);
}

void
freeaddrinfo(struct addrinfo *list)
{
	void (*next)(struct addrinfo *);

	if (list == infos)
		return;
	*(void **)&next = dlsym(RTLD_NEXT, "freeaddrinfo");
	next(list);
}

static in_addr_t
address(unsigned i)
{
	return htonl(INADDR_LOOPBACK + i);
}

/* base keeps the addresses of one test from being remembered as lost by the
 * next. */
static void
name(unsigned base, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		sins[i] = (struct sockaddr_in){ .sin_family = AF_INET,
		    .sin_addr.s_addr = address(base + i) };
		infos[i] = (struct addrinfo){ .ai_family = AF_INET,
		    .ai_socktype = SOCK_STREAM,
		    .ai_addrlen = sizeof(sins[i]),
		    .ai_addr = (struct sockaddr *)&sins[i],
		    .ai_next = i + 1 < count ? &infos[i + 1] : NULL };
	}
}

/* All that are served have the same port. */
static void
serve(unsigned base, unsigned i)
{
	struct fake *f = &fakes[i];

	memset(f, 0, sizeof(*f));
	f->files = 3;
	f->rtmax = 65536;
	f->address = address(base + i);
	for (unsigned k = 0; k < ADDRESSES && f->port == 0; k++)
		f->port = fakes[k].port;
	fake_nfs_start(f);
}

static int
try_open(unsigned version, struct err *err)
{
	int port = 0;

	for (unsigned k = 0; k < ADDRESSES && port == 0; k++)
		port = fakes[k].port;
	return tree_open(&tree, &(struct tree_spec){ .type = TREE_NFS,
	    .server = "filer", .share = "/export", .timeout_ms = 2000,
	    .access = { .nfs_version = version, .nfsport = (unsigned)port,
	    .mountport = (unsigned)port } }, err);
}

struct looked {
	unsigned ends;
	struct err err;
};

static void
on_look(void *arg, const struct tree_entry *e UNUSED, const struct err *err)
{
	struct looked *l = arg;

	l->ends++;
	l->err = (struct err)ERR_INIT;
	if (err != NULL)
		l->err = *err;
}

static enum err_kind
look(void)
{
	struct looked l = { .ends = 0 };

	tree_lookup(tree, STR("f1"), on_look, &l);
	while (l.ends == 0) {
		struct pollfd fds[2];
		int n = tree_fds(tree, fds, 2);

		poll(fds, (nfds_t)n, tree_timeout_ms(tree));
		tree_service(tree, fds, n);
	}
	return l.err.kind;
}

/* Wherever it begins: one that refuses leaves nothing behind. */
static void
test_one_refuses(void **state UNUSED)
{
	name(10, 2);
	memset(fakes, 0, sizeof(fakes));
	serve(10, 1);
	for (int i = 0; i < 4; i++) {
		struct err err = ERR_INIT;

		assert_int_equal(try_open(i % 2 == 0 ? 3 : 0, &err), 0);
		assert_int_equal(err.kind, ERR_NONE);
		assert_int_equal(look(), ERR_NONE);
		tree_free(&tree);
	}
	fake_nfs_stop(&fakes[1]);
}

/* One that is there and doesn't let us in says more than one that isn't, but
 * the next is tried. */
static void
test_one_denies(void **state UNUSED)
{
	struct err err = ERR_INIT;

	name(20, 3);
	memset(fakes, 0, sizeof(fakes));
	serve(20, 1);
	fakes[1].mnt_status = 13;
	for (int i = 0; i < 3; i++) {
		err_clear(&err);
		assert_int_equal(try_open(3, &err), -1);
		assert_int_equal(err.kind, ERR_DENIED);
	}
	serve(20, 2);
	for (int i = 0; i < 3; i++) {
		err_clear(&err);
		assert_int_equal(try_open(3, &err), 0);
		assert_int_equal(err.kind, ERR_NONE);
		tree_free(&tree);
	}
	fake_nfs_stop(&fakes[1]);
	fake_nfs_stop(&fakes[2]);
}

static void
test_spread(void **state UNUSED)
{
	struct err err = ERR_INIT;
	int least = INT32_MAX;

	name(30, 3);
	memset(fakes, 0, sizeof(fakes));
	for (unsigned i = 0; i < 3; i++)
		serve(30, i);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(try_open(3, &err), 0);
		tree_free(&tree);
	}
	/* Each has one to mount and one to read. */
	for (unsigned i = 0; i < 3; i++) {
		least = MIN(least, fakes[i].conns);
		fake_nfs_stop(&fakes[i]);
	}
	assert_int_equal(least, 6);
}

/* The one in use is lost: another takes its place, for as long as there is
 * one, and who mounts anew doesn't begin with it. */
static void
test_lost(void **state UNUSED)
{
	struct err err = ERR_INIT;
	unsigned left = 3;

	name(40, 3);
	memset(fakes, 0, sizeof(fakes));
	for (unsigned i = 0; i < 3; i++)
		serve(40, i);
	assert_int_equal(try_open(3, &err), 0);
	while (left > 1) {
		unsigned used = 0;
		int tries = 0;

		for (unsigned i = 0; i < 3; i++)
			fakes[i].lookups = 0;
		assert_int_equal(look(), ERR_NONE);
		while (fakes[used].lookups == 0)
			used++;
		fake_nfs_stop(&fakes[used]);
		left--;
		while (look() != ERR_NONE)
			assert_true(++tries < LOOK_MAX);
	}
	tree_free(&tree);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(try_open(3, &err), 0);
		tree_free(&tree);
	}
	for (unsigned i = 0; i < 3; i++)
		if (fcntl(fakes[i].listener, F_GETFD) != -1)
			fake_nfs_stop(&fakes[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_refuses),
		cmocka_unit_test(test_one_denies),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
