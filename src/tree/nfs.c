/*
 * A tree over NFS: a connection, and the table of operations.
 */
#include "tree/nfs_internal.h"

static struct nfs *
nfs_of(const struct tree *tree)
{
	return ((const struct nfs_tree *)tree)->nfs;
}

static int
ops_fds(struct tree *tree, struct pollfd *fds, int max)
{
	struct nfs *nfs = nfs_of(tree);
	int n = tnfs_fds(nfs, fds, max);

	return n + tnfs_again_fds(nfs, fds + n, max - n);
}

static int
ops_timeout_ms(const struct tree *tree)
{
	const struct nfs *nfs = nfs_of(tree);

	return tnfs_again_timeout(nfs, tnfs_timeout(nfs));
}

static void
ops_service(struct tree *tree, const struct pollfd *fds, int n)
{
	struct nfs *nfs = nfs_of(tree);

	tnfs_service(nfs, fds, n);
	tnfs_again_service(nfs, fds, n);
}

static void
ops_free(struct tree *tree)
{
	tnfs_free(nfs_of(tree));
	free(tree);
}

static bool
ops_answers(const struct tree *tree)
{
	const struct nfs *nfs = nfs_of(tree);

	return nfs->state == NFS_UP && nfs->attempts == 0;
}

static const struct tree_ops nfs_ops = {
	.free = ops_free,
	.answers = ops_answers,
	.fds = ops_fds,
	.timeout_ms = ops_timeout_ms,
	.service = ops_service,
	.list = nfs_tree_list,
	.lookup = nfs_tree_lookup,
	.lookup_in = nfs_tree_lookup_in,
	.file_open = nfs_tree_file_open,
	.file_close = nfs_tree_file_close,
	.file_read = nfs_tree_file_read,
	.file_stat = nfs_tree_file_stat,
};

int
tree_nfs_open(struct tree **ret_tree, const struct tree_spec *spec,
    struct err *err)
{
	struct nfs_tree *t;
	struct nfs *nfs;

	if (tnfs_open(&nfs, spec, err) == -1)
		return -1;
	t = xcalloc(1, sizeof(*t));
	t->tree.ops = &nfs_ops;
	t->tree.root = &nfs->root;
	t->tree.protocol = nfs->version->name;
	t->nfs = nfs;
	*ret_tree = &t->tree;
	return 0;
}
