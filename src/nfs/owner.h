/*
 * owner.h: the number of an owner from the text of an NFSv4 server (RFC 7530,
 * 5.9): "1000", or "name@domain". A name is looked up on this host, without the
 * domain. Any thread.
 */
#ifndef NFS_OWNER_H
#define NFS_OWNER_H

#include "base/buf.h"

/* Return OWNER_NONE for a name unknown to this host, and for "nobody" and
 * "nogroup": servers send "nobody" for an owner whose name the server does not
 * know. */
uint32_t owner_number(struct str text, bool is_group);

#endif
