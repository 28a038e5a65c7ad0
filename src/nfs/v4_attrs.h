/*
 * v4_attrs.h: the attributes of NFSv4 (RFC 7530, 5 and 20): a bit mask of the
 * present attributes, and their values back to back. Names of owners are looked
 * up on this host (owner.h).
 */
#ifndef NFS_V4_ATTRS_H
#define NFS_V4_ATTRS_H

#include "base/err.h"
#include "model/attrs.h"

/* The attributes to ask for: words of the mask. */
#define NFS4_MASK_WORDS	2
extern const uint32_t nfs4_mask_attrs[NFS4_MASK_WORDS];
extern const uint32_t nfs4_mask_readdir[NFS4_MASK_WORDS];
extern const uint32_t nfs4_mask_limits[NFS4_MASK_WORDS];

struct nfs4_attrs {
	struct attrs attrs;	/* kind UNKNOWN: no type was given */
	const uint8_t *fh;	/* points into the values; NULL: none */
	size_t	 fh_len;
	uint64_t max_read;	/* 0: not given */
	int64_t	 time_delta_ns;	/* likewise */
	uint32_t nlink;		/* likewise */
	int	 rdattr_error;	/* NFS status, or 0 */
};

/* Return -1 (PEER) if the values end early or hold an attribute not asked
 * for. */
int	 nfs4_attrs_decode(const uint32_t *mask, size_t words,
	    const void *values, size_t len, struct nfs4_attrs *,
	    struct err *) MUST_USE;

/* The attributes to set; the server keeps the rest. */
struct attrs_set {
	uint64_t size;
	int64_t	 mtime_ns;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	bool	 has_size;
	bool	 has_mtime;
	bool	 has_mode;
	bool	 has_owner;	/* uid and gid */
};

#define NFS4_SET_MAX	80	/* largest length of the values */
/* Return the number of bytes in values. */
size_t	 nfs4_attrs_encode(const struct attrs_set *,
	    uint32_t mask[NFS4_MASK_WORDS], uint8_t values[NFS4_SET_MAX]);

#endif
