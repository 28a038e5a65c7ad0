/*
 * nfs.c: a small NFS server over the tree, in a thread, that can be told to
 * misbehave: here its version 3 (RFC 1813), in nfs4.c the other one. It asks
 * modes as a server does, for the user that the call names. A handle is a
 * device and an inode: it goes on through a rename and is stale when the file
 * has gone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "nfs.h"

#define CONNS	32
#define ENTRIES	8		/* of one answer of READDIR(PLUS) */
#define KNOWN	512		/* handles whose path is remembered */
#define BENDS	4

struct nfs_bend {
	int	 proc;		/* 0: any */
	int	 nth;
	int	 times;
	int	 how;
	int	 seen;
};

static struct {
	pthread_mutex_t lock;
	struct {
		struct nfs_bend bends[BENDS];
		size_t	 bend_count;
		int	 calls;
		int	 during_at;	/* 0: nothing happens */
		void	 (*during)(void);
	} locked;
	/* of the thread */
	struct {
		struct handle h;
		char	 rel[256];
	} known[KNOWN];
	size_t	 known_at;
	uid_t	 uid;		/* of the call */
} n = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
nfs_bend(int proc, int nth, int times, int how)
{
	pthread_mutex_lock(&n.lock);
	if (n.locked.bend_count < BENDS)
		n.locked.bends[n.locked.bend_count++] = (struct nfs_bend){
		    proc, nth, times, how, 0 };
	pthread_mutex_unlock(&n.lock);
}

void
nfs_during(int nth, void (*fn)(void))
{
	pthread_mutex_lock(&n.lock);
	n.locked.during_at = nth;
	n.locked.during = fn;
	pthread_mutex_unlock(&n.lock);
}

void
nfs_settle(void)
{
	pthread_mutex_lock(&n.lock);
	n.locked.bend_count = 0;
	n.locked.calls = 0;
	n.locked.during_at = 0;
	pthread_mutex_unlock(&n.lock);
}

/* --- handles --- */

void
remember(const struct stat *st, const char *rel)
{
	size_t i;

	for (i = 0; i < KNOWN; i++)
		if (n.known[i].h.ino == st->st_ino &&
		    n.known[i].h.dev == st->st_dev)
			break;
	if (i == KNOWN)
		i = n.known_at++ % KNOWN;
	n.known[i].h = (struct handle){ st->st_dev, st->st_ino };
	snprintf(n.known[i].rel, sizeof(n.known[i].rel), "%s", rel);
}

static bool
is_it(const char *path, const struct handle *h)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_ino == h->ino &&
	    st.st_dev == h->dev;
}

static struct {
	struct handle h;
	char	*found;
} hunt;

static void
hunt_one(const char *path, const struct stat *st)
{
	if (hunt.found == NULL && st->st_ino == hunt.h.ino &&
	    st->st_dev == hunt.h.dev)
		hunt.found = xstrdup(path);
}

char *
path_of(const struct handle *h)
{
	for (size_t i = 0; i < KNOWN; i++) {
		AUTOFREE char *path = NULL;

		if (n.known[i].h.ino != h->ino || n.known[i].h.dev != h->dev)
			continue;
		path = tree_path(n.known[i].rel);
		if (is_it(path, h))
			return STEAL(path);
	}
	hunt.h = *h;
	hunt.found = NULL;
	tree_each(w.tree, hunt_one);
	return STEAL(hunt.found);
}

const char *
rel_in_tree(const char *path)
{
	const char *rel = path + strlen(w.tree);

	return rel[0] == '/' ? rel + 1 : rel;
}

static void
out_fh(struct buf *b, const struct stat *st)
{
	struct handle h = { st->st_dev, st->st_ino };

	out_opaque(b, &h, sizeof(h));
}

/* The path of a call's handle; NULL: status is written. */
static char *
in_path(struct fake_in *in, struct stat *st)
{
	struct str s = in_opaque(in);
	struct handle h;
	char *path;

	if (s.len != sizeof(h))
		return NULL;
	memcpy(&h, s.p, sizeof(h));
	path = path_of(&h);
	if (path != NULL && lstat(path, st) == -1) {
		free(path);
		return NULL;
	}
	return path;
}

/* --- attributes --- */

static void
out_time(struct buf *b, const struct timespec *t)
{
	out32(b, (uint32_t)t->tv_sec);
	out32(b, w.set.coarse ? 0 : (uint32_t)t->tv_nsec);
}

static void
out_attrs(struct buf *b, const struct stat *st)
{
	uint32_t type = S_ISDIR(st->st_mode) ? 2 : S_ISLNK(st->st_mode) ? 5 :
	    S_ISREG(st->st_mode) ? 1 : 7;

	out32(b, type);
	out32(b, st->st_mode & 07777);
	out32(b, (uint32_t)st->st_nlink);
	out32(b, st->st_uid);
	out32(b, st->st_gid);
	out64(b, (uint64_t)st->st_size);
	out64(b, (uint64_t)st->st_blocks * 512);
	out64(b, 0);
	out64(b, st->st_dev);
	out64(b, st->st_ino);
	out_time(b, &st->st_atim);
	out_time(b, &st->st_mtim);
	out_time(b, &st->st_ctim);
}

static void
out_post(struct buf *b, const struct stat *st)
{
	out32(b, st != NULL);
	if (st != NULL)
		out_attrs(b, st);
}

bool
may(const struct stat *st, mode_t bit)
{
	unsigned shift = n.uid == st->st_uid ? 6 : 0;

	return n.uid == 0 || (st->st_mode >> shift & bit) != 0;
}

static void
refuse(struct buf *out, uint32_t status)
{
	out32(out, status);
	out32(out, 0);
}

/* --- procedures --- */

static void
do_getattr(struct fake_in *in, struct buf *out)
{
	struct stat st;
	AUTOFREE char *path = in_path(in, &st);

	out32(out, path == NULL ? STALE : OK);
	if (path != NULL)
		out_attrs(out, &st);
}

static void
do_lookup(struct fake_in *in, struct buf *out)
{
	struct stat dir, st;
	AUTOFREE char *path = in_path(in, &dir);
	struct str name = in_opaque(in);
	AUTOFREE char *file = xasprintf("%s/%.*s", path == NULL ? "" : path,
	    (int)name.len, name.p);

	if (path == NULL) {
		refuse(out, STALE);
	} else if (!S_ISDIR(dir.st_mode)) {
		refuse(out, NOTDIR);
	} else if (!may(&dir, 1)) {
		refuse(out, ACCES);
	} else if (lstat(file, &st) == -1) {
		refuse(out, NOENT);
	} else {
		remember(&st, rel_in_tree(file));
		out32(out, OK);
		out_fh(out, &st);
		out_post(out, &st);
		out_post(out, &dir);
	}
}

static void
do_access(struct fake_in *in, struct buf *out)
{
	struct stat st;
	AUTOFREE char *path = in_path(in, &st);
	uint32_t want = in32(in), have = 0;

	if (path == NULL) {
		refuse(out, STALE);
		return;
	}
	have |= may(&st, 4) ? 1 : 0;
	have |= may(&st, 1) ? 2 | 32 : 0;
	have |= may(&st, 2) ? 4 | 8 | 16 : 0;
	out32(out, OK);
	out_post(out, &st);
	out32(out, want & have);
}

static void
do_readlink(struct fake_in *in, struct buf *out)
{
	struct stat st;
	AUTOFREE char *path = in_path(in, &st);
	char target[256];
	ssize_t len = path == NULL ? -1 : readlink(path, target,
	    sizeof(target));

	if (len == -1) {
		refuse(out, path == NULL ? STALE : INVAL);
		return;
	}
	out32(out, OK);
	out_post(out, &st);
	out_opaque(out, target, (size_t)len);
}

static void
do_read(struct fake_in *in, struct buf *out)
{
	struct stat st;
	AUTOFREE char *path = in_path(in, &st);
	uint64_t at = in64(in);
	uint32_t asked = in32(in), len = MIN(asked, 1U << 20);
	CLEANUP(close_fd) int fd = path == NULL ? -1 :
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTOFREE char *data = xmalloc(len + 1);
	ssize_t got = fd == -1 ? -1 : pread(fd, data, len, (off_t)at);

	if (path == NULL || !may(&st, 4) || got == -1) {
		refuse(out, path == NULL ? STALE : ACCES);
		return;
	}
	out32(out, OK);
	out_post(out, &st);
	out32(out, (uint32_t)got);
	out32(out, at + (uint64_t)got >= (uint64_t)st.st_size);
	out_opaque(out, data, (size_t)got);
}

static void
out_entry(struct buf *out, const char *dir, const struct dirent *e,
    uint64_t cookie, bool plus, bool attrs)
{
	AUTOFREE char *path = xasprintf("%s/%s", dir, e->d_name);
	struct stat st;
	bool ok = lstat(path, &st) == 0;

	out32(out, 1);
	out64(out, ok ? st.st_ino : 1);
	out_opaque(out, e->d_name, strlen(e->d_name));
	out64(out, cookie);
	if (!plus)
		return;
	ok = ok && attrs;
	if (ok)
		remember(&st, rel_in_tree(path));
	out_post(out, ok ? &st : NULL);
	out32(out, ok);
	if (ok)
		out_fh(out, &st);
}

/* A cookie counts entries; names are in the order of the directory. With
 * "cut" the list ends in its middle. */
static void
list(struct buf *out, const char *path, const struct stat *st, uint64_t from,
    bool plus, int how)
{
	DIR *d = opendir(path);
	bool attrs = may(st, 1) && how != NFS_NO_ATTRS;
	uint64_t at = 0, given = 0;
	struct dirent *e = NULL;

	out32(out, OK);
	out_post(out, st);
	out64(out, 7);
	while (d != NULL && given < ENTRIES && (e = readdir(d)) != NULL) {
		if (at++ < from)
			continue;
		if (how == NFS_CUT && at > 3)
			break;
		out_entry(out, path, e, at, plus, attrs);
		given++;
	}
	out32(out, 0);
	out32(out, e == NULL || how == NFS_CUT);
	if (d != NULL)
		closedir(d);
}

static void
do_list(struct fake_in *in, struct buf *out, bool plus, int how)
{
	struct stat st;
	AUTOFREE char *path = in_path(in, &st);
	uint64_t from = in64(in);

	if (path == NULL)
		refuse(out, STALE);
	else if (!S_ISDIR(st.st_mode))
		refuse(out, NOTDIR);
	else if (!may(&st, 4))
		refuse(out, ACCES);
	else
		list(out, path, &st, from, plus, how);
}

static void
do_fsinfo(struct buf *out)
{
	out32(out, OK);
	out_post(out, NULL);
	for (int i = 0; i < 7; i++)
		out32(out, 1 << 20);
	out64(out, UINT64_MAX >> 1);
	out32(out, w.set.coarse ? 1 : 0);
	out32(out, w.set.coarse ? 0 : 1);
	out32(out, 0x1b);
}

static enum fake_how
do_mount(uint32_t proc, struct fake_in *in, struct buf *out)
{
	struct str path;
	AUTOFREE char *text = NULL;
	struct stat st;

	if (proc == 5) {
		out32(out, 1);
		out_opaque(out, w.tree, strlen(w.tree));
		out32(out, 0);
		out32(out, 0);
	}
	if (proc != 1)
		return FAKE_REPLY;
	path = in_opaque(in);
	text = xasprintf("%.*s", (int)path.len, path.p);
	if (strncmp(text, w.tree, strlen(w.tree)) != 0 ||
	    lstat(text, &st) == -1 || !S_ISDIR(st.st_mode)) {
		out32(out, NOENT);
		return FAKE_REPLY;
	}
	remember(&st, rel_in_tree(text));
	out32(out, OK);
	out_fh(out, &st);
	out32(out, 1);
	out32(out, 1);
	return FAKE_REPLY;
}

/* --- the server --- */

int
bend_of(uint32_t proc)
{
	int how = 0;

	pthread_mutex_lock(&n.lock);
	for (size_t i = 0; i < n.locked.bend_count && how == 0; i++) {
		struct nfs_bend *b = &n.locked.bends[i];

		if (b->proc != 0 && b->proc != (int)proc)
			continue;
		b->seen++;
		if (b->seen >= b->nth && b->seen < b->nth + b->times)
			how = b->how;
	}
	pthread_mutex_unlock(&n.lock);
	return how;
}

static void
happen(void)
{
	void (*during)(void) = NULL;

	pthread_mutex_lock(&n.lock);
	if (++n.locked.calls == n.locked.during_at)
		during = n.locked.during;
	pthread_mutex_unlock(&n.lock);
	if (during != NULL)
		during();
}

static void
take_uid(struct str cred)
{
	struct fake_in in = { (const uint8_t *)cred.p, cred.len };

	n.uid = 65534;
	if (cred.len < 12)
		return;
	in32(&in);
	in_opaque(&in);
	n.uid = in32(&in);
}

static enum fake_how
do_proc(uint32_t proc, struct fake_in *in, struct buf *out, int how)
{
	switch (proc) {
	case 0:
		return FAKE_REPLY;
	case 1:
		do_getattr(in, out);
		return FAKE_REPLY;
	case 3:
		do_lookup(in, out);
		return FAKE_REPLY;
	case 4:
		do_access(in, out);
		return FAKE_REPLY;
	case 5:
		do_readlink(in, out);
		return FAKE_REPLY;
	case 6:
		do_read(in, out);
		return FAKE_REPLY;
	case 16:
	case 17:
		do_list(in, out, proc == 17, how);
		return FAKE_REPLY;
	case 19:
		do_fsinfo(out);
		return FAKE_REPLY;
	default:
		return FAKE_PROC_UNAVAIL;
	}
}

static enum fake_how
on_call(void *arg, const struct fake_call *call, struct fake_in *in,
    struct buf *out)
{
	int how;

	(void)arg;
	take_uid(call->cred);
	if (call->prog == 100005)
		return do_mount(call->proc, in, out);
	happen();
	if (call->vers == 4 && call->proc != 0)
		return nfs4_call(in, out);
	how = bend_of(call->proc);
	if (w.verbose)
		printf("      nfs %u%s\n", call->proc, how == 0 ? "" :
		    " (bent)");
	if (how == NFS_CLOSE)
		return FAKE_CLOSE;
	if (how != 0 && how != NFS_CUT && how != NFS_NO_ATTRS) {
		out32(out, (uint32_t)how);
		if (call->proc != 1)
			out32(out, 0);
		return FAKE_REPLY;
	}
	return do_proc(call->proc, in, out, how);
}

/* One thread serves all connections: a client that doesn't read what it asked
 * for must not keep it from the others. */
static int
accept_at(int listener)
{
	const int room = 64 << 20;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd != -1)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room,
		    sizeof(room));
	return fd;
}

static void *
serve(void *arg)
{
	struct pollfd fds[CONNS + 2];
	nfds_t listeners = 2, count = 2;

	memcpy(fds, arg, 2 * sizeof(fds[0]));
	free(arg);
	for (;;) {
		poll(fds, count, -1);
		for (nfds_t i = listeners; i < count; i++) {
			if (fds[i].revents != 0 &&
			    !fake_rpc(fds[i].fd, on_call, NULL)) {
				close(fds[i].fd);
				fds[i--] = fds[--count];
			}
		}
		for (nfds_t i = 0; i < listeners; i++) {
			if (fds[i].revents == 0 || count == ARRAY_LEN(fds))
				continue;
			fds[count++] = (struct pollfd){ .events = POLLIN,
			    .fd = accept_at(fds[i].fd) };
		}
	}
	return NULL;
}

/* The port, on that address of the loopback; 0: any that is free. */
static int
listen_at(in_addr_t address, unsigned *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(address),
	    .sin_port = htons((uint16_t)*port) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(fd, 64) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		abort();
	*port = ntohs(a.sin_port);
	return fd;
}

/* At two addresses, as a server that has got another name is there too. */
unsigned
nfs_start(void)
{
	struct pollfd *fds = xcalloc(2, sizeof(*fds));
	unsigned port = 0;
	pthread_t t;

	fds[0] = (struct pollfd){ .events = POLLIN,
	    .fd = listen_at(INADDR_LOOPBACK, &port) };
	fds[1] = (struct pollfd){ .events = POLLIN,
	    .fd = listen_at(INADDR_LOOPBACK + 1, &port) };
	if (pthread_create(&t, NULL, serve, fds) != 0)
		abort();
	return port;
}
