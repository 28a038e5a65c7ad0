/*
 * nfs_internal.h: the operations of tree.h made out of the calls of an NFS
 * connection (nfs/nfs.h). nfs_list.c lists directories, nfs_file.c
 * looks paths up and reads files.
 */
#ifndef TREE_NFS_INTERNAL_H
#define TREE_NFS_INTERNAL_H

#include "nfs/nfs.h"
#include "tree/tree_internal.h"

#define NFS_CHUNK 128		/* entries a page has at most */

struct nfs_tree {
	struct tree tree;
	struct nfs *nfs;
	/* entries of the READDIR answer being decoded */
	struct tree_entry chunk[NFS_CHUNK];
	size_t	 chunk_len;
};

void	 nfs_tree_list(struct tree *, const struct handle *, struct str path,
	    tree_page_fn *, tree_end_fn *, void *arg);
void	 nfs_tree_lookup(struct tree *, struct str path, bool follow,
	    tree_lookup_fn *, void *arg);
void	 nfs_tree_lookup_in(struct tree *, const struct handle *dir,
	    struct str path, tree_lookup_fn *, void *arg);
struct tree_file *nfs_tree_file_open(struct tree *, const struct handle *,
	    struct str path);
void	 nfs_tree_file_close(struct tree_file *);
void	 nfs_tree_file_read(struct tree_file *, uint64_t offset, uint32_t len,
	    void *buf, tree_read_fn *, void *arg);
void	 nfs_tree_file_stat(struct tree_file *, tree_lookup_fn *, void *arg);

#endif
