/*
 * list.c: --files-from: the names come from a file, not from directories.
 */
#include "crawl/crawl_int.h"

#include "model/key.h"

#define LOOKUPS_MAX	32

struct lister {
	struct crawler *w;
	struct reading **by_export;
	size_t	 in_flight;
	bool	 eof;
};

struct wanted {
	struct lister *l;
	struct reading *r;
	char	*raw;		/* path below the export's root */
};

static void
failed(struct wanted *n, const struct err *err)
{
	struct tree_entry e = { .attrs.kind = ENTRY_UNKNOWN };

	e.err = *err;
	if (err->kind == ERR_GONE)
		err_set(&e.err, ERR_INVALID, 0, "no such file");
	reading_entry(n->r, str_of(n->raw), &e);
}

static void
looked_up(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct wanted *n = arg;

	n->l->in_flight--;
	if (err != NULL && err->kind == ERR_STOPPED)
		n->r->err = *err;
	else if (err != NULL)
		failed(n, err);
	else if (e->attrs.kind == ENTRY_DIR)
		reading_excluded(n->r, str_of(n->raw), e, "directory");
	else
		reading_entry(n->r, str_of(n->raw), e);
	free(n->raw);
	free(n);
}

static struct reading *
reading_of(struct lister *l, unsigned export)
{
	struct dir_job job = { .export = export };

	if (l->by_export[export] == NULL) {
		job.path = xstrdup(l->w->c->c.roots[export]);
		l->by_export[export] = reading_new(l->w, &job);
	}
	return l->by_export[export];
}

/* The export that the key lies under, and what comes after its root. */
static bool
find_export(const struct crawl_config *c, struct str line, unsigned *export,
    struct str *rest)
{
	for (unsigned i = 0; i < c->export_count; i++) {
		struct str root = str_of(c->server_as_prefix ? c->roots[i] :
		    key_without_server(c->roots[i]));

		if (str_starts(line, root) && line.len > root.len + 1 &&
		    line.p[root.len] == '/') {
			*export = i;
			rest->p = line.p + root.len + 1;
			rest->len = line.len - root.len - 1;
			return true;
		}
	}
	*export = 0;
	*rest = line;
	return c->export_count == 1;
}

/* A path that climbs out of the export names nothing in it. */
static bool
climbs(struct str s)
{
	while (s.len > 0) {
		size_t n = 0;

		while (n < s.len && s.p[n] != '/')
			n++;
		if (n == 2 && s.p[0] == '.' && s.p[1] == '.')
			return true;
		n = MIN(n + 1, s.len);
		s.p += n;
		s.len -= n;
	}
	return false;
}

static void
want(struct lister *l, struct str line)
{
	struct wanted *n = xcalloc(1, sizeof(*n));
	struct err err = ERR_INIT;
	struct str rest;
	unsigned export;
	bool ours = find_export(&l->w->c->c, line, &export, &rest) &&
	    !climbs(rest);
	struct tree *t;

	while (rest.len > 1 && rest.p[0] == '/') {
		rest.p++;
		rest.len--;
	}
	n->l = l;
	n->r = reading_of(l, export);
	n->raw = xstrndup(rest.p, rest.len);
	l->in_flight++;
	t = ours ? crawler_tree(l->w, export, &err) : NULL;
	if (t == NULL) {
		if (!ours)
			err_set(&err, ERR_INVALID, 0,
			    "it lies under no configured share");
		looked_up(n, NULL, &err);
		return;
	}
	tree_lookup(t, str_of(n->raw), looked_up, n);
}

static void
next_line(struct lister *l)
{
	char *line AUTOFREE = NULL;
	size_t cap = 0;
	ssize_t len = getline(&line, &cap, l->w->list);

	if (len == -1) {
		l->eof = true;
		return;
	}
	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len > 0)
		want(l, (struct str){ line, (size_t)len });
}

void *
list_main(void *arg)
{
	struct crawler *w = arg;
	struct lister l = { .w = w };
	struct mail *done;

	l.by_export = xcalloc(w->c->c.export_count, sizeof(*l.by_export));
	while (!atomic_load(&w->c->stopping) && (!l.eof || l.in_flight > 0)) {
		while (!l.eof && l.in_flight < LOOKUPS_MAX)
			next_line(&l);
		if (l.in_flight > 0)
			crawler_turn(w, 100);
	}
	for (size_t i = 0; i < w->c->c.export_count; i++)
		tree_free(&w->trees[i]);
	for (size_t i = 0; i < w->c->c.export_count; i++)
		if (l.by_export[i] != NULL)
			reading_flush(l.by_export[i], false);
	if (!atomic_load(&w->c->stopping))
		reading_flush(reading_of(&l, 0), true);
	for (size_t i = 0; i < w->c->c.export_count; i++)
		reading_free(&l.by_export[i]);
	free(l.by_export);
	done = xcalloc(1, sizeof(*done));
	done->type = MAIL_CRAWLED;
	if (!mailbox_put(w->c->c.up, done))
		free(done);
	return NULL;
}
