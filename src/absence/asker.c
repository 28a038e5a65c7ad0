#include "absence/asker.h"

#include <ctype.h>
#include <errno.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "model/key.h"
#include "model/path.h"

#define WINDOW		64	/* questions under way */
#define TREE_FDS	2
#define IDLE_MS		50	/* how often turn is called */
#define MOUNT_MS	10000	/* over NFS, how long a mount is reused */
#define BACKOFF_BASE_MS	100
#define BACKOFF_CAP_MS	5000
#define PATH_BYTES_MAX	(64 * KIB)

struct source {
	struct tree_spec spec;
	struct tree *tree;	/* or NULL */
	uint64_t opened_ms;
	nfds_t	 fd_first;	/* index of the first descriptor in fds */
	int	 fd_count;
	bool	 down;		/* err is the answer to every question about
				   the export */
	struct err err;
};

struct asker {
	struct asker_config c;
	struct source *v;
	struct pollfd *fds;	/* TREE_FDS for each source, at most */
	struct rng rng;
	uint64_t turned_ms;
	uint64_t faulty_ms;	/* time lost to passing faults */
	bool	 stopped;
};

/* A directory on the way to some of the files; the first directory is a
 * root. */
struct node {
	struct node *parent;	/* NULL for a root */
	unsigned export;
	size_t	 depth;
	char	*raw;		/* path below the root */
	size_t	 len;
	struct handle fh;
	struct absence_answer before;
	struct absence_answer after;
	bool	 matters;	/* an entry here or below is gone */
	bool	 suspect;	/* a file asked for seems to lie below */
};

/* A file asked for. */
struct target {
	struct absence_question *q;
	struct node *dir;	/* NULL: already answered */
	char	*raw;
	size_t	 len;
	struct absence_answer answer;
};

/* The questions put to the source in one go. */
struct batch {
	struct asker *a;
	struct node **nodes;
	size_t	 node_count;
	size_t	 depth;		/* of the deepest directory */
	struct target *targets;
	size_t	 target_count;
	struct ask *asks;
	size_t	 ask_count;
	size_t	 out;		/* asks without an answer */
};

/* A question to a tree. */
struct ask {
	struct batch *b;
	unsigned export;
	const struct handle *dir; /* NULL: ask for the root itself */
	struct str path;
	struct absence_answer *answer;
	struct handle *ret_fh;	/* or NULL */
	bool	 is_link;	/* path is a symlink and is followed */
};

struct asker *
asker_new(const struct asker_config *c)
{
	struct asker *a = xcalloc(1, sizeof(*a));

	a->c = *c;
	a->v = xcalloc(MAX(c->export_count, (size_t)1), sizeof(*a->v));
	a->fds = xcalloc(MAX(c->export_count, (size_t)1) * TREE_FDS,
	    sizeof(*a->fds));
	for (size_t i = 0; i < c->export_count; i++)
		a->v[i].spec = c->exports[i];
	rng_seed(&a->rng, clock_mono_ns());
	return a;
}

static void
close_trees(struct asker *a)
{
	for (size_t i = 0; i < a->c.export_count; i++)
		tree_free(&a->v[i].tree);
}

void
asker_free(struct asker **ap)
{
	struct asker *a = *ap;

	if (a == NULL)
		return;
	close_trees(a);
	free(a->v);
	free(a->fds);
	free(a);
	*ap = NULL;
}

bool
absence_export_of(const char *const *roots, size_t count, const char *path,
    unsigned *ret_export, const char **ret_rest)
{
	size_t best = path_innermost(path_dir(str_of(path)), roots, count);

	if (best == count)
		return false;
	*ret_export = (unsigned)best;
	*ret_rest = path + strlen(roots[best]) + 1;
	return true;
}

/* --- waiting --- */

static void
turn(struct asker *a, uint64_t timeout_ms)
{
	uint64_t now;
	int ms = (int)MIN(timeout_ms, (uint64_t)IDLE_MS);
	nfds_t count = 0;
	bool told;

	for (size_t i = 0; i < a->c.export_count; i++) {
		struct source *s = &a->v[i];
		int wanted;

		if (s->tree == NULL)
			continue;
		s->fd_first = count;
		s->fd_count = tree_fds(s->tree, a->fds + count, TREE_FDS);
		count += (nfds_t)s->fd_count;
		wanted = tree_timeout_ms(s->tree);
		if (wanted >= 0)
			ms = MIN(ms, wanted);
	}
	told = poll(a->fds, count, ms) != -1;
	for (size_t i = 0; i < a->c.export_count; i++) {
		struct source *s = &a->v[i];

		if (s->tree != NULL)
			tree_service(s->tree, a->fds + s->fd_first,
			    told ? s->fd_count : 0);
	}
	now = clock_mono_ms();
	if (a->c.turn == NULL || now - a->turned_ms < IDLE_MS)
		return;
	a->turned_ms = now;
	if (!a->c.turn(a->c.arg))
		a->stopped = true;
}

static void
wait_ms(struct asker *a, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms, now;

	while (!a->stopped && (now = clock_mono_ms()) < end)
		turn(a, end - now);
}

/* --- asking --- */

static void
answered(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct ask *k = arg;
	struct source *s = &k->b->a->v[k->export];

	if (err == NULL && e->attrs.kind == ENTRY_LINK && !k->is_link &&
	    s->spec.follow_links) {
		k->is_link = true;
		k->answer->attrs = e->attrs;
		tree_lookup_follow(s->tree, k->path, answered, k);
		return;
	}
	k->b->out--;
	/* A dangling link exists itself: answer with the link's attributes. */
	if (err != NULL && err->kind == ERR_GONE && k->is_link) {
		k->answer->dangling = err->code == ENOENT;
		return;
	}
	if (err != NULL) {
		k->answer->err = *err;
		return;
	}
	k->answer->attrs = e->attrs;
	if (k->ret_fh != NULL)
		*k->ret_fh = e->fh;
}

static void
begin(struct ask *k)
{
	struct tree *t = k->b->a->v[k->export].tree;

	memset(k->answer, 0, sizeof(*k->answer));
	k->b->out++;
	if (k->dir == NULL)
		tree_lookup(t, STR(""), answered, k);
	else
		tree_lookup_in(t, k->dir, k->path, answered, k);
}

static void
add_ask(struct batch *b, unsigned export, const struct handle *dir,
    const char *raw, size_t len, struct absence_answer *answer,
    struct handle *ret_fh)
{
	b->asks[b->ask_count++] = (struct ask){ .b = b, .export = export,
	    .dir = dir, .path = { raw, len }, .answer = answer,
	    .ret_fh = ret_fh };
}

/* Put every added question. */
static void
ask_all(struct batch *b)
{
	size_t next = 0;

	while (!b->a->stopped && (next < b->ask_count || b->out > 0)) {
		while (next < b->ask_count && b->out < WINDOW)
			begin(&b->asks[next++]);
		turn(b->a, IDLE_MS);
	}
	if (b->a->stopped)
		close_trees(b->a);
	b->ask_count = 0;
}

/* --- directories --- */

/* Connect to the source, unless the connection is younger than MOUNT_MS. */
static void
open_source(struct asker *a, unsigned export)
{
	struct source *s = &a->v[export];
	uint64_t now = clock_mono_ms();

	if (s->down)
		return;
	if (s->tree != NULL && s->spec.type == TREE_NFS &&
	    now - s->opened_ms < MOUNT_MS)
		return;
	tree_free(&s->tree);
	err_clear(&s->err);
	if (tree_open(&s->tree, &s->spec, &s->err) == -1 &&
	    s->err.kind == ERR_UNREACHABLE)
		s->err.kind = ERR_RETRY;
	s->opened_ms = clock_mono_ms();
}

static bool
is_below(const struct node *n, unsigned export, struct str path)
{
	return n->export == export && (n->len == 0 || (path.len > n->len &&
	    path.p[n->len] == '/' && memcmp(path.p, n->raw, n->len) == 0));
}

static struct node *
add_node(struct batch *b, struct node *parent, unsigned export,
    struct str path)
{
	struct node *n = xcalloc(1, sizeof(*n));

	b->nodes = xreallocarray(b->nodes, b->node_count + 1,
	    sizeof(*b->nodes));
	b->nodes[b->node_count++] = n;
	n->parent = parent;
	n->export = export;
	n->depth = parent == NULL ? 0 : parent->depth + 1;
	n->raw = xstrndup(path.p, path.len);
	n->len = path.len;
	b->depth = MAX(b->depth, n->depth);
	return n;
}

/* The directory that the path lies in, given the directory of the path before:
 * paths are sorted, so no directory is met twice. */
static struct node *
dir_of(struct batch *b, struct node *at, unsigned export, struct str path)
{
	while (at != NULL && !is_below(at, export, path))
		at = at->parent;
	if (at == NULL)
		at = add_node(b, NULL, export, STR(""));
	for (;;) {
		size_t from = at->len == 0 ? 0 : at->len + 1;
		const char *slash = memchr(path.p + from, '/',
		    path.len - from);

		if (slash == NULL)
			return at;
		at = add_node(b, at, export, (struct str){ path.p,
		    (size_t)(slash - path.p) });
	}
}

static struct absence_answer *
answer_of(struct node *n, bool after)
{
	return after ? &n->after : &n->before;
}

/* Turn the answer into an error if the root is not the root of the run's
 * beginning. */
static void
compare_root(const struct asker *a, struct node *n,
    struct absence_answer *answer)
{
	const struct attrs *seen = a->c.seen == NULL ? NULL :
	    &a->c.seen[n->export];
	const struct attrs *now = &answer->attrs;

	if (seen == NULL || seen->kind == ENTRY_UNKNOWN ||
	    !absence_stands(answer))
		return;
	if (seen->fsid != now->fsid ||
	    (!a->c.ignore_inode && seen->ino != now->ino))
		err_set(&answer->err, ERR_UNREACHABLE, 0, "the export is "
		    "another directory than when the run began (was it "
		    "mounted or unmounted meanwhile?)");
}

static void
add_dir_ask(struct batch *b, struct node *n, bool after)
{
	struct absence_answer *answer = answer_of(n, after);
	const struct source *s = &b->a->v[n->export];

	if (after && !n->matters)
		return;
	if (n->parent != NULL) {
		if (absence_stands(answer_of(n->parent, after)))
			add_ask(b, n->export, &n->parent->fh, n->raw, n->len,
			    answer, &n->fh);
	} else if (s->tree == NULL) {
		answer->err = s->err;
	} else {
		add_ask(b, n->export, NULL, "", 0, answer, &n->fh);
	}
}

/* Ask from the roots down: do not ask for paths below a directory already
 * gone. */
static void
ask_dirs(struct batch *b, bool after)
{
	for (size_t depth = 0; depth <= b->depth && !b->a->stopped; depth++) {
		for (size_t i = 0; i < b->node_count; i++)
			if (b->nodes[i]->depth == depth)
				add_dir_ask(b, b->nodes[i], after);
		ask_all(b);
		for (size_t i = 0; depth == 0 && i < b->node_count; i++)
			if (b->nodes[i]->depth == 0)
				compare_root(b->a, b->nodes[i],
				    answer_of(b->nodes[i], after));
	}
}

/* --- files --- */

static void
ask_files(struct batch *b)
{
	for (size_t i = 0; i < b->target_count; i++) {
		struct target *t = &b->targets[i];

		if (t->dir != NULL && absence_stands(&t->dir->before))
			add_ask(b, t->dir->export, &t->dir->fh, t->raw,
			    t->len, &t->answer, NULL);
	}
	ask_all(b);
}

static void
judge(const struct asker *a, const struct target *t, bool after)
{
	struct absence_question *q = t->q;
	struct absence_case c = { .entry = &t->answer, .is_file = true,
	    .noted = q->noted, .fsid = q->fsid,
	    .ignore_inode = a->c.ignore_inode };
	struct node *n = t->dir;

	/* Go up to the nearest existing directory. */
	while (n->parent != NULL && !absence_stands(&n->before)) {
		c.entry = &n->before;
		c.is_file = false;
		n = n->parent;
	}
	c.before = &n->before;
	if (q->any_fs) {
		c.noted = true;
		c.fsid = n->before.attrs.fsid;
	}
	c.after = after ? &n->after : &n->before;
	err_clear(&q->why);
	q->verdict = absence_judge(&c, &q->why);
	q->attrs = c.entry->attrs;
	q->everywhere = n->parent == NULL && (!absence_stands(&n->before) ||
	    c.after->err.kind != ERR_NONE);
	for (; q->verdict == ABSENCE_GONE && n != NULL; n = n->parent)
		n->matters = true;
}

static void
judge_all(struct batch *b, bool after)
{
	for (size_t i = 0; i < b->target_count; i++)
		if (b->targets[i].dir != NULL)
			judge(b->a, &b->targets[i], after);
}

/* --- sources that look names up without regard to case --- */

/* A name for which the source has answered. */
struct name {
	struct str name;
	struct absence_answer *answer;
	bool	 listed;	/* the directory has an entry of this name */
	bool	 renamed;	/* the directory has the inode by a name that
				   differs in case */
};

struct listing {
	struct tree *tree;
	const struct node *dir;
	struct name *v;		/* by_letters */
	size_t	 n;
	bool	 over;
	bool	 whole;
};

static int
without_case(char c)
{
	return (unsigned char)c < 0x80 ? tolower((unsigned char)c) : 0x80;
}

/* An order in which names are equal that differ in case alone. Letters that are
 * not ASCII count as equal. */
static int
by_letters(const void *a, const void *b)
{
	struct str x = ((const struct name *)a)->name;
	struct str y = ((const struct name *)b)->name;

	if (x.len != y.len)
		return x.len < y.len ? -1 : 1;
	for (size_t i = 0; i < x.len; i++) {
		int d = without_case(x.p[i]) - without_case(y.p[i]);

		if (d != 0)
			return d;
	}
	return 0;
}

static void
on_name(struct name *x, const struct tree_entry *e)
{
	if (str_eq(e->name, x->name))
		x->listed = true;
	else if (e->attrs.kind == x->answer->attrs.kind &&
	    e->attrs.ino == x->answer->attrs.ino &&
	    e->attrs.fsid == x->answer->attrs.fsid)
		x->renamed = true;
}

static void
on_names(void *arg, const struct tree_entry *v, size_t n)
{
	struct listing *l = arg;

	for (size_t i = 0; i < n; i++) {
		const struct name key = { .name = v[i].name };
		struct name *x = bsearch(&key, l->v, l->n, sizeof(*x),
		    by_letters);

		if (x == NULL)
			continue;
		while (x > l->v && by_letters(x - 1, &key) == 0)
			x--;
		for (; x < l->v + l->n && by_letters(x, &key) == 0; x++)
			on_name(x, &v[i]);
	}
}

static void
on_listed(void *arg, const struct err *err)
{
	struct listing *l = arg;
	const struct attrs *dir = &l->dir->before.attrs, *now;

	l->over = true;
	if (err != NULL)
		return;
	now = tree_listed(l->tree);
	l->whole = now->fsid == dir->fsid && now->ino == dir->ino;
}

static void
add_name(struct listing *l, const char *raw, size_t len,
    struct absence_answer *answer)
{
	l->v[l->n++] = (struct name){ path_name((struct str){ raw, len }),
	    answer, false, false };
}

/* List the directory of suspects. A name without an entry that leads to the
 * inode of an entry whose name differs in case is no name any more; return true
 * if there is such a name. */
static bool
look_for_names(struct batch *b, const struct node *dir)
{
	AUTOFREE struct name *v = xcalloc(b->target_count + b->node_count,
	    sizeof(*v));
	struct listing l = { .tree = b->a->v[dir->export].tree, .dir = dir,
	    .v = v };
	bool changed = false;

	for (size_t i = 0; i < b->target_count; i++) {
		struct target *t = &b->targets[i];

		if (t->dir == dir && t->q->verdict == ABSENCE_PRESENT)
			add_name(&l, t->raw, t->len, &t->answer);
	}
	for (size_t i = 0; i < b->node_count; i++)
		if (b->nodes[i]->parent == dir && b->nodes[i]->suspect)
			add_name(&l, b->nodes[i]->raw, b->nodes[i]->len,
			    &b->nodes[i]->before);
	qsort(v, l.n, sizeof(*v), by_letters);
	tree_list(l.tree, &dir->fh, (struct str){ dir->raw, dir->len },
	    on_names, on_listed, &l);
	while (!l.over) {
		turn(b->a, IDLE_MS);
		if (b->a->stopped)
			close_trees(b->a);
	}
	for (size_t i = 0; l.whole && i < l.n; i++)
		if (v[i].renamed && !v[i].listed) {
			err_set(&v[i].answer->err, ERR_GONE, ENOENT, "its "
			    "name differs in case now");
			changed = true;
		}
	return changed;
}

/* Turn the answers for names whose case has changed into "no such entry";
 * return true if there are any. */
static bool
look_for_case(struct batch *b)
{
	bool changed = false;

	for (size_t i = 0; i < b->target_count; i++) {
		struct target *t = &b->targets[i];

		if (t->dir == NULL || t->q->verdict != ABSENCE_PRESENT ||
		    !absence_stands(&t->dir->before))
			continue;
		for (struct node *n = t->dir; n != NULL; n = n->parent)
			n->suspect = true;
	}
	for (size_t i = 0; i < b->node_count && !b->a->stopped; i++)
		if (b->nodes[i]->suspect)
			changed |= look_for_names(b, b->nodes[i]);
	return changed;
}

/* --- batches --- */

static void
take_question(struct batch *b, struct absence_question *q, struct node **at)
{
	struct target *t = &b->targets[b->target_count++];
	struct asker *a = b->a;
	struct buf raw CLEANUP(buf_release);
	const char *rest;

	t->q = q;
	q->verdict = ABSENCE_UNKNOWN;
	q->everywhere = false;
	q->export = 0;
	buf_init(&raw, PATH_BYTES_MAX);
	if (!absence_export_of(a->c.roots, a->c.export_count, q->path,
	    &q->export, &rest)) {
		err_set(&q->why, ERR_INVALID, 0, "it lies under no export");
		return;
	}
	if (key_to_path(&raw, str_of(rest)) == -1) {
		err_set(&q->why, ERR_INVALID, 0, "its path is too long");
		return;
	}
	t->raw = xstrndup(raw.data, raw.len);
	t->len = raw.len;
	t->dir = *at = dir_of(b, *at, q->export, buf_str(&raw));
}

static void
release(struct batch *b)
{
	for (size_t i = 0; i < b->node_count; i++) {
		free(b->nodes[i]->raw);
		free(b->nodes[i]);
	}
	for (size_t i = 0; i < b->target_count; i++)
		free(b->targets[i].raw);
	free(b->nodes);
	free(b->targets);
	free(b->asks);
}

static void
ask_batch(struct asker *a, struct absence_question **v, size_t n)
{
	struct batch b CLEANUP(release) = { .a = a };
	struct node *at = NULL;

	b.targets = xcalloc(n, sizeof(*b.targets));
	for (size_t i = 0; i < n; i++)
		take_question(&b, v[i], &at);
	b.asks = xcalloc(MAX(n, b.node_count), sizeof(*b.asks));
	for (size_t i = 0; i < b.node_count; i++)
		if (b.nodes[i]->parent == NULL)
			open_source(a, b.nodes[i]->export);
	ask_dirs(&b, false);
	ask_files(&b);
	if (a->stopped)
		return;
	judge_all(&b, false);
	if (a->c.looks_for_case && !a->c.ignore_inode && look_for_case(&b))
		judge_all(&b, false);
	if (a->stopped)
		return;
	ask_dirs(&b, true);
	if (!a->stopped)
		judge_all(&b, true);
}

static int
by_path(const void *a, const void *b)
{
	const struct absence_question *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

/* Move the questions left without an answer by a passing fault to the front. */
static size_t
keep_faulty(struct absence_question **v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i]->verdict == ABSENCE_UNKNOWN &&
		    v[i]->why.kind == ERR_RETRY)
			v[kept++] = v[i];
	return kept;
}

/* Do not wait again for an export that gave no answer for retry_for_ms. */
static void
give_up(struct asker *a, struct absence_question **v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct source *s = &a->v[v[i]->export];

		if (!v[i]->everywhere || s->down)
			continue;
		tree_free(&s->tree);
		s->down = true;
		s->err = v[i]->why;
	}
}

int
absence_ask(struct asker *a, struct absence_question *questions, size_t n,
    struct err *err)
{
	AUTOFREE struct absence_question **v = xcalloc(MAX(n, (size_t)1),
	    sizeof(*v));
	uint64_t from = clock_mono_ms(), now;
	unsigned tries = 0;
	size_t left = n;

	for (size_t i = 0; i < n; i++)
		v[i] = &questions[i];
	qsort(v, n, sizeof(*v), by_path);
	for (;;) {
		size_t before = left;

		ask_batch(a, v, left);
		if (a->stopped)
			return err_set(err, ERR_STOPPED, 0, "interrupted");
		left = keep_faulty(v, left);
		if (left == 0 && tries == 0)
			a->faulty_ms = 0;
		now = clock_mono_ms();
		a->faulty_ms += tries > 0 || left > 0 ? now - from : 0;
		from = now;
		if (left == 0 || a->faulty_ms >= a->c.retry_for_ms)
			break;
		tries = left < before ? 1 : tries + 1;
		wait_ms(a, backoff_ms(tries, BACKOFF_BASE_MS, BACKOFF_CAP_MS,
		    rng_next(&a->rng)));
	}
	give_up(a, v, left);
	return 0;
}
