#include "model/path.h"

bool
path_name_is_dot(struct str name)
{
	return (name.len == 1 && name.p[0] == '.') ||
	    (name.len == 2 && name.p[0] == '.' && name.p[1] == '.');
}

bool
path_lies_in(struct str path, struct str dir)
{
	return str_starts(path, dir) &&
	    (path.len == dir.len || path.p[dir.len] == '/');
}

size_t
path_innermost(struct str path, const char *const *roots, size_t count)
{
	size_t best = count, most = 0;

	for (size_t i = 0; i < count; i++) {
		struct str root = str_of(roots[i]);

		if (!path_lies_in(path, root) ||
		    (best < count && root.len <= most))
			continue;
		best = i;
		most = root.len;
	}
	return best;
}

const char *
path_name_fault(struct str name)
{
	if (name.len == 0)
		return "an empty name";
	if (name.len > PATH_NAME_MAX)
		return "a name of more than 255 bytes";
	if (memchr(name.p, '/', name.len) != NULL)
		return "a name with a slash";
	if (memchr(name.p, '\0', name.len) != NULL)
		return "a name with a NUL";
	return NULL;
}

bool
path_valid(struct str path)
{
	if (path.len == 0)
		return true;
	for (;;) {
		const char *slash = memchr(path.p, '/', path.len);
		struct str part = path;

		if (slash != NULL)
			part.len = (size_t)(slash - path.p);
		if (part.len == 0 || path_name_is_dot(part) ||
		    memchr(part.p, '\0', part.len) != NULL)
			return false;
		if (slash == NULL)
			return true;
		path.p += part.len + 1;
		path.len -= part.len + 1;
	}
}

char *
path_copy(struct str path)
{
	char *copy = xmalloc(path.len + 1);

	if (path.len > 0)
		memcpy(copy, path.p, path.len);
	copy[path.len] = '\0';
	return copy;
}

/* Bytes up to the last slash and with it; 0: the path has no slash. */
static size_t
name_begins(struct str path)
{
	const char *slash = path.len == 0 ? NULL :
	    memrchr(path.p, '/', path.len);

	return slash == NULL ? 0 : (size_t)(slash + 1 - path.p);
}

struct str
path_name(struct str path)
{
	size_t begins = name_begins(path);

	return (struct str){ path.p + begins, path.len - begins };
}

struct str
path_dir(struct str path)
{
	size_t begins = name_begins(path);

	return (struct str){ path.p, begins == 0 ? 0 : begins - 1 };
}
