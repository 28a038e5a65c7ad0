#include <assert.h>

#include "tree/tree_internal.h"

int
tree_open(struct tree **ret_tree, const struct tree_spec *spec,
    struct err *err)
{
	int rc;

	*ret_tree = NULL;
	rc = spec->type == TREE_POSIX ? tree_posix_open(ret_tree, spec, err) :
	    tree_nfs_open(ret_tree, spec, err);
	if (rc == 0) {
		(*ret_tree)->follow = spec->follow_links;
		(*ret_tree)->brief = spec->brief;
	}
	return rc;
}

void
tree_free(struct tree **tree)
{
	if (*tree == NULL)
		return;
	(*tree)->ops->free(*tree);
	*tree = NULL;
}

void
tree_root(const struct tree *tree, struct handle *ret_handle,
    struct attrs *ret_attrs)
{
	if (ret_handle != NULL)
		handle_copy(ret_handle, &tree->root->fh);
	if (ret_attrs != NULL)
		*ret_attrs = tree->root->attrs;
}

const char *
tree_protocol(const struct tree *tree)
{
	return tree->protocol;
}

bool
tree_answers(const struct tree *tree)
{
	return tree->ops->answers(tree);
}

uint32_t
tree_read_max(const struct tree *tree)
{
	return tree->root->read_max;
}

int
tree_fds(struct tree *tree, struct pollfd *fds, int max)
{
	return tree->ops->fds(tree, fds, max);
}

int
tree_timeout_ms(const struct tree *tree)
{
	return tree->ops->timeout_ms(tree);
}

void
tree_service(struct tree *tree, const struct pollfd *fds, int n)
{
	tree->ops->service(tree, fds, n);
}

void
tree_list(struct tree *tree, const struct handle *dir, struct str path,
    tree_page_fn *page, tree_end_fn *end, void *arg)
{
	tree->ops->list(tree, dir, path, page, end, arg);
}

int64_t
tree_time_delta(const struct tree *tree)
{
	return tree->root->time_delta_ns;
}

const struct attrs *
tree_listed(const struct tree *tree)
{
	return &tree->listed;
}

void
tree_lookup(struct tree *tree, struct str path, tree_lookup_fn *fn, void *arg)
{
	tree->ops->lookup(tree, path, false, fn, arg);
}

void
tree_lookup_follow(struct tree *tree, struct str path, tree_lookup_fn *fn,
    void *arg)
{
	tree->ops->lookup(tree, path, true, fn, arg);
}

void
tree_lookup_in(struct tree *tree, const struct handle *dir, struct str path,
    tree_lookup_fn *fn, void *arg)
{
	tree->ops->lookup_in(tree, dir, path, fn, arg);
}

struct tree_file *
tree_file_open(struct tree *tree, const struct handle *fh, struct str path)
{
	struct tree_file *file = tree->ops->file_open(tree, fh, path);

	file->tree = tree;
	file->ops = tree->ops;
	file->outstanding = 0;
	return file;
}

void
tree_file_close(struct tree_file **file)
{
	if (*file == NULL)
		return;
	assert((*file)->outstanding == 0);
	(*file)->ops->file_close(*file);
	*file = NULL;
}

void
tree_file_read(struct tree_file *file, uint64_t offset, uint32_t len,
    void *buf, tree_read_fn *fn, void *arg)
{
	assert(len <= file->tree->root->read_max);
	file->outstanding++;
	file->tree->ops->file_read(file, offset, len, buf, fn, arg);
}

void
tree_file_stat(struct tree_file *file, tree_lookup_fn *fn, void *arg)
{
	file->outstanding++;
	file->tree->ops->file_stat(file, fn, arg);
}
