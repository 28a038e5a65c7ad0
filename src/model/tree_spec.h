/*
 * tree_spec.h: the tree to open, and the known facts about the root of the
 * tree.
 */
#ifndef MODEL_TREE_SPEC_H
#define MODEL_TREE_SPEC_H

#include <stdatomic.h>

#include "base/base.h"
#include "model/attrs.h"

enum tree_type {
	TREE_POSIX = 0,
	TREE_NFS
};

/* How the shares of NFS servers are reached: settings of [fs_config], of which
 * each is a member here and a row in conf/table.c. */
struct nfs_access {
	unsigned nfs_version;	/* 3, 4; 0: 3, then 4 */
	unsigned nfsport;	/* 0: ask rpcbind (v3), 2049 (v4) */
	unsigned mountport;	/* 0: ask rpcbind */
	uint32_t uid;		/* AUTH_SYS credentials */
	uint32_t gid;
};

struct tree_spec {
	enum tree_type type;
	const char *server;	/* NFS: host name or address */
	const char *share;	/* export path; POSIX: the directory */
	struct nfs_access access;
	bool	 follow_links;	/* paths may go through symlinks, and end in
				   one, inside the export */
	bool	 brief;		/* list in small pages: the caller looks only
				   at the first entries */
	unsigned timeout_ms;	/* limit of a call, and of open as a whole;
				   0: 30 s */
	const _Atomic bool *stop; /* or NULL; true makes a waiting open fail
				   soon */
	uint64_t unacked_ms;	/* NFS: see sock.h; 0: timeout_ms */
	/* The moment (clock_mono_ms) from which on nothing may be written to
	 * a destination; 0: writes are always allowed. NULL for sources. */
	const _Atomic uint64_t *valid_until_ms;
	/* The root as seen when the run began, perhaps by another host
	 * (POSIX: by tree_peek). If the root is a different directory, the
	 * open fails with DENIED: a mount is missing on this host, or the root
	 * is on another server, or a new directory has replaced the root. Over
	 * NFS a stale root is mounted again only if the new root is the same
	 * directory. */
	uint64_t root_ino;	/* 0: do not compare */
	uint64_t root_fsid;	/* 0: do not compare; must be 0 for a POSIX
				   root that another host has seen, as hosts
				   number file systems differently */
	bool	 filled;	/* POSIX: the root must not be empty */
};

/* The largest read of a file that callers ask a tree for, in bytes. */
#define TREE_READ_MAX	((uint32_t)MIB)

/* The root of an open tree, and the facts about the tree from its server. */
struct tree_root {
	struct handle fh;
	struct attrs attrs;
	int64_t	 time_delta_ns;	/* step of file times; 0: not known */
	uint32_t read_max;	/* largest read, in bytes */
};

#endif
