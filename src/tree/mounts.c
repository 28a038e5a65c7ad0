#include "tree/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Bytes of the mount table; a larger table is not read to the end. */
#define TABLE_MAX	(64 * MIB)

void
mounts_init(struct mounts *m, int root)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	memset(m, 0, sizeof(*m));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", root);
	n = readlink(link, path, sizeof(path));
	m->root = xstrndup(path, n <= 0 ? 0 : (size_t)n);
	buf_init(&m->table, TABLE_MAX);
	m->table_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
}

void
mounts_release(struct mounts *m)
{
	free(STEAL(m->known));
	free(STEAL(m->root));
	m->count = 0;
	buf_release(&m->table);
	close_fd(&m->table_fd);
}

/* The kernel marks the open table when a mount comes or goes (proc(5)). */
void
mounts_refresh(struct mounts *m)
{
	struct pollfd fd = { .fd = m->table_fd, .events = POLLPRI };

	if (m->table_fd == -1 || poll(&fd, 1, 0) != 1)
		return;
	m->count = 0;
	buf_clear(&m->table);
}

/* --- the number --- */

/* FNV-1a. */
static void
mix(uint64_t *hash, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		*hash ^= (unsigned char)s.p[i];
		*hash *= 0x100000001b3U;
	}
	/* Separate the strings: "a", "bc" must not hash like "ab", "c". */
	*hash ^= 0x100;
	*hash *= 0x100000001b3U;
}

/* Return the id of statfs. Return 0 if statfs gives no id, or gives the device
 * number as the id (XFS, FAT, file systems without an id of their own): a
 * device number changes with the mount. */
static uint64_t
statfs_id(const struct statfs *fs, dev_t dev)
{
	uint64_t id = 0;
	unsigned major = major(dev), minor = minor(dev);
	uint64_t encoded = (minor & 0xffU) | (uint64_t)major << 8 |
	    (uint64_t)(minor & ~0xffU) << 12;

	memcpy(&id, &fs->f_fsid, MIN(sizeof(id), sizeof(fs->f_fsid)));
	return id == encoded || id == (uint64_t)dev ? 0 : id;
}

/* --- one line of the table --- */

struct line {
	uint64_t mount;
	dev_t	 dev;
	struct str root;	/* of the mount, in the file system */
	struct str point;	/* the mount point; escaped */
	struct str type;
	struct str source;
	struct str options;	/* of the file system */
};

static struct str
next_word(struct str *rest)
{
	const char *space = memchr(rest->p, ' ', rest->len);
	size_t n = space == NULL ? rest->len : (size_t)(space - rest->p);
	struct str word = { rest->p, n };

	n = MIN(n + 1, rest->len);
	rest->p += n;
	rest->len -= n;
	return word;
}

/* proc_pid_mountinfo(5): "36 35 98:0 /mnt1 /mnt2 rw shared:1 - ext4 /dev/root
 * rw,errors=continue". */
static bool
parse_line(struct str text, struct line *l)
{
	struct str device, word;
	unsigned major, minor;

	l->mount = strtoull(next_word(&text).p, NULL, 10);
	next_word(&text);
	device = next_word(&text);
	if (device.len == 0 || sscanf(device.p, "%u:%u", &major, &minor) != 2)
		return false;
	l->dev = makedev(major, minor);
	l->root = next_word(&text);
	l->point = next_word(&text);
	do
		word = next_word(&text);
	while (text.len > 0 && !str_eq(word, STR("-")));
	l->type = next_word(&text);
	l->source = next_word(&text);
	l->options = next_word(&text);
	return l->type.len > 0;
}

static void
read_table(struct mounts *m)
{
	char part[8192];
	ssize_t n = -1;

	buf_clear(&m->table);
	do {
		n = pread(m->table_fd, part, sizeof(part),
		    (off_t)m->table.len);
	} while ((n == -1 && errno == EINTR) ||
	    (n > 0 && buf_add(&m->table, part, (size_t)n) == 0));
}

/* Find the line of the mount number. If the number is 0 (unknown), find the
 * last line of the device: a later mount hides an earlier mount. */
static bool
find_line(const struct mounts *m, uint64_t mount, dev_t dev,
    struct line *ret_line)
{
	struct str rest = buf_str(&m->table);
	bool found = false;

	while (rest.len > 0) {
		const char *nl = memchr(rest.p, '\n', rest.len);
		struct line l;

		if (nl == NULL)
			break;
		if ((mount == 0 || strtoull(rest.p, NULL, 10) == mount) &&
		    parse_line((struct str){ rest.p, (size_t)(nl - rest.p) },
		    &l) && (mount != 0 || l.dev == dev)) {
			*ret_line = l;
			found = true;
		}
		rest.len -= (size_t)(nl + 1 - rest.p);
		rest.p = nl + 1;
	}
	return found;
}

/* Decode \040 and similar escapes: the kernel writes odd bytes of a path in
 * octal. */
static void
unescape(struct str *s, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < s->len; i++) {
		if (s->p[i] == '\\' && i + 3 < s->len) {
			to[n++] = (char)((s->p[i + 1] - '0') << 6 |
			    (s->p[i + 2] - '0') << 3 | (s->p[i + 3] - '0'));
			i += 3;
		} else {
			to[n++] = s->p[i];
		}
	}
	*s = (struct str){ to, n };
}

/* Return the mount point relative to the tree's root. Return an empty string
 * for the mount that contains the root, wherever that mount lies. */
static struct str
place_below(const struct mounts *m, struct str point, char room[PATH_MAX])
{
	struct str root = str_of(m->root);

	if (point.len >= PATH_MAX)
		return point;
	unescape(&point, room);
	if (root.len > 0 && root.p[root.len - 1] == '/')
		root.len--;
	if (root.len + 1 >= point.len || !str_starts(point, root) ||
	    point.p[root.len] != '/')
		return STR("");
	return (struct str){ point.p + root.len, point.len - root.len };
}

/* Overlays may share the source and the id of the underlying file system: mix
 * in the layers, which differ. */
static void
mix_layers(uint64_t *hash, struct str options)
{
	while (options.len > 0) {
		const char *comma = memchr(options.p, ',', options.len);
		size_t n = comma == NULL ? options.len :
		    (size_t)(comma - options.p);
		struct str one = { options.p, n };

		if (str_starts(one, STR("lowerdir")) ||
		    str_starts(one, STR("upperdir")))
			mix(hash, one);
		n = MIN(n + 1, options.len);
		options.p += n;
		options.len -= n;
	}
}

static void
mix_line(const struct mounts *m, uint64_t *hash, const struct line *l)
{
	char room[PATH_MAX];

	/* NFSv3 and NFSv4 mounts get the same number. */
	if (str_eq(l->type, STR("nfs4")))
		mix(hash, STR("nfs"));
	else
		mix(hash, l->type);
	mix(hash, l->source);
	/* The source of an NFS mount is the whole path; the root field depends
	 * on the order of the mounts. */
	if (!str_starts(l->type, STR("nfs")))
		mix(hash, l->root);
	mix(hash, place_below(m, l->point, room));
	if (str_eq(l->type, STR("overlay")))
		mix_layers(hash, l->options);
}

static uint64_t
identify(struct mounts *m, int fd, uint64_t mount, dev_t dev)
{
	uint64_t hash = 0xcbf29ce484222325U, id;
	struct statfs fs;
	struct line l;
	bool found = find_line(m, mount, dev, &l);

	if (!found && m->table_fd != -1) {
		read_table(m);
		found = find_line(m, mount, dev, &l);
	}
	if (found)
		mix_line(m, &hash, &l);
	if (fstatfs(fd, &fs) == 0) {
		id = statfs_id(&fs, dev);
		mix(&hash, (struct str){ (const char *)&id, sizeof(id) });
	}
	return hash;
}

static uint64_t
look_up(struct mounts *m, int fd, uint64_t mount, dev_t dev)
{
	struct mount_known *k;

	for (size_t i = 0; i < m->count; i++) {
		k = &m->known[i];
		if (k->mount == mount && k->dev == dev)
			return k->fsid;
	}
	m->known = xreallocarray(m->known, m->count + 1, sizeof(*m->known));
	k = &m->known[m->count++];
	*k = (struct mount_known){ mount, dev, identify(m, fd, mount, dev) };
	return k->fsid;
}

/* Get the mount number and the device; return false if statx fails. */
static bool
ask_mount(int dir, const char *name, int flags, uint64_t *ret_mount,
    dev_t *ret_dev)
{
	struct statx x;

	if (statx(dir, name, flags | AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW,
	    STATX_MNT_ID, &x) == -1)
		return false;
	*ret_mount = (x.stx_mask & STATX_MNT_ID) != 0 ? x.stx_mnt_id : 0;
	*ret_dev = makedev(x.stx_dev_major, x.stx_dev_minor);
	return true;
}

uint64_t
mounts_of(struct mounts *m, int fd, dev_t dev)
{
	uint64_t mount = 0;

	if (!ask_mount(fd, "", AT_EMPTY_PATH, &mount, &dev))
		mount = 0;
	return look_up(m, fd, mount, dev);
}

uint64_t
mounts_of_entry(struct mounts *m, int dir, const char *name,
    uint64_t dir_fsid)
{
	CLEANUP(close_fd) int fd = -1;
	uint64_t mount;
	dev_t dev;

	if (!ask_mount(dir, name, 0, &mount, &dev))
		return dir_fsid;
	for (size_t i = 0; i < m->count; i++)
		if (m->known[i].mount == mount && m->known[i].dev == dev)
			return m->known[i].fsid;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd == -1 ? dir_fsid : mounts_of(m, fd, dev);
}
