/*
 * v3_internal.h: what the two halves of NFSv3 share, with the types of libnfs.
 */
#ifndef NFS_V3_INTERNAL_H
#define NFS_V3_INTERNAL_H

#include "nfs/nfs.h"

#include <nfsc/libnfs-raw-nfs.h>

/* kind UNKNOWN: not given */
void	 tnfs3_post_attrs(struct attrs *, const post_op_attr *);
/* Points into the handle. */
nfs_fh3	 tnfs3_fh(const struct handle *);
/* The result, of MOUNT too, in front of which its status stands. NULL: there
 * is none, or it is an error; the call has ended. */
const void *tnfs3_answer(struct nfs_call *, int rpc_status, const void *data);

#endif
