/*
 * live_tree: the NFS trees against a real server.
 *
 *	live_tree NFSPORT MOUNTPORT SHARE DIR [PIDFILE RESTART]
 *
 * The server at 127.0.0.1 exports DIR as SHARE (with no_root_squash, and
 * without a cache of attributes). With PIDFILE and RESTART the server is also
 * stopped, continued, killed and started again (RESTART is a command line for
 * the shell). Needs root. Prints what failed and "N passed, N failed".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live_tree.h"

#define MANY		10000
#define TIMEOUT_MS	1500

static const char *local;	/* DIR */
static const char *pidfile, *restart;

static void
local_path(char out[4096], const char *path)
{
	snprintf(out, 4096, "%s/%s", local, path);
}

static void
make_file(const char *path, uint64_t size)
{
	char name[4096], *block = xmalloc(MIB);
	int fd;

	local_path(name, path);
	fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	for (uint64_t off = 0; off < size; off += MIB) {
		size_t n = (size_t)MIN(size - off, MIB);

		for (size_t i = 0; i + 8 <= n; i += 8) {
			uint64_t v = (off + i) * 0x9e3779b97f4a7c15U + size;

			memcpy(block + i, &v, 8);
		}
		if (write(fd, block, n) != (ssize_t)n)
			abort();
	}
	close(fd);
	free(block);
}

static bool
equals_stat(const struct attrs *a, const char *path)
{
	struct stat st;
	char name[4096];
	int64_t mtime, ctime;

	local_path(name, path);
	if (lstat(name, &st) == -1)
		return false;
	mtime = st.st_mtim.tv_sec * (int64_t)1000000000 + st.st_mtim.tv_nsec;
	ctime = st.st_ctim.tv_sec * (int64_t)1000000000 + st.st_ctim.tv_nsec;
	return a->mode == (st.st_mode & 07777) && a->uid == st.st_uid &&
	    a->gid == st.st_gid && a->size == (uint64_t)st.st_size &&
	    a->mtime_ns == mtime && a->ctime_ns == ctime &&
	    a->ino == st.st_ino;
}

/* --- the tests --- */

static const char *const odd[] = {
	"with blanks  two", "new\nline", "quote'\"`", "bad\xff\xfeutf8",
	"\xe2\x82\xac\xc3\xa9", "back\\slash", "*?[a]{b}~$HOME",
	" leading", "trailing ", "-dash", "..hidden", "...", "#?&%20+",
	"tab\there", "\x01\x7f",
	"a23456789b123456789c123456789d123456789e123456789f123456789"
	"g123456789h123456789i123456789j123456789k123456789l123456789"
	"m123456789n123456789o123456789p123456789q123456789r123456789"
	"s123456789t123456789u123456789v123456789w123456789x123456789"
	"y123456789z1234"
};

static void
make_tree(void)
{
	char name[4096], cmd[4096 + 32];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'/*", local);
	if (system(cmd) != 0)
		abort();
	local_path(name, "many");
	mkdir(name, 0755);
	local_path(name, "odd");
	mkdir(name, 0755);
	local_path(name, "empty");
	mkdir(name, 0755);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many/f%05d", i);
		make_file(name, (uint64_t)i % 7);
	}
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		snprintf(name, sizeof(name), "odd/%s", odd[i]);
		make_file(name, i);
	}
	local_path(name, "odd/link");
	if (symlink("nowhere", name) == -1)
		abort();
	local_path(name, "odd/fifo");
	mkfifo(name, 0600);
	local_path(name, "a");
	mkdir(name, 0755);
	local_path(name, "a/b");
	mkdir(name, 0755);
	make_file("a/b/file", 100);
}

static void
test_list(struct tree *t)
{
	struct listing l;
	struct handle root;
	bool seen[ARRAY_LEN(odd)] = { false };
	bool *many = xcalloc(MANY, sizeof(bool));
	size_t bad = 0;

	list(t, NULL, "many", &l);
	CHECK(l.err.kind == ERR_NONE, "%s", l.err.msg);
	CHECK(l.n == MANY, "%zu entries", l.n);
	for (size_t i = 0; i < l.n; i++) {
		char path[512];
		int k = (int)strtol(l.items[i].name + 1, NULL, 10);

		if (k < 0 || k >= MANY || many[k])
			bad++;
		else
			many[k] = true;
		snprintf(path, sizeof(path), "many/%s", l.items[i].name);
		if (!equals_stat(&l.items[i].attrs, path))
			bad++;
	}
	CHECK(bad == 0, "%zu entries differ from lstat", bad);
	free(l.items);
	free(many);

	list(t, NULL, "odd", &l);
	CHECK(l.n == ARRAY_LEN(odd) + 2, "odd: %zu entries", l.n);
	for (size_t i = 0; i < l.n; i++) {
		char path[512];

		for (size_t k = 0; k < ARRAY_LEN(odd); k++)
			if (strcmp(l.items[i].name, odd[k]) == 0)
				seen[k] = true;
		snprintf(path, sizeof(path), "odd/%s", l.items[i].name);
		CHECK(equals_stat(&l.items[i].attrs, path), "odd entry %zu",
		    i);
	}
	for (size_t k = 0; k < ARRAY_LEN(odd); k++)
		CHECK(seen[k], "odd name %zu is not listed", k);
	free(l.items);

	tree_root(t, &root, NULL);
	list(t, &root, "", &l);
	CHECK(l.err.kind == ERR_NONE && l.n >= 3, "root: %zu, %s", l.n,
	    l.err.msg);
	free(l.items);
	list(t, NULL, "empty", &l);
	CHECK(l.err.kind == ERR_NONE && l.n == 0, "empty: %s", l.err.msg);
	free(l.items);
	list(t, NULL, "missing", &l);
	CHECK(l.err.kind == ERR_GONE, "missing: %s", l.err.msg);
	list(t, NULL, "a/b/file", &l);
	CHECK(l.err.kind == ERR_GONE, "a file: %s", l.err.msg);
}

/* Read a file with several READs under way; compare with the disk. */
static bool
same_bytes(struct tree *t, const char *path, uint64_t size)
{
	enum { WINDOW = 8 };
	uint32_t step = tree_read_max(t);
	char name[4096], *want = xmalloc(step);
	char *bufs[WINDOW];
	struct got gots[WINDOW];
	struct found f;
	struct tree_file *file;
	uint64_t sent = 0, seen = 0;
	bool same = true, eof = false;
	int fd;

	local_path(name, path);
	fd = open(name, O_RDONLY);
	lookup(t, path, false, &f);
	file = tree_file_open(t, &f.fh, str_of(path));
	for (int i = 0; i < WINDOW; i++)
		bufs[i] = xmalloc(step);
	for (uint64_t k = 0; seen < size || !eof; k++) {
		struct got *g = &gots[k % WINDOW];
		ssize_t n;

		while (sent < seen + WINDOW * (uint64_t)step &&
		    (sent < size || sent == 0)) {
			size_t at = (sent / step) % WINDOW;

			gots[at] = (struct got){ .done = false };
			tree_file_read(file, sent, step, bufs[at], on_read,
			    &gots[at]);
			sent += step;
		}
		if (!turn_until(t, &g->done, 60000) ||
		    g->err.kind != ERR_NONE) {
			same = CHECK(false, "%s: %s", path, g->err.msg);
			break;
		}
		n = pread(fd, want, g->r.len, (off_t)seen);
		same = same && n == (ssize_t)g->r.len &&
		    memcmp(want, bufs[k % WINDOW], g->r.len) == 0 &&
		    equals_stat(&g->r.attrs, path);
		seen += g->r.len;
		eof = g->r.eof || seen == size;
		if (g->r.len < step && !g->r.eof)
			same = false;
	}
	/* All have ended: what was begun was at most up to the size. */
	tree_file_close(&file);
	for (int i = 0; i < WINDOW; i++)
		free(bufs[i]);
	free(want);
	close(fd);
	return same && seen == size;
}

static void
test_read(struct tree *t)
{
	static const uint64_t sizes[] = { 0, 1, 4096, MIB - 1, MIB, MIB + 1,
	    300 * MIB };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char name[64];

		snprintf(name, sizeof(name), "size%llu",
		    (unsigned long long)sizes[i]);
		if (spec.type == TREE_NFS && spec.access.nfs_version == 3)
			make_file(name, sizes[i]);
		CHECK(same_bytes(t, name, sizes[i]), "%s differs", name);
	}
}

static void
test_lookup(struct tree *t)
{
	static const struct {
		const char *link, *target;
	} links[] = {
		{ "l-file", "a/b/file" }, { "l-dir", "a" },
		{ "a/l-up", "../a/b/file" }, { "a/b/l-chain", "../l-up" },
		{ "l-out", "../../etc/passwd" }, { "l-abs", "/etc/passwd" },
		{ "l-loop", "l-loop2" }, { "l-loop2", "l-loop" },
		{ "l-broken", "nothing" },
	};
	static const struct {
		const char *path;
		enum err_kind kind;
		const char *same;	/* as lstat of this */
	} rows[] = {
		{ "a/b/file", ERR_NONE, "a/b/file" },
		{ "l-file", ERR_NONE, "a/b/file" },
		{ "l-dir", ERR_NONE, "a" },
		{ "l-dir/b/file", ERR_NONE, "a/b/file" },
		{ "a/l-up", ERR_NONE, "a/b/file" },
		{ "a/b/l-chain", ERR_NONE, "a/b/file" },
		{ "l-dir/b/l-chain", ERR_NONE, "a/b/file" },
		{ "l-out", ERR_GONE, NULL },
		{ "l-abs", ERR_GONE, NULL },
		{ "l-loop", ERR_GONE, NULL },
		{ "l-broken", ERR_GONE, NULL },
		{ "a/b/file/x", ERR_GONE, NULL },
		{ "", ERR_NONE, "." },
		{ "../x", ERR_INVALID, NULL },
		{ "a//b", ERR_INVALID, NULL },
	};
	struct found f;
	char name[4096];

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		local_path(name, links[i].link);
		if (symlink(links[i].target, name) == -1 && errno != EEXIST)
			abort();
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		lookup(t, rows[i].path, true, &f);
		CHECK(f.err.kind == rows[i].kind, "follow \"%s\": %s %s",
		    rows[i].path, err_kind_name(f.err.kind), f.err.msg);
		if (rows[i].same != NULL)
			CHECK(equals_stat(&f.attrs, rows[i].same),
			    "follow %s: other attributes", rows[i].path);
	}
	lookup(t, "l-file", false, &f);
	CHECK(f.attrs.kind == ENTRY_LINK, "l-file is kind %d", f.attrs.kind);
	lookup(t, "l-dir/b/file", false, &f);
	CHECK(f.err.kind == ERR_GONE, "through a link: %s", f.err.msg);
	lookup(t, "missing", false, &f);
	CHECK(f.err.kind == ERR_GONE, "missing: %s", f.err.msg);
}

static void
test_gone(struct tree *t)
{
	struct found f;
	struct tree_file *file;
	struct got g;
	char buf[64], name[4096];

	make_file("victim", 10);
	local_path(name, "victim");
	lookup(t, "victim", false, &f);
	file = tree_file_open(t, &f.fh, STR("victim"));
	unlink(name);
	read_at(t, file, 0, buf, sizeof(buf), &g);
	CHECK(g.err.kind == ERR_GONE, "removed file: %s", g.err.msg);

	/* Another file of that name: found by its path. */
	make_file("victim.new", 20);
	{
		char from[4096];

		local_path(from, "victim.new");
		rename(from, name);
	}
	read_at(t, file, 0, buf, sizeof(buf), &g);
	CHECK(g.err.kind == ERR_NONE && g.r.len == 20,
	    "replaced file: %u bytes, %s", g.r.len, g.err.msg);
	CHECK(equals_stat(&g.r.attrs, "victim"), "replaced file: attributes");
	f.done = false;
	f.err.kind = ERR_NONE;
	tree_file_stat(file, on_found, &f);
	turn_until(t, &f.done, 10000);
	CHECK(f.err.kind == ERR_NONE && equals_stat(&f.attrs, "victim"),
	    "stat: %s", f.err.msg);
	tree_file_close(&file);

	/* Now a directory of that name. A file that the server has not read
	 * yet: of one that it holds open it could still give the bytes. */
	unlink(name);
	make_file("victim", 30);
	lookup(t, "victim", false, &f);
	file = tree_file_open(t, &f.fh, STR("victim"));
	unlink(name);
	mkdir(name, 0755);
	read_at(t, file, 0, buf, sizeof(buf), &g);
	CHECK(g.err.kind == ERR_GONE, "a directory now: %s", g.err.msg);
	tree_file_close(&file);

	/* A directory that was replaced is listed by its path. */
	lookup(t, "victim", false, &f);
	rmdir(name);
	mkdir(name, 0755);
	make_file("victim/inside", 1);
	{
		struct listing l;

		list(t, &f.fh, "victim", &l);
		CHECK(l.err.kind == ERR_NONE && l.n == 1,
		    "replaced directory: %zu, %s", l.n, l.err.msg);
		free(l.items);
	}
	make_file("victim/inside", 0);
	local_path(name, "victim/inside");
	unlink(name);
	local_path(name, "victim");
	rmdir(name);
}

static void
test_denied(void)
{
	struct tree_spec other = spec;
	struct tree *t = NULL;
	struct err err = ERR_INIT;
	struct listing l;
	struct found f;
	struct got g;
	struct tree_file *file;
	char name[4096], buf[16];

	local_path(name, "secret");
	mkdir(name, 0755);
	make_file("secret/file", 5);
	local_path(name, "secret/file");
	chmod(name, 0600);
	local_path(name, "secret/dir");
	mkdir(name, 0700);
	other.access.uid = other.access.gid = 12345;
	if (!CHECK(tree_open(&t, &other, &err) == 0, "%s", err.msg))
		return;
	lookup(t, "secret/file", false, &f);
	CHECK(f.err.kind == ERR_NONE, "lookup as 12345: %s", f.err.msg);
	file = tree_file_open(t, &f.fh, STR("secret/file"));
	read_at(t, file, 0, buf, sizeof(buf), &g);
	CHECK(g.err.kind == ERR_DENIED, "read as 12345: %s", g.err.msg);
	tree_file_close(&file);
	list(t, NULL, "secret/dir", &l);
	CHECK(l.err.kind == ERR_DENIED, "list as 12345: %s", l.err.msg);
	list(t, NULL, "secret", &l);
	CHECK(l.err.kind == ERR_NONE && l.n == 2, "list as 12345: %s",
	    l.err.msg);
	free(l.items);
	tree_free(&t);
}

static void
test_unreachable(void)
{
	struct tree_spec other = spec;
	struct tree *t = NULL;
	struct err err = ERR_INIT;

	other.share = "/no such export";
	CHECK(tree_open(&t, &other, &err) == -1 &&
	    err.kind == ERR_UNREACHABLE, "%s", err.msg);
	printf("     %s\n", err.msg);
	other = spec;
	other.access.nfsport = other.access.mountport = 9;
	CHECK(tree_open(&t, &other, &err) == -1 &&
	    err.kind == ERR_UNREACHABLE, "%s", err.msg);
	printf("     %s\n", err.msg);
	other = spec;
	other.server = "no-such-host.invalid";
	CHECK(tree_open(&t, &other, &err) == -1 &&
	    err.kind == ERR_UNREACHABLE, "%s", err.msg);
	other = spec;
	other.access.nfs_version = 0;
	other.access.mountport = 9;
	CHECK(tree_open(&t, &other, &err) == 0 &&
	    strcmp(tree_protocol(t), "nfs4") == 0,
	    "auto without a mount service: %s", err.msg);
	tree_free(&t);
}

static pid_t
server_pid(void)
{
	FILE *f = fopen(pidfile, "r");
	int pid = -1;

	if (f == NULL || fscanf(f, "%d", &pid) != 1 || pid <= 1)
		abort();
	fclose(f);
	return pid;
}

/* SIGSTOP reaches the threads one by one: wait for the last. */
static void
stop_server(void)
{
	char path[64], stat[512];
	bool all = false;

	kill(server_pid(), SIGSTOP);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)server_pid());
	while (!all) {
		DIR *tasks = opendir(path);
		struct dirent *d;

		all = true;
		while (tasks != NULL && (d = readdir(tasks)) != NULL) {
			char name[512];
			FILE *f;
			const char *p;

			snprintf(name, sizeof(name), "%s/%s/stat", path,
			    d->d_name);
			f = d->d_name[0] == '.' ? NULL : fopen(name, "r");
			if (f == NULL)
				continue;
			if (fgets(stat, sizeof(stat), f) != NULL) {
				p = strrchr(stat, ')');
				all = all && p != NULL && p[2] == 'T';
			}
			fclose(f);
		}
		if (tasks != NULL)
			closedir(tasks);
	}
}

/* Call until it succeeds, as callers do; each try must end in its time. */
static void
retry_read(struct tree *t, struct tree_file *file, int tries)
{
	char buf[100];
	struct got g = { .done = false };

	for (int i = 0; i < tries; i++) {
		read_at(t, file, 0, buf, sizeof(buf), &g);
		if (g.err.kind != ERR_RETRY)
			break;
	}
	CHECK(g.err.kind == ERR_NONE && g.r.len == 100, "again: %s",
	    g.err.msg);
}

static void
test_faults(struct tree *t)
{
	struct found f;
	struct tree_file *file;
	struct got g[4];
	struct listing l;
	char buf[4][100];
	uint64_t start;

	lookup(t, "a/b/file", false, &f);
	file = tree_file_open(t, &f.fh, STR("a/b/file"));

	/* Stopped: it takes the connection and never answers. */
	stop_server();
	start = clock_mono_ms();
	for (int i = 0; i < 4; i++) {
		g[i] = (struct got){ .done = false };
		tree_file_read(file, 0, 100, buf[i], on_read, &g[i]);
	}
	for (int i = 0; i < 4; i++) {
		turn_until(t, &g[i].done, 10 * TIMEOUT_MS);
		CHECK(g[i].err.kind == ERR_RETRY, "stopped: %s", g[i].err.msg);
	}
	CHECK(clock_mono_ms() - start >= TIMEOUT_MS - 100, "too early");
	read_at(t, file, 0, buf[0], 100, &g[0]);
	CHECK(g[0].err.kind == ERR_RETRY, "still stopped: %s", g[0].err.msg);
	printf("     %s\n", g[0].err.msg);
	kill(server_pid(), SIGCONT);
	retry_read(t, file, 20);

	/* Killed, and for a time there is nobody. */
	kill(server_pid(), SIGKILL);
	read_at(t, file, 0, buf[0], 100, &g[0]);
	CHECK(g[0].err.kind == ERR_RETRY, "killed: %s", g[0].err.msg);
	read_at(t, file, 0, buf[0], 100, &g[0]);
	CHECK(g[0].err.kind == ERR_RETRY, "killed: %s", g[0].err.msg);
	printf("     %s\n", g[0].err.msg);
	CHECK(system(restart) == 0, "the server does not start");
	retry_read(t, file, 20);
	tree_file_close(&file);
	list(t, NULL, "many", &l);
	CHECK(l.err.kind == ERR_NONE && l.n == MANY, "list after it: %zu, %s",
	    l.n, l.err.msg);
	free(l.items);
}

/* What is under way when the tree is closed gets its end. */
static void
test_close(void)
{
	struct tree *t = NULL;
	struct err err = ERR_INIT;
	struct listing l = { .done = false };
	struct found f = { .done = false };

	if (!CHECK(tree_open(&t, &spec, &err) == 0, "%s", err.msg))
		return;
	tree_list(t, NULL, STR("many"), on_page, on_end, &l);
	turn(t, 100);
	tree_lookup(t, STR("a"), on_found, &f);
	CHECK(!f.done, "the callback came from inside of the call");
	tree_free(&t);
	CHECK(l.done && l.err.kind == ERR_STOPPED, "list: %s", l.err.msg);
	CHECK(f.done && f.err.kind == ERR_STOPPED, "lookup: %s", f.err.msg);
	free(l.items);
}

static void
test_all(void)
{
	struct tree *t = NULL;
	struct err err = ERR_INIT;

	if (!CHECK(tree_open(&t, &spec, &err) == 0, "%s", err.msg))
		return;
	printf("%s, reads of at most %u bytes\n", tree_protocol(t),
	    tree_read_max(t));
	test_list(t);
	test_read(t);
	test_lookup(t);
	test_gone(t);
	if (spec.type == TREE_NFS) {
		test_denied();
		test_unreachable();
		if (pidfile != NULL)
			test_faults(t);
	}
	tree_free(&t);
	test_close();
}

int
main(int argc, char **argv)
{
	if (argc != 5 && argc != 7) {
		fprintf(stderr, "usage: live_tree NFSPORT MOUNTPORT SHARE DIR "
		    "[PIDFILE RESTART]\n");
		return 2;
	}
	spec = (struct tree_spec){ .type = TREE_NFS, .server = "127.0.0.1",
	    .share = argv[3], .timeout_ms = TIMEOUT_MS,
	    .access = { .nfsport = (unsigned)strtoul(argv[1], NULL, 10),
	    .mountport = (unsigned)strtoul(argv[2], NULL, 10) } };
	local = argv[4];
	if (argc == 7) {
		pidfile = argv[5];
		restart = argv[6];
	}
	make_tree();
	for (spec.access.nfs_version = 3; spec.access.nfs_version <= 4;
	    spec.access.nfs_version++)
		test_all();
	spec.type = TREE_POSIX;
	spec.share = local;
	test_all();
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
