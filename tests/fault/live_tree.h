/*
 * live_tree.h: what live_tree.c needs to call a tree and wait: counted
 * checks, a loop, callbacks that remember.
 */
#ifndef FAULT_LIVE_TREE_H
#define FAULT_LIVE_TREE_H

#include <stdarg.h>

#include "base/clock.h"
#include "tree/tree.h"

static unsigned passed, failed;
static struct tree_spec spec;

#define CHECK(cond, ...) check((cond), __LINE__, __VA_ARGS__)
static bool PRINTF_LIKE(3, 4)
check(bool ok, int line, const char *fmt, ...)
{
	va_list ap;

	if (ok) {
		passed++;
		return true;
	}
	failed++;
	printf("FAIL %s line %d: ", spec.type == TREE_POSIX ? "posix" :
	    spec.access.nfs_version == 4 ? "nfs4" : "nfs3", line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	return false;
}

/* One turn of the loop that a caller has. */
static void
turn(struct tree *t, int limit_ms)
{
	struct pollfd fds[2];
	int n = tree_fds(t, fds, 2);
	int wait = tree_timeout_ms(t);

	if (wait == -1 || wait > limit_ms)
		wait = limit_ms;
	poll(fds, (nfds_t)n, wait);
	tree_service(t, fds, n);
}

static bool
turn_until(struct tree *t, const bool *done, int limit_ms)
{
	uint64_t end = clock_mono_ms() + (uint64_t)limit_ms;

	while (!*done && clock_mono_ms() < end)
		turn(t, 50);
	return *done;
}

/* --- what the callbacks collect --- */

struct listing {
	bool	 done;
	struct err err;
	size_t	 n, cap;
	struct item {
		char	 name[256];
		size_t	 name_len;
		struct attrs attrs;
		struct handle fh;
		enum err_kind kind;
	} *items;
};

static void
on_page(void *arg, const struct tree_entry *e, size_t n)
{
	struct listing *l = arg;

	for (size_t i = 0; i < n; i++, l->n++) {
		struct item *it;

		if (l->n == l->cap) {
			l->cap = l->cap == 0 ? 1024 : 2 * l->cap;
			l->items = xreallocarray(l->items, l->cap,
			    sizeof(*l->items));
		}
		it = &l->items[l->n];
		memcpy(it->name, e[i].name.p, e[i].name.len);
		it->name[e[i].name.len] = '\0';
		it->name_len = e[i].name.len;
		it->attrs = e[i].attrs;
		it->fh.len = e[i].fh.len;
		memcpy(it->fh.data, e[i].fh.data, e[i].fh.len);
		it->kind = e[i].err.kind;
	}
}

static void
on_end(void *arg, const struct err *err)
{
	struct listing *l = arg;

	l->done = true;
	if (err != NULL)
		l->err = *err;
}

struct found {
	bool	 done;
	struct err err;
	struct attrs attrs;
	struct handle fh;
};

static void
on_found(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct found *f = arg;

	f->done = true;
	if (err != NULL) {
		f->err = *err;
		return;
	}
	f->attrs = e->attrs;
	f->fh.len = e->fh.len;
	memcpy(f->fh.data, e->fh.data, e->fh.len);
}

struct got {
	bool	 done;
	struct err err;
	struct tree_read r;
};

static void
on_read(void *arg, const struct tree_read *r, const struct err *err)
{
	struct got *g = arg;

	g->done = true;
	if (err != NULL)
		g->err = *err;
	else
		g->r = *r;
}

/* --- the same, waited for --- */

static void
list(struct tree *t, const struct handle *fh, const char *path,
    struct listing *l)
{
	*l = (struct listing){ .done = false };
	tree_list(t, fh, str_of(path), on_page, on_end, l);
	if (!turn_until(t, &l->done, 60000))
		check(false, __LINE__, "list %s does not end", path);
}

static void
lookup(struct tree *t, const char *path, bool follow, struct found *f)
{
	*f = (struct found){ .done = false };
	(follow ? tree_lookup_follow : tree_lookup)(t, str_of(path), on_found,
	    f);
	if (!turn_until(t, &f->done, 60000))
		check(false, __LINE__, "lookup %s does not end", path);
}

static void
read_at(struct tree *t, struct tree_file *f, uint64_t off, void *buf,
    uint32_t len, struct got *g)
{
	*g = (struct got){ .done = false };
	tree_file_read(f, off, len, buf, on_read, g);
	if (!turn_until(t, &g->done, 60000))
		check(false, __LINE__, "read does not end");
}

#endif
