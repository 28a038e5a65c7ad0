/*
 * nfs.h: what the NFS server's two versions share. All of it belongs to the
 * server's thread.
 */
#ifndef MODEL_NFS_H
#define MODEL_NFS_H

#include "kit/fake_rpc.h"

#include "model.h"

enum status {
	OK = 0, PERM = 1, NOENT = 2, ACCES = 13, NOTDIR = 20, INVAL = 22,
	STALE = 70, BAD_COOKIE = 10003
};

struct handle {
	uint64_t dev;
	uint64_t ino;
};

/* The file's path is likely to be this one, below the share. */
void	 remember(const struct stat *, const char *rel);
/* Where the file is now; NULL: nowhere. */
char	*path_of(const struct handle *) MUST_USE;
const char *rel_in_tree(const char *path);
/* The user of the call may do that: 4 read, 2 write, 1 look up. */
bool	 may(const struct stat *, mode_t bit);
/* What is to go wrong with this call of a procedure of NFS 3; 0: nothing. */
int	 bend_of(uint32_t proc);
/* A compound of NFS 4. */
enum fake_how nfs4_call(struct fake_in *, struct buf *out);

#endif
