/*
 * fake_nfs.h: a small NFSv3 server (RFC 5531, RFC 1813) in a thread of the
 * test, that misbehaves on request. One port for the mount and the NFS
 * program; one directory (the root) with files "f0", "f1", ...
 */
#ifndef KIT_FAKE_NFS_H
#define KIT_FAKE_NFS_H

#include <stdatomic.h>

#include "kit/fake_rpc.h"

#define FAKE_CONNS	16
#define FAKE_NESTED	1000	/* id of the export below the export */
#define FAKE_PAGE	10	/* entries of one READDIR answer */

/* Misbehaviour; set before fake_nfs_start, or between calls. "times" count
 * down. */
struct fake {
	unsigned files;
	bool	 no_attrs;	/* READDIRPLUS: names only */
	bool	 no_dir_attrs;	/* READDIR: of the directory, none */
	uint64_t fsid;		/* of all there is */
	bool	 lookup_no_attrs;
	bool	 no_plus;	/* READDIRPLUS is NOTSUPP */
	bool	 no_plus_proc;	/* ... is PROC_UNAVAIL */
	bool	 stuck;		/* the cookie doesn't advance */
	bool	 circle;	/* cookies go round */
	bool	 empty_pages;
	const char *first_name;	/* LOOKUP: f0 has this name too */
	bool	 fold;		/* LOOKUP: without regard to case; the root has
				   a directory "sub", with the same files */
	const char *bad_name;
	size_t	 bad_name_len;
	bool	 huge_handle;
	int	 mnt_status;
	const char *nested;	/* name of an export in the root: a directory
				   of another file system, with the same files
				   as the root; NULL: none */
	int	 nested_status;	/* of its mount */
	uint64_t nested_fsid;	/* 0: the one after that of all else */
	bool	 nested_empty;	/* there are no files in it */
	bool	 kerberos;
	bool	 prog_unavail;
	uint32_t rtmax;
	uint32_t max_reply;	/* bytes a READ gives at most; 0: as asked */
	bool	 no_progress;	/* READ: none, and not the end */
	bool	 too_many;	/* READ: more than asked */
	int	 getattr_status;
	atomic_int bad_cookie_times;
	atomic_int getattr_stale; /* GETATTR of files is stale so often */
	int	 list_status;	/* of READDIRPLUS after its first page ... */
	atomic_int list_times;	/* ... so often */
	atomic_int drop_times;	/* of READ */
	atomic_int close_times;	/* of READ */
	atomic_int jukebox_times;
	atomic_int lookup_status;	/* of "f3" */
	atomic_int generation;	/* of handles; others are stale */
	atomic_int root_generation;	/* likewise of the root's */
	atomic_bool root_stale;
	/* what was seen */
	atomic_int conns, reads, lookups, lists, getattrs, commits;
	/* the server */
	in_addr_t address;	/* 0: 127.0.0.1 */
	int	 port;		/* 0: any */
	int	 listener;
	int	 stop[2];
	pthread_t thread;
};

void fake_nfs_start(struct fake *f);
void fake_nfs_stop(struct fake *f);

#endif
