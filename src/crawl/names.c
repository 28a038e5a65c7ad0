#include "crawl/names.h"

#include "model/key.h"
#include "model/path.h"

static int
clean(struct str line, struct buf *path, struct err *err)
{
	buf_clear(path);
	if (memchr(line.p, '\0', line.len) != NULL)
		return err_set(err, ERR_INVALID, 0, "it has a NUL byte");
	while (line.len > 0) {
		const char *slash = memchr(line.p, '/', line.len);
		size_t n = slash == NULL ? line.len :
		    (size_t)(slash - line.p);
		struct str part = { line.p, n };

		if (str_eq(part, STR("..")))
			return err_set(err, ERR_INVALID, 0,
			    "a path with .. in it");
		if (n > 0 && !str_eq(part, STR(".")) &&
		    ((path->len > 0 && buf_addch(path, '/') == -1) ||
		    buf_add(path, part.p, part.len) == -1))
			return err_set(err, ERR_INVALID, 0, "it is too long");
		n = MIN(n + 1, line.len);
		line.p += n;
		line.len -= n;
	}
	return 0;
}

/* True if the path lies under the root, or is the root: rel is empty then. */
static bool
below(struct str path, struct str root, struct str *rel)
{
	*rel = path;
	if (root.len == 0)
		return true;
	if (!path_lies_in(path, root))
		return false;
	rel->p += MIN(root.len + 1, path.len);
	rel->len -= MIN(root.len + 1, path.len);
	return true;
}

int
names_find(const struct crawl_config *c, struct str line, struct buf *path,
    unsigned *export, struct str *rel, struct err *err)
{
	struct str whole, below_root;
	bool found = false;

	if (clean(line, path, err) == -1)
		return -1;
	whole = buf_str(path);
	/* If an export lies inside another export, take the inner export. */
	for (unsigned i = 0; i < c->export_count; i++) {
		if (!below(whole, str_of(key_of_path(c->roots[i],
		    c->server_as_prefix)),
		    &below_root) || (found && below_root.len >= rel->len))
			continue;
		found = true;
		*rel = below_root;
		*export = i;
	}
	if (!found && c->export_count != 1)
		return err_set(err, ERR_INVALID, 0,
		    "it lies under no configured share");
	if (!found) {
		*export = 0;
		*rel = whole;
	}
	if (rel->len == 0)
		return err_set(err, ERR_INVALID, 0,
		    "it names no file of a share");
	return 0;
}
