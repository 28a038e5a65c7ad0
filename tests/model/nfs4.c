/*
 * nfs4.c: the same server over NFS 4.0 (RFC 7530): as much of it as reads a
 * tree. Above the share are the directories on the way to it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "nfs.h"

#define ENTRIES	8		/* of one answer of READDIR */
#define WORDS	2		/* of a mask */
#define FIRST	3		/* cookies before mean something else */

enum op4 {
	GETATTR = 9, GETFH = 10, LOOKUP = 15, PUTFH = 22, PUTROOTFH = 24,
	READ = 25, READDIR = 26, READLINK = 27
};

enum attr {
	TYPE = 1, SIZE = 4, FSID = 8, RDATTR_ERROR = 11, FILEHANDLE = 19,
	FILEID = 20, MAXREAD = 30, MODE = 33, NUMLINKS = 35, OWNER = 36,
	OWNER_GROUP = 37, TIME_DELTA = 51, TIME_METADATA = 52,
	TIME_MODIFY = 53
};

static const enum attr attrs[] = { TYPE, SIZE, FSID, RDATTR_ERROR, FILEHANDLE,
    FILEID, MAXREAD, MODE, NUMLINKS, OWNER, OWNER_GROUP, TIME_DELTA,
    TIME_METADATA, TIME_MODIFY };

/* A compound, and the file that it is at. */
struct compound {
	struct fake_in *in;
	struct buf *out;
	uint32_t count;		/* of operations */
	uint32_t at;
	char	*path;
	struct stat st;
	int	 how;		/* what is to go wrong */
};

/* --- attributes --- */

static void
out_handle(struct buf *b, const char *path, const struct stat *st)
{
	struct handle h = { st->st_dev, st->st_ino };

	/* Of the way to the share: its length. */
	if (strlen(path) < strlen(w.tree))
		h = (struct handle){ 0, strlen(path) };
	out_opaque(b, &h, sizeof(h));
}

static void
out_time4(struct buf *b, const struct timespec *t)
{
	out64(b, (uint64_t)t->tv_sec);
	out32(b, w.set.coarse ? 0 : (uint32_t)t->tv_nsec);
}

static void
out_number(struct buf *b, unsigned n)
{
	char text[16];

	out_opaque(b, text, (size_t)snprintf(text, sizeof(text), "%u", n));
}

static void
out_attr(struct buf *b, enum attr a, const char *path, const struct stat *st)
{
	switch (a) {
	case TYPE:
		out32(b, S_ISDIR(st->st_mode) ? 2 : S_ISLNK(st->st_mode) ? 5 :
		    S_ISREG(st->st_mode) ? 1 : 7);
		break;
	case SIZE:
		out64(b, (uint64_t)st->st_size);
		break;
	case FSID:
		out64(b, st->st_dev);
		out64(b, w.set.fsids != 0);
		break;
	case RDATTR_ERROR:
		out32(b, OK);
		break;
	case FILEHANDLE:
		out_handle(b, path, st);
		break;
	case FILEID:
		out64(b, st->st_ino);
		break;
	case MAXREAD:
		out64(b, 1 << 20);
		break;
	case MODE:
		out32(b, st->st_mode & 07777);
		break;
	case NUMLINKS:
		out32(b, (uint32_t)st->st_nlink);
		break;
	case OWNER:
		out_number(b, st->st_uid);
		break;
	case OWNER_GROUP:
		out_number(b, st->st_gid);
		break;
	case TIME_DELTA:
		out_time4(b, &(struct timespec){ w.set.coarse, 1 });
		break;
	case TIME_METADATA:
		out_time4(b, &st->st_ctim);
		break;
	case TIME_MODIFY:
		out_time4(b, &st->st_mtim);
		break;
	}
}

static void
in_mask(struct fake_in *in, uint32_t mask[WORDS])
{
	uint32_t n = in32(in);

	mask[0] = mask[1] = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t word = in32(in);

		if (i < WORDS)
			mask[i] = word;
	}
}

/* Those of the mask that this server knows. */
static void
out_attrs4(struct buf *out, const uint32_t mask[WORDS], const char *path,
    const struct stat *st)
{
	uint32_t given[WORDS] = { 0, 0 };
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(attrs); i++) {
		uint32_t bit = (uint32_t)1 << attrs[i] % 32;

		if ((mask[attrs[i] / 32] & bit) == 0)
			continue;
		given[attrs[i] / 32] |= bit;
		out_attr(&b, attrs[i], path, st);
	}
	out32(out, WORDS);
	out32(out, given[0]);
	out32(out, given[1]);
	out_opaque(out, b.data, b.len);
	buf_release(&b);
}

/* An entry without them. */
static void
out_no_attrs(struct buf *out)
{
	uint32_t error = htonl(ACCES);

	out32(out, 1);
	out32(out, (uint32_t)1 << RDATTR_ERROR);
	out_opaque(out, &error, sizeof(error));
}

/* --- operations: each takes its arguments, and adds to the answer what comes
 * behind its status --- */

static enum status
go_to(struct compound *c, char *path)
{
	struct stat st;

	if (path == NULL || lstat(path, &st) == -1) {
		free(path);
		return path == NULL ? STALE : NOENT;
	}
	free(c->path);
	c->path = path;
	c->st = st;
	return OK;
}

static enum status
op_putfh(struct compound *c)
{
	struct str s = in_opaque(c->in);
	struct handle h;

	if (s.len != sizeof(h))
		return STALE;
	memcpy(&h, s.p, sizeof(h));
	return go_to(c, h.dev != 0 ? path_of(&h) : xasprintf("%.*s",
	    (int)h.ino, w.tree));
}

static enum status
op_lookup(struct compound *c)
{
	struct str name = in_opaque(c->in);
	char *path = xasprintf("%s%s%.*s", c->path,
	    strcmp(c->path, "/") == 0 ? "" : "/", (int)name.len, name.p);
	enum status status = !S_ISDIR(c->st.st_mode) ? NOTDIR :
	    !may(&c->st, 1) ? ACCES : OK;

	if (status != OK) {
		free(path);
		return status;
	}
	status = go_to(c, path);
	if (status == OK && strlen(path) >= strlen(w.tree))
		remember(&c->st, rel_in_tree(path));
	return status;
}

static enum status
op_getattr(struct compound *c)
{
	uint32_t mask[WORDS];

	in_mask(c->in, mask);
	out_attrs4(c->out, mask, c->path, &c->st);
	return OK;
}

static enum status
op_readlink(struct compound *c)
{
	char target[256];
	ssize_t len = readlink(c->path, target, sizeof(target));

	if (len == -1)
		return INVAL;
	out_opaque(c->out, target, (size_t)len);
	return OK;
}

static enum status
op_read(struct compound *c)
{
	struct fake_in *in = c->in;
	uint64_t stateid[2] = { in64(in), in64(in) }, at = in64(in);
	uint32_t asked = in32(in), len = MIN(asked, 1U << 20);
	CLEANUP(close_fd) int fd = open(c->path, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK);
	AUTOFREE char *data = xmalloc(len + 1);
	ssize_t got = fd == -1 ? -1 : pread(fd, data, len, (off_t)at);

	(void)stateid;
	if (!may(&c->st, 4) || got == -1)
		return ACCES;
	out32(c->out, at + (uint64_t)got >= (uint64_t)c->st.st_size);
	out_opaque(c->out, data, (size_t)got);
	return OK;
}

static void
out_entry4(struct compound *c, const char *name, uint64_t cookie,
    const uint32_t mask[WORDS])
{
	AUTOFREE char *path = xasprintf("%s/%s", c->path, name);
	struct stat st;

	out32(c->out, 1);
	out64(c->out, cookie);
	out_opaque(c->out, name, strlen(name));
	if (lstat(path, &st) == -1 || !may(&c->st, 1) ||
	    c->how == NFS_NO_ATTRS) {
		out_no_attrs(c->out);
		return;
	}
	remember(&st, rel_in_tree(path));
	out_attrs4(c->out, mask, path, &st);
}

/* A cookie counts entries, as over NFS 3. */
static enum status
op_readdir(struct compound *c)
{
	uint64_t from = in64(c->in), at = FIRST, given = 0;
	struct dirent *e = NULL;
	uint32_t mask[WORDS];
	DIR *d;

	in64(c->in);
	in64(c->in);
	in_mask(c->in, mask);
	if (!S_ISDIR(c->st.st_mode) || !may(&c->st, 4))
		return S_ISDIR(c->st.st_mode) ? ACCES : NOTDIR;
	out64(c->out, 7);
	d = opendir(c->path);
	while (d != NULL && given < ENTRIES && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 || at++ < from)
			continue;
		if (c->how == NFS_CUT && at > FIRST + 1)
			break;
		out_entry4(c, e->d_name, at, mask);
		given++;
	}
	out32(c->out, 0);
	out32(c->out, e == NULL || c->how == NFS_CUT);
	if (d != NULL)
		closedir(d);
	return OK;
}

static enum status
do_op(struct compound *c, enum op4 op)
{
	switch (op) {
	case PUTFH:
		return op_putfh(c);
	case PUTROOTFH:
		return go_to(c, xstrdup("/"));
	case LOOKUP:
		return op_lookup(c);
	case GETFH:
		out_handle(c->out, c->path, &c->st);
		return OK;
	case GETATTR:
		return op_getattr(c);
	case READ:
		return op_read(c);
	case READDIR:
		return op_readdir(c);
	case READLINK:
		return op_readlink(c);
	}
	return INVAL;
}

/* What is to go wrong with an operation, said for the procedure of NFS 3 that
 * is like it. A GETATTR that others need is a part of them. */
static int
bend_of4(const struct compound *c, enum op4 op)
{
	switch (op) {
	case LOOKUP:
		return bend_of(3);
	case READ:
		return bend_of(6);
	case READDIR:
		return bend_of(17);
	case GETATTR:
		return c->at == 1 && c->count == 2 ? bend_of(1) : 0;
	default:
		return 0;
	}
}

static enum status
one_op(struct compound *c)
{
	enum op4 op = in32(c->in);
	size_t at = c->out->len + 4;
	enum status status;
	uint32_t word;

	out32(c->out, op);
	out32(c->out, OK);
	c->how = bend_of4(c, op);
	if (op != PUTFH && op != PUTROOTFH && c->path == NULL)
		status = STALE;
	else
		status = c->how > 0 ? (enum status)c->how : do_op(c, op);
	word = htonl(status);
	memcpy(c->out->data + at, &word, 4);
	if (status != OK)
		c->out->len = at + 4;
	return status;
}

enum fake_how
nfs4_call(struct fake_in *in, struct buf *out)
{
	struct compound c = { .in = in, .out = out };
	enum status status = OK;
	size_t at = out->len, count_at;
	struct str tag = in_opaque(in);
	uint32_t word;

	in32(in);
	c.count = in32(in);
	out32(out, OK);
	out_opaque(out, tag.p, tag.len);
	count_at = out->len;
	out32(out, 0);
	while (c.at < c.count && status == OK && c.how != NFS_CLOSE) {
		status = one_op(&c);
		c.at++;
	}
	word = htonl(status);
	memcpy(out->data + at, &word, 4);
	word = htonl(c.at);
	memcpy(out->data + count_at, &word, 4);
	free(c.path);
	return c.how == NFS_CLOSE ? FAKE_CLOSE : FAKE_REPLY;
}
