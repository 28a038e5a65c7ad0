#include "model/path.h"
#include "tree/walk.h"

void
walk_init(struct walk *w, struct str path)
{
	*w = (struct walk){ .rest = path_copy(path),
	    .len = path.len };
}

void
walk_release(struct walk *w)
{
	free(w->rest);
	w->rest = NULL;
	w->len = w->off = 0;
}

/* The next component from *off on, "" at the end. */
static struct str
component(const struct walk *w, size_t *off)
{
	size_t start;

	while (*off < w->len && w->rest[*off] == '/')
		(*off)++;
	start = *off;
	while (*off < w->len && w->rest[*off] != '/')
		(*off)++;
	return (struct str){ w->rest + start, *off - start };
}

enum walk_step
walk_next(struct walk *w, struct str *ret_name)
{
	do {
		*ret_name = component(w, &w->off);
	} while (str_eq(*ret_name, STR(".")));
	if (ret_name->len == 0)
		return WALK_END;
	if (!str_eq(*ret_name, STR(".."))) {
		w->depth++;
		return WALK_NAME;
	}
	if (w->depth == 0)
		return WALK_OUTSIDE;
	w->depth--;
	return WALK_UP;
}

bool
walk_at_end(const struct walk *w)
{
	size_t off = w->off;
	struct str name;

	do {
		name = component(w, &off);
	} while (str_eq(name, STR(".")));
	return name.len == 0;
}

int
walk_splice(struct walk *w, struct str target, struct err *err)
{
	size_t left = w->len - w->off;
	size_t len = target.len + left;
	char *rest;

	if (target.len == 0)
		return err_set(err, ERR_GONE, 0, "a symlink without a target");
	if (target.p[0] == '/')
		return err_set(err, ERR_GONE, 0,
		    "a symlink leads out of the tree");
	if (++w->hops > WALK_HOPS_MAX)
		return err_set(err, ERR_GONE, 0,
		    "more than %d symlinks, perhaps a loop", WALK_HOPS_MAX);
	if (len > WALK_PATH_MAX)
		return err_set(err, ERR_GONE, 0,
		    "symlinks lead to a path of more than %d bytes",
		    WALK_PATH_MAX);
	/* The rest of the path begins with a slash or is empty. */
	rest = xmalloc(len + 1);
	memcpy(rest, target.p, target.len);
	memcpy(rest + target.len, w->rest + w->off, left);
	rest[len] = '\0';
	free(w->rest);
	w->rest = rest;
	w->len = len;
	w->off = 0;
	w->depth--;
	return 0;
}
