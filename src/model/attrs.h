/*
 * attrs.h: the attributes that a file system gives for an entry, and the handle
 * of the entry.
 */
#ifndef MODEL_ATTRS_H
#define MODEL_ATTRS_H

#include "base/base.h"

enum entry_kind {
	ENTRY_UNKNOWN = 0,	/* no attributes */
	ENTRY_FILE,
	ENTRY_DIR,
	ENTRY_LINK,
	ENTRY_FIFO,
	ENTRY_SOCKET,
	ENTRY_CHAR,
	ENTRY_BLOCK,
	ENTRY__MAX
};

/* "file", "directory", "symlink", "fifo", "socket", "device" */
const char *entry_kind_name(enum entry_kind);

struct attrs {
	enum entry_kind kind;
	uint32_t mode;		/* permission bits, 07777 */
	uint32_t uid;		/* OWNER_NONE: not known */
	uint32_t gid;
	uint64_t size;
	int64_t	 mtime_ns;	/* since 1970; MTIME_NONE: not known */
	int64_t	 ctime_ns;
	int64_t	 atime_ns;	/* by the clock of the server; known from a
				   listing that has the atime at no cost, else
				   0 */
	uint64_t ino;
	uint64_t fsid;		/* of the file system, the same after a new
				   mount; a nested file system has its own */
};

/*
 * What a protocol can't say or we can't keep isn't known, and never another
 * value: an owner whose name nobody here knows, a time before 1970 over NFSv3,
 * or one outside of the years 1678 to 2261.
 */
#define OWNER_NONE	UINT32_MAX
#define MTIME_NONE	INT64_MIN

/* Nanoseconds since 1970, or MTIME_NONE. */
int64_t	 attrs_time_ns(int64_t sec, uint32_t nsec);

/* What a change does not show in: true for the inode's number is 1. */
enum {
	ATTRS_INO = 1,
	ATTRS_CTIME = 2		/* where the mtime is known */
};
/* Same content as far as stat can tell: size, mtime, ctime and inode, but
 * those that are ignored. An mtime that isn't known differs from none. */
bool	 attrs_same(const struct attrs *, const struct attrs *,
	    unsigned ignore);

/* Return the largest step of time that this time may be a multiple of by
 * rule and not by chance: between two seconds and a tenth; for all other times
 * the tick of a kernel. */
#define GRANULE_MAX	((int64_t)2000000000)
#define GRANULE_MIN	((int64_t)10000000)
int64_t	 attrs_granule(int64_t time_ns);
/* Return true if the attributes kept with an object (mode, owner, group,
 * mtime) equal the known attributes. An attribute that is unknown now doesn't
 * differ: a night over a protocol without that attribute rewrites nothing. An
 * attribute that has become known differs. */
bool	 attrs_same_kept(const struct attrs *now, const struct attrs *known);

/* NFSv3 file handles have at most 64 bytes (RFC 1813), NFSv4 128 (RFC 7530).
 * len 0: there is none, the path is used. */
#define HANDLE_MAX 128
struct handle {
	uint8_t	 len;
	uint8_t	 data[HANDLE_MAX];
};

/* Copy a handle; copy only the bytes that the handle has. */
static inline void
handle_copy(struct handle *to, const struct handle *from)
{
	to->len = from->len;
	memcpy(to->data, from->data, from->len);
}

static inline bool
handle_same(const struct handle *a, const struct handle *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

#endif
