/*
 * export.c: each export as a run will use it: mount, list, read.
 */
#include "base/clock.h"
#include "check/check_internal.h"

#define FDS	2
#define TURN_MS	500
#define SMALL	MIB

struct look {
	struct tree *tree;
	size_t	 count;		/* entries on the first page */
	bool	 paged;
	struct err list_err;
	bool	 whole;		/* the first page was all */
	char	*name;		/* of a small file, raw bytes; or NULL */
	struct str name_str;
	struct handle fh;
	uint64_t size;
	bool	 read_done;
	uint32_t read_len;
	struct err read_err;
	bool	 stopped;	/* nothing that comes now counts */
};

static void
look_release(struct look *l)
{
	l->stopped = true;
	tree_free(&l->tree);
	free(l->name);
}

/* True when *done; false: the limit is over. */
static bool
wait_for(struct tree *t, const bool *done, uint64_t limit_ms)
{
	uint64_t end_ms = clock_mono_ms() + limit_ms;

	while (!*done && clock_mono_ms() < end_ms) {
		struct pollfd fds[FDS];
		int n = tree_fds(t, fds, FDS);
		int timeout = tree_timeout_ms(t);

		if (timeout < 0 || timeout > TURN_MS)
			timeout = TURN_MS;
		if (poll(fds, (nfds_t)n, timeout) <= 0)
			n = 0;
		tree_service(t, n > 0 ? fds : NULL, n);
	}
	return *done;
}

static void
page(void *arg, const struct tree_entry *e, size_t n)
{
	struct look *l = arg;

	if (l->paged || l->stopped)
		return;
	l->paged = true;
	l->count = n;
	for (size_t i = 0; i < n && l->name == NULL; i++) {
		if (e[i].attrs.kind != ENTRY_FILE || e[i].attrs.size == 0 ||
		    e[i].attrs.size > SMALL)
			continue;
		l->name = xmemdup(e[i].name.p, e[i].name.len);
		l->name_str = (struct str){ l->name, e[i].name.len };
		l->fh = e[i].fh;
		l->size = e[i].attrs.size;
	}
}

static void
listed(void *arg, const struct err *err)
{
	struct look *l = arg;

	if (l->stopped)
		return;
	if (err != NULL && !l->paged)
		l->list_err = *err;
	l->whole = err == NULL;
	l->paged = true;
}

static void
was_read(void *arg, const struct tree_read *r, const struct err *err)
{
	struct look *l = arg;

	if (l->stopped)
		return;
	l->read_done = true;
	if (err != NULL)
		l->read_err = *err;
	else
		l->read_len = r->len;
}

static const char *
reach_todo(const struct check *c, const struct err *err)
{
	if (c->conf->fs_config.mounted)
		return "is it mounted there? see share and mounted in "
		    "[fs_config]";
	if (err->kind == ERR_DENIED)
		return "let the server export it to this host";
	return "is the server up, is the share right, are nfsport, mountport "
	    "and nfs_version in [fs_config], does a firewall let us through?";
}

static const char *
may_todo(const struct err *err)
{
	if (err->kind == ERR_DENIED)
		return "may this user read it? see uid and gid in [fs_config], "
		    "and no_root_squash on the server";
	return "see the log of the server";
}

static void
say_listed(struct check *c, const char *root, const struct look *l)
{
	if (l->list_err.kind != ERR_NONE)
		check_say(c, CHECK_FAIL, "export", root,
		    may_todo(&l->list_err), "its root can't be listed: %s",
		    l->list_err.msg);
	else if (l->count == 0)
		check_say(c, CHECK_WARN, "export", root, "is that right, or "
		    "is something not mounted on the server?",
		    "its root is empty");
	else
		check_say(c, CHECK_OK, "export", root, NULL,
		    "its root lists %zu entr%s%s", l->count,
		    l->count == 1 ? "y" : "ies",
		    l->whole ? "" : " on the first page");
}

static void
check_read(struct check *c, const char *root, struct look *l,
    uint64_t limit_ms)
{
	uint32_t want = (uint32_t)MIN(l->size, tree_read_max(l->tree));
	AUTOFREE char *data = xmalloc(want);
	struct tree_file *f = tree_file_open(l->tree, &l->fh, l->name_str);
	AUTOFREE char *name = xstrndup(l->name_str.p, l->name_str.len);

	tree_file_read(f, 0, want, data, was_read, l);
	if (!wait_for(l->tree, &l->read_done, limit_ms))
		err_set(&l->read_err, ERR_RETRY, 0, "no answer");
	/* The data must not be freed while the tree may still write into the
	 * buffer. */
	l->stopped = true;
	tree_free(&l->tree);
	tree_file_close(&f);
	if (l->read_err.kind == ERR_GONE)
		check_say(c, CHECK_OK, "export", root, NULL, "%s went away "
		    "before it was read", name);
	else if (l->read_err.kind != ERR_NONE)
		check_say(c, CHECK_FAIL, "export", root,
		    may_todo(&l->read_err), "%s can't be read: %s", name,
		    l->read_err.msg);
	else
		check_say(c, CHECK_OK, "export", root, NULL,
		    "read %u bytes of %s", l->read_len, name);
}

static void
check_export(struct check *c, const char *root, const struct tree_spec *spec)
{
	CLEANUP(look_release) struct look l = { .paged = false };
	uint64_t limit_ms = 2 * (uint64_t)MAX(spec->timeout_ms, 30000U);
	struct err err = ERR_INIT;
	struct handle fh;

	if (tree_open(&l.tree, spec, &err) == -1) {
		check_say(c, CHECK_FAIL, "export", root, reach_todo(c, &err),
		    "it can't be mounted: %s", err.msg);
		return;
	}
	check_say(c, CHECK_OK, "export", root, NULL, "mounted (%s)",
	    tree_protocol(l.tree));
	tree_root(l.tree, &fh, NULL);
	tree_list(l.tree, &fh, STR(""), page, listed, &l);
	if (!wait_for(l.tree, &l.paged, limit_ms))
		err_set(&l.list_err, ERR_RETRY, 0, "no answer");
	say_listed(c, root, &l);
	if (l.name != NULL)
		check_read(c, root, &l, limit_ms);
}

void
check_exports(struct check *c, const struct run_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		check_export(c, plan->roots[i], &plan->specs[i]);
}
