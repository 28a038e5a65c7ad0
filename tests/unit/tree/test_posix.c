/*
 * A tree on a local path: everything once with openat2 and once without it
 * (a seccomp filter hides it in a child).
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tree/tree.h"

static char dir[] = "/tmp/test_tree_posix.XXXXXX";
static struct tree *tree;

static void
write_file(const char *path, const char *text)
{
	int fd = openat(AT_FDCWD, path, O_CREAT | O_TRUNC | O_WRONLY, 0640);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int
setup(void **state UNUSED)
{
	struct tree_spec spec = { .type = TREE_POSIX, .share = dir };
	struct err err = ERR_INIT;

	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		return -1;
	mkdir("a", 0755);
	mkdir("a/b", 0755);
	mkdir("empty", 0755);
	mkdir("many", 0755);
	write_file("a/b/file", "hello");
	/* What "out" would find if ".." stopped at the root. */
	mkdir("etc", 0755);
	write_file("etc/passwd", "");
	write_file("zero", "");
	write_file("a/new\nline\xff", "x");
	if (symlink("b/file", "a/link") == -1 ||
	    symlink("../a/./link", "a/chain") == -1 ||
	    symlink("../../../../etc/passwd", "out") == -1 ||
	    symlink("/etc/passwd", "abs") == -1 ||
	    symlink("loop", "loop") == -1 || symlink("a", "dir") == -1 ||
	    symlink("..", "a/b/up") == -1 || symlink(".", "here") == -1 ||
	    mkfifo("fifo", 0600) == -1)
		return -1;
	for (int i = 0; i < 1203; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many/%d", i);
		write_file(name, "");
	}
	return tree_open(&tree, &spec, &err);
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *ftw UNUSED)
{
	return remove(path);
}

static int
teardown(void **state UNUSED)
{
	tree_free(&tree);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct seen {
	size_t	 n, pages;
	size_t	 odd, links, fifos;
	unsigned ends;
	enum err_kind kind;
	struct attrs attrs;
	struct tree_read r;
	char	 name[256];
};

static void
on_page(void *arg, const struct tree_entry *e, size_t n)
{
	struct seen *s = arg;

	s->pages++;
	s->n += n;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(e[i].err.kind, ERR_NONE);
		assert_int_equal(e[i].fh.len, 0);
		s->odd += str_eq(e[i].name, STR("new\nline\xff"));
		s->links += e[i].attrs.kind == ENTRY_LINK;
		s->fifos += e[i].attrs.kind == ENTRY_FIFO;
	}
}

static void
on_end(void *arg, const struct err *err)
{
	struct seen *s = arg;

	s->ends++;
	s->kind = err == NULL ? ERR_NONE : err->kind;
}

static void
on_entry(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct seen *s = arg;

	on_end(s, err);
	if (err != NULL)
		return;
	s->attrs = e->attrs;
	memcpy(s->name, e->name.p, e->name.len);
	s->name[e->name.len] = '\0';
}

static void
on_read(void *arg, const struct tree_read *r, const struct err *err)
{
	struct seen *s = arg;

	on_end(s, err);
	if (err == NULL)
		s->r = *r;
}

/* Service until it has ended, as often as the tree says it wants to. */
static void
finish(struct seen *s)
{
	assert_int_equal(s->ends, 0);
	while (s->ends == 0) {
		assert_int_equal(tree_timeout_ms(tree), 0);
		tree_service(tree, NULL, 0);
	}
	assert_int_equal(s->ends, 1);
	assert_int_equal(tree_timeout_ms(tree), -1);
}

static struct seen
list(struct str path)
{
	struct seen s = { .n = 0 };

	tree_list(tree, NULL, path, on_page, on_end, &s);
	finish(&s);
	return s;
}

static struct seen
look(struct str path, bool follow)
{
	struct seen s = { .n = 0 };

	(follow ? tree_lookup_follow : tree_lookup)(tree, path, on_entry, &s);
	finish(&s);
	return s;
}

static void
test_list(void **state UNUSED)
{
	struct seen s = list(STR("many"));

	assert_int_equal(s.n, 1203);
	assert_true(s.pages > 2);
	s = list(STR("empty"));
	assert_int_equal(s.n, 0);
	assert_int_equal(s.kind, ERR_NONE);
	s = list(STR(""));
	assert_int_equal(s.n, 11);
	assert_int_equal(s.links, 5);
	assert_int_equal(s.fifos, 1);
	s = list(STR("a"));
	assert_int_equal(s.odd, 1);
	assert_int_equal(list(STR("missing")).kind, ERR_GONE);
	assert_int_equal(list(STR("zero")).kind, ERR_GONE);
	assert_int_equal(list(STR("dir")).kind, ERR_GONE);
	assert_int_equal(list(STR("..")).kind, ERR_INVALID);
	assert_int_equal(list(STR("a\0b")).kind, ERR_INVALID);
}

static void
test_lookup(void **state UNUSED)
{
	static const struct {
		const char *path;
		bool	 follow;
		enum err_kind kind;
		enum entry_kind entry;
	} rows[] = {
		{ "", false, ERR_NONE, ENTRY_DIR },
		{ "a/b/file", false, ERR_NONE, ENTRY_FILE },
		{ "a/link", false, ERR_NONE, ENTRY_LINK },
		{ "fifo", false, ERR_NONE, ENTRY_FIFO },
		{ "dir/b/file", false, ERR_GONE, 0 },
		{ "missing", false, ERR_GONE, 0 },
		{ "a/b/file/x", false, ERR_GONE, 0 },
		{ "a/../a", false, ERR_INVALID, 0 },
		{ "/etc", false, ERR_INVALID, 0 },
		{ "", true, ERR_NONE, ENTRY_DIR },
		{ "a/b/file", true, ERR_NONE, ENTRY_FILE },
		{ "a/link", true, ERR_NONE, ENTRY_FILE },
		{ "a/chain", true, ERR_NONE, ENTRY_FILE },
		{ "dir", true, ERR_NONE, ENTRY_DIR },
		{ "dir/b/file", true, ERR_NONE, ENTRY_FILE },
		{ "here", true, ERR_NONE, ENTRY_DIR },
		{ "here/a/b/up/b/file", true, ERR_NONE, ENTRY_FILE },
		{ "out", true, ERR_GONE, 0 },
		{ "abs", true, ERR_GONE, 0 },
		{ "loop", true, ERR_GONE, 0 },
		{ "missing", true, ERR_GONE, 0 },
		{ "..", true, ERR_INVALID, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s = look(str_of(rows[i].path), rows[i].follow);

		assert_int_equal(s.kind, rows[i].kind);
		if (s.kind == ERR_NONE)
			assert_int_equal(s.attrs.kind, rows[i].entry);
	}
	assert_string_equal(look(STR("a/b/file"), false).name, "file");
	assert_int_equal(look(STR("a\0b"), false).kind, ERR_INVALID);
}

static void
test_attrs(void **state UNUSED)
{
	struct seen s = look(STR("a/b/file"), false);
	struct attrs root;
	struct stat st;

	assert_int_equal(stat("a/b/file", &st), 0);
	assert_int_equal(s.attrs.size, 5);
	assert_int_equal(s.attrs.mode, st.st_mode & 07777);
	assert_int_equal(s.attrs.uid, st.st_uid);
	assert_int_equal(s.attrs.ino, st.st_ino);
	tree_root(tree, NULL, &root);
	assert_true(s.attrs.fsid == root.fsid);
	assert_int_equal(s.attrs.mtime_ns,
	    st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
	assert_int_equal(s.attrs.ctime_ns,
	    st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
}

static struct seen
read_file(struct tree_file *f, uint64_t off, uint32_t len, char *buf)
{
	struct seen s = { .n = 0 };

	tree_file_read(f, off, len, buf, on_read, &s);
	finish(&s);
	return s;
}

static void
test_read(void **state UNUSED)
{
	struct tree_file *f = tree_file_open(tree, NULL, STR("a/b/file"));
	char buf[16];
	struct seen s = read_file(f, 0, sizeof(buf), buf);

	assert_int_equal(s.kind, ERR_NONE);
	assert_int_equal(s.r.len, 5);
	assert_true(s.r.eof);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(s.r.attrs.size, 5);
	s = read_file(f, 1, 2, buf);
	assert_int_equal(s.r.len, 2);
	assert_false(s.r.eof);
	assert_memory_equal(buf, "el", 2);
	s = read_file(f, 3, 2, buf);
	assert_true(s.r.eof);
	s = read_file(f, 9, 2, buf);
	assert_int_equal(s.r.len, 0);
	assert_true(s.r.eof);
	s = (struct seen){ .n = 0 };
	tree_file_stat(f, on_entry, &s);
	finish(&s);
	assert_int_equal(s.attrs.size, 5);
	assert_string_equal(s.name, "file");
	tree_file_close(&f);
	assert_null(f);

	f = tree_file_open(tree, NULL, STR("zero"));
	s = (struct seen){ .n = 0 };
	tree_file_stat(f, on_entry, &s);
	finish(&s);
	assert_int_equal(s.attrs.kind, ENTRY_FILE);
	s = read_file(f, 0, 4, buf);
	assert_true(s.r.eof && s.r.len == 0 && s.kind == ERR_NONE);
	tree_file_close(&f);
}

static void
test_read_refuses(void **state UNUSED)
{
	static const struct {
		const char *path;
		enum err_kind kind;
	} rows[] = {
		{ "fifo", ERR_GONE }, { "a", ERR_GONE },
		{ "missing", ERR_GONE }, { "a/link", ERR_GONE },
		{ "dir/b/file", ERR_GONE }, { "../x", ERR_INVALID },
	};
	char buf[4];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tree_file *f = tree_file_open(tree, NULL,
		    str_of(rows[i].path));

		assert_int_equal(read_file(f, 0, 4, buf).kind, rows[i].kind);
		tree_file_close(&f);
	}
}

/* Everything again in a process that has no openat2. */
static void
test_without_openat2(void **state UNUSED)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_LEN(code), code };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* A failed assertion must not go on in this process. */
		const struct CMUnitTest again[] = {
			cmocka_unit_test(test_list),
			cmocka_unit_test(test_lookup),
			cmocka_unit_test(test_attrs),
			cmocka_unit_test(test_read),
			cmocka_unit_test(test_read_refuses),
		};

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1)
			_exit(77);
		_exit(cmocka_run_group_tests(again, NULL, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("again without openat2: it can't be hidden\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_open_errors(void **state UNUSED)
{
	struct tree_spec spec = { .type = TREE_POSIX, .share = "/missing" };
	struct err err = ERR_INIT;
	struct tree *t;

	assert_int_equal(tree_open(&t, &spec, &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	spec.share = "/etc/passwd";
	assert_int_equal(tree_open(&t, &spec, &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_null(t);
}

/* Another host's look at the directory shows that a mount is missing. */
static void
test_missing_mount(void **state UNUSED)
{
	char empty[] = "/tmp/test_tree_posix_XXXXXX";
	struct tree_spec spec = { .type = TREE_POSIX, .share = dir };
	struct err err = ERR_INIT;
	struct tree *t;

	assert_int_equal(tree_peek(dir, &spec.root_ino, &spec.filled, &err),
	    0);
	assert_int_not_equal(spec.root_ino, 0);
	assert_true(spec.filled);
	assert_int_equal(tree_open(&t, &spec, &err), 0);
	tree_free(&t);
	assert_non_null(mkdtemp(empty));
	spec.share = empty;
	assert_int_equal(tree_open(&t, &spec, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_non_null(strstr(err.msg, "is it mounted"));
	/* Where inodes say nothing, something must be there. */
	spec.root_ino = 0;
	assert_int_equal(tree_open(&t, &spec, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	spec.filled = false;
	assert_int_equal(tree_open(&t, &spec, &err), 0);
	tree_free(&t);
	assert_int_equal(tree_peek(empty, &spec.root_ino, &spec.filled, &err),
	    0);
	assert_false(spec.filled);
	assert_int_equal(rmdir(empty), 0);
	assert_int_equal(tree_peek(empty, &spec.root_ino, &spec.filled, &err),
	    -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
}

static char synced[64];		/* the last name that was asked of a server */

int
statx(int fd, const char *restrict name, int flags, unsigned mask,
    struct statx *restrict st)
{
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_FORCE_SYNC)
		snprintf(synced, sizeof(synced), "%s%s", name,
		    (flags & AT_EMPTY_PATH) != 0 ? "(itself)" : "");
	return (int)syscall(SYS_statx, fd, name, flags, mask, st);
}

/* What a path leads to is asked of the server of a mount, and is not what its
 * client has in a cache. */
static void
test_lookup_is_fresh(void **state UNUSED)
{
	struct seen s = { .n = 0 };

	assert_int_equal(look(STR("a/b/file"), false).attrs.size, 5);
	assert_string_equal(synced, "(itself)");
	tree_lookup_in(tree, NULL, STR("a/b/file"), on_entry, &s);
	finish(&s);
	assert_int_equal(s.attrs.size, 5);
	assert_string_equal(synced, "file");
}

/* What is queued when the tree is freed ends, once, with STOPPED. */
static void
test_tree_free(void **state UNUSED)
{
	struct tree_spec spec = { .type = TREE_POSIX, .share = dir };
	struct seen s[3] = { { .n = 0 } };
	struct err err = ERR_INIT;
	struct tree *t;

	assert_int_equal(tree_open(&t, &spec, &err), 0);
	assert_string_equal(tree_protocol(t), "posix");
	assert_int_equal(tree_timeout_ms(t), -1);
	tree_list(t, NULL, STR("many"), on_page, on_end, &s[0]);
	tree_lookup(t, STR("a"), on_entry, &s[1]);
	tree_service(t, NULL, 0);
	tree_list(t, NULL, STR("many"), on_page, on_end, &s[2]);
	assert_int_equal(s[1].ends, 1);
	tree_free(&t);
	assert_int_equal(s[0].ends, 1);
	assert_int_equal(s[2].ends, 1);
	assert_int_equal(s[2].kind, ERR_STOPPED);
	assert_int_equal(s[2].n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_attrs),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_refuses),
		cmocka_unit_test(test_without_openat2),
		cmocka_unit_test(test_open_errors),
		cmocka_unit_test(test_missing_mount),
		cmocka_unit_test(test_lookup_is_fresh),
		cmocka_unit_test(test_tree_free),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
