/*
 * v3_internal.h: functions shared by v3.c and v3_write.c, with the types of
 * libnfs.
 */
#ifndef NFS_V3_INTERNAL_H
#define NFS_V3_INTERNAL_H

#include "nfs/nfs.h"

#include <nfsc/libnfs-raw-nfs.h>

/* kind UNKNOWN: not given */
void	 tnfs3_post_attrs(struct attrs *, const post_op_attr *);
/* Points into the handle. */
nfs_fh3	 tnfs3_fh(const struct handle *);
/* Return the result; the result (of MOUNT also) begins with the status. Return
 * NULL if no result came or the status is an error; the call has ended then. */
const void *tnfs3_answer(struct nfs_call *, int rpc_status, const void *data);

#endif
