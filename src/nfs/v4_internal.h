/*
 * v4_internal.h: functions shared by v4.c and v4_write.c, with the types of
 * libnfs: compounds put together and taken apart.
 */
#ifndef NFS_V4_INTERNAL_H
#define NFS_V4_INTERNAL_H

#include "nfs/nfs.h"

#include <nfsc/libnfs-raw-nfs4.h>

/* The whole compound; NULL: the call has ended (and may be freed), or
 * will. */
const COMPOUND4res *tnfs4_answer(struct nfs_call *, int status,
	    const void *data);
/* Copy the result number i (libnfs does not align results), which must be a
 * result of the operation op. Return false if the call has ended. */
bool	 tnfs4_result(struct nfs_call *, const COMPOUND4res *, unsigned i,
	    int op, nfs_resop4 *);
/* The callback of calls whose results from number at on are GETFH and
 * GETATTR. */
void	 tnfs4_end_entry(struct nfs_call *, const COMPOUND4res *, unsigned at);

void	 tnfs4_putfh(nfs_argop4 *, const struct handle *);
void	 tnfs4_getattr(nfs_argop4 *, const uint32_t *mask);
int	 tnfs4_send(struct rpc_context *, struct nfs_call *, rpc_cb,
	    nfs_argop4 *, unsigned n);

#endif
