#include "work/trees.h"

#define TREE_FDS	2	/* descriptors of a tree, see tree_fds */

void
trees_init(struct trees *t, const struct tree_spec *specs, size_t count,
    const _Atomic bool *stop)
{
	*t = (struct trees){ .specs = specs, .count = count, .stop = stop };
	t->v = xcalloc(count + 1, sizeof(*t->v));
	t->fds = xcalloc(1 + count * TREE_FDS, sizeof(*t->fds));
	t->first = xcalloc(count + 1, sizeof(*t->first));
}

void
trees_release(struct trees *t)
{
	for (size_t i = 0; i < t->count; i++)
		tree_free(&t->v[i]);
	free(t->v);
	free(t->fds);
	free(t->first);
	memset(t, 0, sizeof(*t));
}

struct tree *
trees_get(struct trees *t, unsigned export, struct err *err)
{
	struct tree_spec spec = t->specs[export];

	spec.stop = t->stop;
	if (t->v[export] == NULL &&
	    tree_open(&t->v[export], &spec, err) == -1)
		return NULL;
	return t->v[export];
}

void
trees_wait(struct trees *t, struct s3 *s3, int fd, int timeout_ms)
{
	size_t n = 0;

	if (fd != -1)
		t->fds[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	for (size_t i = 0; i < t->count; i++) {
		int ms;

		t->first[i] = n;
		if (t->v[i] == NULL)
			continue;
		n += (size_t)tree_fds(t->v[i], t->fds + n, TREE_FDS);
		ms = tree_timeout_ms(t->v[i]);
		if (ms >= 0)
			timeout_ms = MIN(timeout_ms, ms);
	}
	t->first[t->count] = n;
	s3_wait(s3, t->fds, (unsigned)n, timeout_ms);
}

void
trees_service(struct trees *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->v[i] != NULL)
			tree_service(t->v[i], t->fds + t->first[i],
			    (int)(t->first[i + 1] - t->first[i]));
}
