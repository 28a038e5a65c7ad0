/*
 * fsops.c: the steps that change the tree. What can't be done (there is no
 * such file, something is in the way) is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "model.h"

static const size_t sizes[] = { 10, 0, 3, 4096, 70000, 10 };
#define BIG	((size_t)10 * 1024 * 1024 + 1000)	/* 3 parts, or 2 */

/* Bytes that no other content has. */
static void
fill(char *p, size_t len)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%03lu;",
	    (unsigned long)(w.serial % 1000));

	memset(p, '.', len);
	memcpy(p, text, MIN(len, (size_t)n));
	w.serial++;
}

static int
write_content(const char *path, size_t len, int flags)
{
	CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC | flags,
	    0644);
	AUTOFREE char *data = xmalloc(len + 1);

	if (fd == -1)
		return -1;
	fill(data, len);
	if (pwrite(fd, data, len, 0) != (ssize_t)len ||
	    fchown(fd, w.uid, w.uid) == -1)
		return -1;
	return 0;
}

/* The directories above it; an existing file stays in the way. */
static void
make_parents(const char *rel)
{
	AUTOFREE char *path = tree_path(rel);


	for (char *p = path + strlen(w.tree) + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0755) == 0 &&
		    chown(path, w.uid, w.uid) == -1)
			abort();
		*p = '/';
	}
}

/* The place where the volume belongs stays a directory; what lies below it
 * while it is away is nobody's. */
static bool
is_mounted(const char *rel)
{
	return w.set.volume != 0 && rel[0] == 'v' && (rel[1] == '\0' ||
	    (w.away && rel[1] == '/'));
}

bool
is_away(int dir)
{
	return w.away && rel_dir(dir)[0] == 'v';
}

static bool
is_file(const char *path, struct stat *st)
{
	return lstat(path, st) == 0 && S_ISREG(st->st_mode);
}

static void
set_times(const char *path, const struct stat *st)
{
	struct timespec t[2] = { st->st_atim, st->st_mtim };

	utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW);
}

/* dir, name, size */
void
play_create(const int *v)
{
	const char *rel = rel_name(v[0], v[1]);
	AUTOFREE char *path = tree_path(rel);
	struct stat st;

	make_parents(rel);
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return;
	write_content(path, v[1] == name_count() - 1 ? BIG : sizes[v[2]],
	    O_CREAT | O_TRUNC);
}

/* dir, name, keeps (the old mtime). The size stays. */
void
play_rewrite(const int *v)
{
	AUTOFREE char *path = tree_path(rel_name(v[0], v[1]));
	struct stat st;

	if (!is_file(path, &st) || st.st_size > HUGE_SIZE)
		return;
	write_content(path, (size_t)st.st_size, 0);
	if (v[2] != 0)
		set_times(path, &st);
}

void
play_truncate(const int *v)
{
	AUTOFREE char *path = tree_path(rel_name(v[0], v[1]));
	struct stat st;

	if (is_file(path, &st) && truncate(path, st.st_size / 2) == -1)
		return;
}

/* A file with no blocks, and more bytes than any store takes. */
void
play_huge(const int *v)
{
	const char *rel = rel_name(v[0], v[1]);
	AUTOFREE char *path = tree_path(rel);
	struct stat st;

	make_parents(rel);
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return;
	if (write_content(path, 10, O_CREAT | O_TRUNC) == -1 ||
	    truncate(path, (off_t)13 << 59) == -1)
		return;
}

static void
rename_rel(const char *from, const char *to)
{
	AUTOFREE char *old = tree_path(from);
	AUTOFREE char *new = tree_path(to);
	struct stat st;

	if (lstat(old, &st) == -1)
		return;
	make_parents(to);
	if (rename(old, new) == -1)
		return;
}

/* dir, name, to_dir, to_name */
void
play_rename(const int *v)
{
	const char *from = rel_name(v[0], v[1]);

	rename_rel(from, rel_name(v[2], v[3]));
}

void
play_rename_dir(const int *v)
{
	if (rel_dir(v[0])[0] != '\0' && rel_dir(v[1])[0] != '\0' &&
	    !is_mounted(rel_dir(v[0])) && !is_mounted(rel_dir(v[1])))
		rename_rel(rel_dir(v[0]), rel_dir(v[1]));
}

/* A file becomes a directory with a file in it, a directory a file. */
void
play_swap(const int *v)
{
	const char *rel = v[1] == name_count() ? rel_dir(v[0]) :
	    rel_name(v[0], v[1]);
	AUTOFREE char *path = tree_path(rel);
	AUTOFREE char *in = xasprintf("%s/in", path);
	struct stat st;

	if (rel[0] == '\0' || lstat(path, &st) == -1 || is_mounted(rel))
		return;
	remove_all(path);
	if (S_ISDIR(st.st_mode)) {
		write_content(path, 10, O_CREAT);
	} else if (mkdir(path, 0755) == 0) {
		write_content(in, 10, O_CREAT);
		if (chown(path, w.uid, w.uid) == -1)
			abort();
	}
}

void
play_remove(const int *v)
{
	AUTOFREE char *path = tree_path(rel_name(v[0], v[1]));

	remove_all(path);
}

void
play_remove_dir(const int *v)
{
	AUTOFREE char *path = tree_path(rel_dir(v[0]));

	if (rel_dir(v[0])[0] != '\0' && !is_mounted(rel_dir(v[0])))
		remove_all(path);
}

/* A file goes away for a while: the same inode comes back, or (copy) another
 * one with the old times. */
void
play_stash(const int *v)
{
	AUTOFREE char *path = tree_path(rel_name(v[0], v[1]));
	AUTOFREE char *kept = xasprintf("%s/stash/%d.%d", w.dir, v[0], v[1]);
	struct stat st;

	if (is_file(path, &st) && rename(path, kept) == -1 &&
	    errno != EXDEV)
		return;
}

void
play_unstash(const int *v)
{
	const char *rel = rel_name(v[0], v[1]);
	AUTOFREE char *path = tree_path(rel);
	AUTOFREE char *kept = xasprintf("%s/stash/%d.%d", w.dir, v[0], v[1]);
	struct stat st, old;

	if (lstat(kept, &st) == -1 || st.st_size > HUGE_SIZE ||
	    (lstat(path, &old) == 0 && !S_ISREG(old.st_mode)))
		return;
	make_parents(rel);
	if (v[2] == 0 && rename(kept, path) == 0)
		return;
	unlink(path);
	copy_file(kept, path, 0644);
	if (chown(path, w.uid, w.uid) == -1)
		return;
	set_times(path, &st);
}

/* dir, name (the last: the directory itself), mode */
void
play_chmod(const int *v)
{
	static const mode_t modes[] = { 0, 0600, 0444, 0755, 0111 };
	const char *rel = v[1] == name_count() ? rel_dir(v[0]) :
	    rel_name(v[0], v[1]);
	AUTOFREE char *path = tree_path(rel);
	struct stat st;

	if (w.root && lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
		chmod(path, modes[v[2]]);
}

/* dir, name, to_dir, to_name: another name of the file */
void
play_link(const int *v)
{
	const char *rel = rel_name(v[2], v[3]);
	AUTOFREE char *from = tree_path(rel_name(v[0], v[1]));
	AUTOFREE char *to = tree_path(rel);

	make_parents(rel);
	if (link(from, to) == -1)
		return;
}

/* dir, to: a link "l" in dir to that directory, or to its first file */
void
play_symlink(const int *v)
{
	AUTOFREE char *path = xasprintf("%s/%s%sl", w.tree, rel_dir(v[0]),
	    rel_dir(v[0])[0] == '\0' ? "" : "/");
	const char *up = rel_dir(v[0])[0] == '\0' ? "" :
	    strchr(rel_dir(v[0]), '/') == NULL ? "../" : "../../";
	AUTOFREE char *to = xasprintf("%s%s", up, v[2] != 0 ?
	    rel_name(v[1], 0) : rel_dir(v[1])[0] == '\0' ? "." :
	    rel_dir(v[1]));

	unlink(path);
	if (symlink(to, path) == -1)
		return;
}

/* what, dir, name */
void
play_during(const int *v)
{
	if (w.root_away || is_away(v[1]))
		return;
	switch (v[0]) {
	case 0:
		play_create(v + 1);
		break;
	case 1:
		play_rewrite(v + 1);
		break;
	case 2:
		play_remove(v + 1);
		break;
	case 3:
		play_remove_dir(v + 1);
		break;
	case 4:
		play_umount(v);
		break;
	case 5:
		play_unstash(v + 1);
		break;
	case DURING_SHARE:
		play_root_away((const int[]){ 1, 0 });
		w.root_counts = w.root_away;
		break;
	}
	judge_tree_changed();
}

static const time_t when[] = { 1000000000, -86400, 5000000000, 10000000000,
    4000000000, 1 };

bool
is_time_given(int64_t sec)
{
	for (size_t i = 0; i < sizeof(when) / sizeof(*when); i++)
		if (sec == when[i])
			return true;
	return false;
}

/* dir, name, when */
void
play_times(const int *v)
{
	AUTOFREE char *path = tree_path(rel_name(v[0], v[1]));
	struct timespec t[2] = { { .tv_sec = when[v[2]], .tv_nsec = 5 },
	    { .tv_sec = when[v[2]], .tv_nsec = 5 } };
	struct stat st;

	if (is_file(path, &st))
		utimensat(AT_FDCWD, path, t, 0);
}

/* What belongs at v comes back there, or goes away. */
void
play_mount(const int *v UNUSED)
{
	AUTOFREE char *path = tree_path("v");
	AUTOFREE char *volume = xasprintf("%s/vol", w.dir);

	if (!w.away || w.root_away)
		return;
	make_parents("v/");
	if (mount(volume, path, NULL, MS_BIND, NULL) == -1)
		abort();
	w.away = false;
}

void
play_umount(const int *v UNUSED)
{
	AUTOFREE char *path = tree_path("v");

	if (w.set.volume == 0 || w.away || w.root_away)
		return;
	if (umount2(path, MNT_DETACH) == -1)
		abort();
	w.away = true;
}

/* name, below (in w), gone: a file in the place of the volume, which hides it
 * when it comes back. */
void
play_stub(const int *v)
{
	const char *rel = rel_name(v[1] != 0 ? STUB_BELOW : STUB_DIR, v[0]);
	AUTOFREE char *path = tree_path(rel);

	if (!w.away || w.root_away)
		return;
	if (v[2] != 0) {
		unlink(path);
		return;
	}
	make_parents(rel);
	write_content(path, STUB_SIZE, O_CREAT | O_TRUNC);
	w.stubs = true;
}

/* The share's place is taken by another tree: an empty one, or (files) one
 * with a file of its own; in the same file system, or (fs) in another one,
 * which says nothing of the files of before. */
void
play_root_away(const int *v)
{
	AUTOFREE char *away = xasprintf("%s/tree.away", w.dir);
	AUTOFREE char *file = tree_path(rel_name(0, 0));

	if (w.root_away || (w.set.volume != 0 && !w.away) ||
	    rename(w.tree, away) == -1)
		return;
	w.root_away = true;
	w.root_fs = v[1] != 0 && w.mounts;
	w.root_empty = v[0] == 0;
	w.root_counts = w.root_empty || w.root_fs;
	if (mkdir(w.tree, 0755) == -1 || (w.root_fs && mount("tree", w.tree,
	    "tmpfs", 0, "size=64m,mode=755") == -1) ||
	    chown(w.tree, w.uid, w.uid) == -1)
		abort();
	if (v[0] != 0)
		write_content(file, 10, O_CREAT);
}

void
play_root_back(const int *v UNUSED)
{
	AUTOFREE char *away = xasprintf("%s/tree.away", w.dir);

	if (!w.root_away)
		return;
	if (w.root_fs && umount2(w.tree, MNT_DETACH) == -1)
		abort();
	w.root_fs = false;
	remove_all(w.tree);
	if (rename(away, w.tree) == -1)
		abort();
	w.root_away = false;
}

static void
repair_mode(const char *path, const struct stat *st)
{
	mode_t want = S_ISDIR(st->st_mode) ? 0700 : 0400;

	if (S_ISREG(st->st_mode) && st->st_size > HUGE_SIZE)
		unlink(path);
	if (!S_ISLNK(st->st_mode) && (st->st_mode & want) != want)
		chmod(path, (st->st_mode | want) & 07777);
}

void
fs_repair(void)
{
	play_root_back(NULL);
	if (w.set.volume != 0)
		play_mount(NULL);
	tree_each(w.tree, repair_mode);
}
