/*
 * owner.h: the number of an owner that an NFSv4 server gives as text (RFC
 * 7530, 5.9): "1000", or "name@domain". A name is looked up on this host,
 * without its domain. Any thread.
 */
#ifndef NFS_OWNER_H
#define NFS_OWNER_H

#include "base/buf.h"

/* OWNER_NONE: a name that this host doesn't know, or "nobody", which servers
 * say of an owner whose name they don't know themselves. */
uint32_t owner_number(struct str text, bool is_group);

#endif
