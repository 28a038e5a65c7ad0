/*
 * Which file system a mounted tree says that something lies in: with mounts
 * of its own, in a private mount namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tree/tree.h"

static char dir[] = "/tmp/test_tree_mounts.XXXXXX";
static bool can_mount;

struct seen {
	int	 ends;
	enum err_kind kind;
	struct attrs attrs;	/* of the entry */
	struct attrs listed;	/* of the directory */
	const char *want;	/* its name */
	struct tree *tree;
};

static void
on_page(void *arg, const struct tree_entry *e, size_t n)
{
	struct seen *s = arg;

	s->listed = *tree_listed(s->tree);
	for (size_t i = 0; i < n; i++)
		if (str_eq(e[i].name, str_of(s->want)))
			s->attrs = e[i].attrs;
}

static void
on_end(void *arg, const struct err *err)
{
	struct seen *s = arg;

	s->ends++;
	s->kind = err == NULL ? ERR_NONE : err->kind;
	if (err == NULL)
		s->listed = *tree_listed(s->tree);
}

static void
on_entry(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct seen *s = arg;

	s->ends++;
	s->kind = err == NULL ? ERR_NONE : err->kind;
	if (err == NULL)
		s->attrs = e->attrs;
}

static struct tree *
tree_at(const char *share)
{
	struct tree_spec spec = { .type = TREE_POSIX, .share = share };
	struct err err = ERR_INIT;
	struct tree *t;

	assert_int_equal(tree_open(&t, &spec, &err), 0);
	return t;
}

static uint64_t
root_fsid(const char *share)
{
	struct tree *t = tree_at(share);
	struct attrs root;

	tree_root(t, NULL, &root);
	tree_free(&t);
	return root.fsid;
}

/* By its parent's listing, by its own, and by its path: all say the same. */
static uint64_t
fsid_in(struct tree *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct seen up = { .tree = t }, own = { .tree = t, .want = "" };
	struct seen look = { .tree = t };

	up.want = slash == NULL ? path : slash + 1;
	tree_list(t, NULL, (struct str){ path, slash == NULL ? 0 :
	    (size_t)(slash - path) }, on_page, on_end, &up);
	tree_list(t, NULL, str_of(path), on_page, on_end, &own);
	tree_lookup(t, str_of(path), on_entry, &look);
	while (up.ends == 0 || own.ends == 0 || look.ends == 0)
		tree_service(t, NULL, 0);
	assert_int_equal(up.attrs.kind, ENTRY_DIR);
	assert_int_equal(own.listed.kind, ENTRY_DIR);
	assert_true(up.attrs.fsid == own.listed.fsid);
	assert_true(look.attrs.fsid == own.listed.fsid);
	return own.listed.fsid;
}

/* Through a tree that is opened for it. */
static uint64_t
fsid_of(const char *share, const char *path)
{
	struct tree *t = tree_at(share);
	uint64_t fsid = fsid_in(t, path);

	tree_free(&t);
	return fsid;
}

static void
do_mount(const char *source, const char *at, const char *type,
    unsigned long flags, const char *data)
{
	if (mount(source, at, type, flags, data) == -1)
		fail_msg("mount %s at %s: %s", source, at, strerror(errno));
}

static void
do_umount(const char *at)
{
	if (umount2(at, MNT_DETACH) == -1)
		fail_msg("umount %s: %s", at, strerror(errno));
}

/* What a user is called inside of a namespace. */
static void
write_map(const char *path, unsigned id)
{
	char text[64];
	int fd = open(path, O_WRONLY);
	int n = snprintf(text, sizeof(text), "0 %u 1", id);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, (size_t)n), n);
	close(fd);
}

/* As root, or as the root of a user namespace of our own. */
static bool
own_namespace(void)
{
	unsigned uid = getuid();

	if (unshare(CLONE_NEWNS) == -1) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
			return false;
		write_map("/proc/self/uid_map", uid);
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int
setup(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	can_mount = own_namespace();
	if (!can_mount)
		return chdir(dir);
	/* All in one file system, that goes with the namespace. */
	do_mount("base", dir, "tmpfs", 0, NULL);
	if (chdir(dir) == -1)
		return -1;
	mkdir("share", 0755);
	mkdir("share/vol", 0755);
	mkdir("share/with space", 0755);
	mkdir("share/plain", 0755);
	mkdir("share/plain/sub", 0755);
	mkdir("other", 0755);
	mkdir("other/in", 0755);
	mkdir("lower", 0755);
	mkdir("upper", 0755);
	mkdir("work", 0755);
	mkdir("upper2", 0755);
	mkdir("work2", 0755);
	mkdir("at", 0755);
	mkdir("at2", 0755);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	if (chdir("/") == -1)
		return -1;
	if (can_mount)
		do_umount(dir);
	return rmdir(dir);
}

static void
need_mounts(void)
{
	if (!can_mount) {
		print_message("mounts: no mount namespace of its own\n");
		skip();
	}
}

static void
test_nested(void **state UNUSED)
{
	uint64_t root = root_fsid("share"), first, second;

	need_mounts();
	assert_true(fsid_of("share", "vol") == root);
	assert_true(fsid_of("share", "plain/sub") == root);
	do_mount("none", "share/vol", "tmpfs", 0, NULL);
	first = fsid_of("share", "vol");
	assert_true(first != root);
	assert_true(fsid_of("share", "vol") == first);
	assert_true(fsid_of("share", "plain/sub") == root);
	do_umount("share/vol");
	assert_true(fsid_of("share", "vol") == root);
	do_mount("none", "share/vol", "tmpfs", 0, NULL);
	second = fsid_of("share", "vol");
	/* Another one, by the id that the kernel gives it. */
	assert_true(second != root && second != first);
	do_umount("share/vol");
}

/* The same device, type and source as around it. */
static void
test_bind(void **state UNUSED)
{
	uint64_t root = root_fsid("share"), bound;

	need_mounts();
	do_mount("other", "share/vol", NULL, MS_BIND, NULL);
	bound = fsid_of("share", "vol");
	assert_true(bound != root);
	assert_true(fsid_of("share", "vol/in") == bound);
	do_mount("other", "share/with space", NULL, MS_BIND, NULL);
	assert_true(fsid_of("share", "with space") != bound);
	assert_true(fsid_of("share", "with space") != root);
	do_umount("share/with space");
	do_umount("share/vol");
	do_mount("other", "share/vol", NULL, MS_BIND, NULL);
	assert_true(fsid_of("share", "vol") == bound);
	do_umount("share/vol");
	do_mount("lower", "share/vol", NULL, MS_BIND, NULL);
	assert_true(fsid_of("share", "vol") != bound);
	do_umount("share/vol");
}

static dev_t
dev_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_dev;
}

#define LAYERS "lowerdir=lower,upperdir=upper,workdir=work"
#define LAYERS2 "lowerdir=lower,upperdir=upper2,workdir=work2"

/* Mounted again it has another device, and is the same. */
static void
test_overlay(void **state UNUSED)
{
	struct seen look = { .ends = 0 };
	struct tree *t;
	uint64_t first;
	dev_t dev;

	need_mounts();
	if (mount("overlay", "at", "overlay", 0, LAYERS) == -1) {
		print_message("overlay: mount: %s\n", strerror(errno));
		skip();
	}
	first = root_fsid("at");
	dev = dev_of("at");
	do_umount("at");
	/* Takes the device that has become free. */
	do_mount("none", "at2", "tmpfs", 0, NULL);
	do_mount("overlay", "at", "overlay", 0, LAYERS);
	assert_true(dev_of("at") != dev);
	assert_true(root_fsid("at") == first);
	do_umount("at2");
	/* Also for a tree whose root was left behind. */
	t = tree_at("at");
	do_umount("at");
	do_mount("overlay", "at", "overlay", 0, LAYERS);
	tree_lookup(t, STR("nothing"), on_entry, &look);
	while (look.ends == 0)
		tree_service(t, NULL, 0);
	assert_int_equal(look.kind, ERR_GONE);
	tree_free(&t);
	/* Where the share itself is mounted doesn't matter. */
	do_mount("at", "at2", NULL, MS_MOVE, NULL);
	assert_true(root_fsid("at2") == first);
	do_umount("at2");
	/* One inside the other: alike but for their layers. */
	do_mount("overlay", "at", "overlay", 0, LAYERS2);
	assert_true(root_fsid("at") != first);
	do_umount("at");
}

/* A tree that is open sees what comes and goes. */
static void
test_meanwhile(void **state UNUSED)
{
	struct tree *t = tree_at("share");
	uint64_t root = root_fsid("share"), first;

	need_mounts();
	assert_true(fsid_in(t, "vol") == root);
	do_mount("none", "share/vol", "tmpfs", 0, NULL);
	first = fsid_in(t, "vol");
	assert_true(first != root);
	do_umount("share/vol");
	/* It gets the number of the mount that went, and may get its device
	 * as well. */
	do_mount("none", "share/vol", "tmpfs", 0, NULL);
	assert_true(fsid_in(t, "vol") != first);
	do_umount("share/vol");
	assert_true(fsid_in(t, "vol") == root);
	tree_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_meanwhile),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
