/*
 * attrs.h: what a file system says of one entry, and the handle it has.
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
	uint32_t uid;
	uint32_t gid;
	uint64_t size;
	int64_t	 mtime_ns;	/* since 1970 */
	int64_t	 ctime_ns;
	uint64_t ino;
	uint64_t fsid;		/* of the file system, the same after a new
				   mount of it; a nested one differs */
};

/* Same content as far as stat can tell: size, mtime, ctime and, unless
 * ignore_ino, inode. */
bool	 attrs_same(const struct attrs *, const struct attrs *,
	    bool ignore_ino);

/* NFSv3 file handles have at most 64 bytes (RFC 1813), NFSv4 128 (RFC 7530).
 * len 0: there is none, the path is used. */
#define HANDLE_MAX 128
struct handle {
	uint8_t	 len;
	uint8_t	 data[HANDLE_MAX];
};

#endif
