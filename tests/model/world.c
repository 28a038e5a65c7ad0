/*
 * world.c: the tree, the volumes that may be mounted in it, the settings, and
 * a look at all of it as it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model.h"

#define NOBODY	65534

struct world w;

static const char *const dirs[] = { "", "a", "a/b", "c", "v", "v/w" };
static const char *const names[] = { "f0", "f1", "f2", "x.tmp", "o d\303d",
    "B" };

int
dir_count(void)
{
	return (int)ARRAY_LEN(dirs);
}

int
name_count(void)
{
	return (int)ARRAY_LEN(names);
}

const char *
rel_dir(int dir)
{
	return dirs[dir];
}

const char *
rel_name(int dir, int name)
{
	static char text[4][64];
	static unsigned at;
	char *t = text[at++ % ARRAY_LEN(text)];

	snprintf(t, sizeof(text[0]), "%s%s%s", dirs[dir],
	    dirs[dir][0] == '\0' ? "" : "/", names[name]);
	return t;
}

char *
tree_path(const char *rel)
{
	return xasprintf("%s%s%s", w.tree, rel[0] == '\0' ? "" : "/", rel);
}

uint64_t
bytes_hash(const void *data, size_t len)
{
	const char *p = data;
	uint64_t h = 0x9e3779b97f4a7c15u ^ len, v;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&v, p, 8);
		h = (h ^ v) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	for (; len > 0; len--, p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3u;
	return h ^ h >> 29;
}

/* --- looking --- */

static uint64_t
file_hash(const char *path, off_t size)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTOFREE char *data = xmalloc((size_t)MIN(size, HUGE_SIZE) + 1);
	ssize_t n = size > HUGE_SIZE || fd == -1 ? -1 :
	    read(fd, data, (size_t)size);

	return n == -1 ? 0 : bytes_hash(data, (size_t)n);
}

struct look {
	struct files *files;
	bool	 follow;
};

static void
look_file(struct look *l, const char *path, const char *rel,
    const struct stat *st, bool hidden, bool link)
{
	struct file *f = &l->files->f[l->files->count];

	if (l->files->count == FILES_MAX || files_find(l->files, rel) != NULL)
		return;
	snprintf(f->rel, sizeof(f->rel), "%s", rel);
	f->st = *st;
	f->hidden = hidden;
	f->link = link;
	f->hash = file_hash(path, st->st_size);
	l->files->count++;
}

static void
look_dir(struct look *l, const char *path, const char *rel, bool hidden,
    bool link, int depth)
{
	DIR *d = depth > 8 ? NULL : opendir(path);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		AUTOFREE char *p = xasprintf("%s/%s", path, e->d_name);
		AUTOFREE char *r = xasprintf("%s%s%s", rel,
		    rel[0] == '\0' ? "" : "/", e->d_name);
		struct stat st;
		bool is_link;

		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 || lstat(p, &st) == -1)
			continue;
		is_link = S_ISLNK(st.st_mode);
		if (is_link && (!l->follow || stat(p, &st) == -1))
			continue;
		if (S_ISREG(st.st_mode))
			look_file(l, p, r, &st, hidden ||
			    (st.st_mode & 0400) == 0, link || is_link);
		else if (S_ISDIR(st.st_mode) && !(is_link && depth > 3))
			look_dir(l, p, r, hidden ||
			    (st.st_mode & 0500) != 0500, link || is_link,
			    depth + 1);
	}
	closedir(d);
}

/* A directory that is away, as that of the share which it was. */
static void
look_away(struct look *l, const char *name, const char *rel)
{
	AUTOFREE char *path = xasprintf("%s/%s", w.dir, name);

	look_dir(l, path, rel, true, false, 0);
}

void
world_look(struct files *f, bool follow)
{
	struct look l = { .files = f, .follow = follow };
	struct stat st;
	bool hidden;

	f->count = 0;
	hidden = stat(w.tree, &st) == 0 && (st.st_mode & 0500) != 0500;
	look_dir(&l, w.tree, "", hidden, false, 0);
	if (w.root_away && w.root_counts)
		look_away(&l, "tree.away", "");
	if (w.away)
		look_away(&l, "vol", "v");
}

void
files_drop_links(struct files *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++)
		if (!f->f[i].link)
			f->f[kept++] = f->f[i];
	f->count = kept;
}

const struct file *
files_find(const struct files *f, const char *rel)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->f[i].rel, rel) == 0)
			return &f->f[i];
	return NULL;
}

/* --- settings --- */

static const struct {
	const char *server;
	const char *address;
	bool	 in_key;
	const char *bucket;
} confs[] = {
	{ "filer", "127.0.0.1", true, "bucket" },
	{ "old", "127.0.0.1", false, "bucket" },
	{ "new", "127.0.0.2", false, "bucket" },
	{ "filer", "127.0.0.1", true, "other" },
};

const char *
conf_bucket(int conf)
{
	return confs[conf].bucket;
}

bool
is_same_target(int a, int b)
{
	return confs[a].in_key == confs[b].in_key &&
	    strcmp(confs[a].bucket, confs[b].bucket) == 0;
}

/* Over NFS it is an address. */
const char *
server_of(int conf)
{
	return w.set.nfs ? confs[conf].address : confs[conf].server;
}

char *
key_prefix(int conf)
{
	return xasprintf("%s%s/", confs[conf].in_key ? server_of(conf) : "",
	    w.tree + !confs[conf].in_key);
}

const char *const nfs_versions[] = { "3", "4", "auto", NULL };

void
write_keys(void)
{
	static unsigned long token;
	AUTOFREE char *dir = xasprintf("%s/.aws", w.dir);
	AUTOFREE char *path = xasprintf("%s/credentials", dir);
	AUTOFREE char *fresh = xasprintf("%s.new", path);
	FILE *f;

	mkdir(dir, 0755);
	f = fopen(fresh, "w");
	if (f == NULL)
		abort();
	fprintf(f, "[default]\naws_access_key_id = a\n"
	    "aws_secret_access_key = s\naws_session_token = t%lu\n",
	    ++token);
	fclose(f);
	if (rename(fresh, path) == -1)
		abort();
}

void
write_conf(void)
{
	AUTOFREE char *path = xasprintf("%s/conf", w.dir);
	FILE *f = fopen(path, "w");

	if (f == NULL)
		abort();
	fprintf(f, "[general]\nlimit_memory = %dMiB\n", w.memory_mib);
	fprintf(f, "[nfs %s]\nserver = %s\nshare = %s\n",
	    confs[w.conf].server, server_of(w.conf), w.tree);
	if (w.inner != 0)
		fprintf(f, "share = %s/%s\n", w.tree, rel_dir(w.inner));
	fprintf(f, "[fs_config]\nmounted = %s\nserver_as_prefix = %s\n%s%s",
	    w.set.nfs ? "no" : "yes", confs[w.conf].in_key ? "yes" : "no",
	    w.skip ? "skip_dir = b\n" : "",
	    w.ctime ? "ctime = ignore\n" : "");
	if (w.set.nfs)
		fprintf(f, "nfsport = %u\nmountport = %u\nnfs_version = %s\n"
		    "uid = %u\ngid = %u\ntimeout = 30\n", w.nfs_port,
		    w.nfs_port, nfs_versions[w.version], w.uid, w.uid);
	fprintf(f, "[s3_storage]\nendpoint = http://127.0.0.1:%u\n"
	    "bucket = %s\nretry_for = 2\n"
	    "part_size = %dMiB\nmax_inflight = 4\n[client]\nworkers = 1\n"
	    "[catalog]\npath = %s/cat/catalog.db\n[logging]\npath = %s/log\n"
	    "level = ERROR\n", w.port, confs[w.conf].bucket,
	    w.part_mib, w.dir, w.dir);
	fclose(f);
	if (chmod(path, 0600) == -1 || chown(path, w.uid, w.uid) == -1)
		abort();
	write_keys();
}

/* --- beginning and end --- */

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *ftw UNUSED)
{
	return remove(path);
}

void
remove_all(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Below the directory of the process; the program's own. */
static void
make_dir(const char *name)
{
	AUTOFREE char *path = xasprintf("%s/%s", w.dir, name);

	if ((mkdir(path, 0755) == -1 && errno != EEXIST) ||
	    chown(path, w.uid, w.uid) == -1)
		abort();
}

void
clear_dir(const char *name)
{
	AUTOFREE char *path = xasprintf("%s/%s", w.dir, name);
	struct dirent *e;
	DIR *d = opendir(path);

	while (d != NULL && (e = readdir(d)) != NULL) {
		AUTOFREE char *p = xasprintf("%s/%s", path, e->d_name);

		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			remove_all(p);
	}
	if (d != NULL)
		closedir(d);
}

void
tree_each(const char *path, void (*fn)(const char *, const struct stat *))
{
	struct stat st;
	struct dirent *e;
	DIR *d;

	if (lstat(path, &st) == -1)
		return;
	fn(path, &st);
	d = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	while (d != NULL && (e = readdir(d)) != NULL) {
		AUTOFREE char *p = xasprintf("%s/%s", path, e->d_name);

		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			tree_each(p, fn);
	}
	if (d != NULL)
		closedir(d);
}

static const char *const own_dirs[] = { "vol", "under", "cat", "stash", "out",
    "log", "saved" };

void
world_clear(void)
{
	AUTOFREE char *under = xasprintf("%s/under", w.dir);

	catalog_close();
	play_root_back(NULL);
	if (w.set.volume != 0) {
		play_umount(NULL);
		umount2(under, MNT_DETACH);
	}
	remove_all(w.tree);
	for (size_t i = 0; i < ARRAY_LEN(own_dirs); i++)
		clear_dir(own_dirs[i]);
	store_clear();
	bends_clear();
	breach_clear();
	w.away = false;
}

/* The tree without what is mounted in it: there the files are that the volume
 * hides. */
static void
mount_under(void)
{
	AUTOFREE char *under = xasprintf("%s/under", w.dir);

	if (mount(w.tree, under, NULL, MS_BIND, NULL) == -1)
		abort();
}

void
world_begin(const struct setting *set)
{
	world_clear();
	w.set = *set;
	w.set.volume &= w.mounts;
	w.conf = 0;
	w.memory_mib = 0;
	w.part_mib = 5;
	w.clock_s = 0;
	w.serial = 0;
	w.away = w.set.volume != 0;
	w.adopted = w.restored = w.unasked = w.moved = false;
	w.inner = w.version = 0;
	w.skip = w.ctime = w.versions = w.stubs = w.accepted = false;
	w.renumbered = false;
	make_dir("tree");
	if (w.set.volume != 0)
		mount_under();
	play_mount(NULL);
	if (w.set.versioned)
		store_versioning(true);
	store_show_markers(w.set.unshown == 0);
	judge_reset();
	others_begin();
}

/* A file system of its own, so that what is mounted has another number. */
static bool
make_volume(void)
{
	AUTOFREE char *path = xasprintf("%s/vol", w.dir);

	return mount("vol", path, "tmpfs", 0, "size=64m,mode=755") == 0 &&
	    chown(path, w.uid, w.uid) == 0;
}

void
copy_file(const char *from, const char *to, mode_t mode)
{
	CLEANUP(close_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
	CLEANUP(close_fd) int out = open(to, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC, mode);
	static char data[65536];
	ssize_t n;

	if (in == -1 || out == -1) {
		fprintf(stderr, "model: %s: %s\n", from, strerror(errno));
		exit(2);
	}
	while ((n = read(in, data, sizeof(data))) > 0)
		if (write_all(out, data, (size_t)n) == -1)
			abort();
	fchmod(out, mode);
}

/* The program may lie where another user can't go. */
void
world_init(const char *program, const char *preload)
{
	char dir[] = "/dev/shm/model.XXXXXX";

	if (mkdtemp(dir) == NULL || chmod(dir, 0755) == -1) {
		perror("model: /dev/shm");
		exit(2);
	}
	w.dir = xstrdup(dir);
	w.tree = xasprintf("%s/tree", dir);
	w.program = xasprintf("%s/datamover", dir);
	w.preload = xasprintf("%s/preload.so", dir);
	copy_file(program, w.program, 0755);
	copy_file(preload, w.preload, 0755);
	w.root = geteuid() == 0;
	w.uid = w.root ? NOBODY : geteuid();
	for (size_t i = 0; i < ARRAY_LEN(own_dirs); i++)
		make_dir(own_dirs[i]);
	w.mounts = w.root && unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    make_volume();
	nursery_begin();
	w.port = store_start();
	w.nfs_port = nfs_start();
}

void
world_end(void)
{
	world_clear();
	nursery_end();
	if (w.mounts) {
		AUTOFREE char *p = xasprintf("%s/vol", w.dir);

		umount2(p, MNT_DETACH);
	}
	remove_all(w.dir);
}
