/*
 * Exports below an export, in version 3. The file handles of the outer export
 * lead to the directory covered by the nested export, not to the nested export.
 * Therefore the opening of the tree mounts each nested export in the server's
 * list by path; where a path reaches a nested export, the root of the nested
 * export takes the place of the directory. (Version 4 crosses by LOOKUP.)
 */
#include "nfs/nfs.h"

void
tnfs_nested_add(struct nfs *nfs, struct str dir)
{
	struct str share = str_of(nfs->share);
	struct nfs_nested *n;

	while (share.len > 0 && share.p[share.len - 1] == '/')
		share.len--;
	if (!str_starts(dir, share) || dir.len <= share.len + 1 ||
	    dir.p[share.len] != '/')
		return;
	dir.p += share.len + 1;
	dir.len -= share.len + 1;
	if (!path_valid(dir) || tnfs_nested_at(nfs, dir) != NULL)
		return;
	nfs->nested = xreallocarray(nfs->nested, nfs->nested_count + 1,
	    sizeof(*nfs->nested));
	n = &nfs->nested[nfs->nested_count++];
	memset(n, 0, sizeof(*n));
	n->path = path_copy(dir);
	n->path_len = dir.len;
	/* A nested export that can't be mounted gets an fsid unlike the fsid of
	 * any surrounding file system. */
	n->attrs.kind = ENTRY_DIR;
	n->attrs.fsid = ~(uint64_t)nfs->nested_count;
}

void
tnfs_nested_free(struct nfs *nfs)
{
	for (size_t i = 0; i < nfs->nested_count; i++)
		free(nfs->nested[i].path);
	free(STEAL(nfs->nested));
	nfs->nested_count = 0;
}

const struct nfs_nested *
tnfs_nested_at(const struct nfs *nfs, struct str path)
{
	for (size_t i = 0; i < nfs->nested_count; i++) {
		const struct nfs_nested *n = &nfs->nested[i];

		if (n->path_len == path.len &&
		    memcmp(n->path, path.p, path.len) == 0)
			return n;
	}
	return NULL;
}

bool
tnfs_nested_is_in(const struct nfs_nested *n, struct str dir,
    struct str *ret_name)
{
	struct str path = { n->path, n->path_len };

	*ret_name = path_name(path);
	return str_eq(path_dir(path), dir);
}
