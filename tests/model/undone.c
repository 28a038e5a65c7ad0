/*
 * undone.c: invariant 7, its second half. undo brings back what the run has
 * deleted, if nothing became of the key since, with the bytes of before, and
 * leaves everything else as it is.
 */
#include "model.h"

struct gone {			/* an object that a run has deleted */
	long	 run;		/* 0: the one at hand */
	int	 conf;
	char	*name;		/* bucket/key */
	uint64_t hash;
	uint64_t at;		/* store_now() then */
	bool	 kept;		/* the bucket has it as a version */
	uint64_t back_at;	/* store_now() when undo brought it back */
	/* When the run at hand began: */
	bool	 last;		/* nothing had become of the name since */
	bool	 theirs;	/* another tool alone had changed it since */
	bool	 back;		/* undo had brought it back, and nothing had
				   become of it since */
	bool	 sure;		/* the catalog knows of both */
};

struct change {			/* the last one of a name */
	char	*name;
	uint64_t at;
	uint64_t ours_at;	/* by the program */
};

struct before {
	char	*name;
	uint64_t hash;
	uint64_t version;
};

/* The store's threads write gone and changes, one at a time, while a run goes
 * on; nobody reads then but they. */
static struct {
	struct gone *gone;
	size_t	 gone_count;
	struct change *changes;
	size_t	 change_count;
	long	 undone;	/* run, in OP_UNDO; else 0 */
	bool	 dry;
	long	 pruned;	/* runs before this one have been */
	bool	 doubts;	/* the catalog had some when the run began */
	struct before *before;
	size_t	 before_count;
} u;

static void
forget_before(void)
{
	for (size_t i = 0; i < u.before_count; i++)
		free(u.before[i].name);
	u.before_count = 0;
}

void
undone_forget(void)
{
	for (size_t i = 0; i < u.gone_count; i++)
		free(u.gone[i].name);
	for (size_t i = 0; i < u.change_count; i++)
		free(u.changes[i].name);
	u.gone_count = u.change_count = 0;
	u.pruned = 0;
	forget_before();
}

void
undone_pruned(long last)
{
	u.pruned = last;
}

/* --- while a run goes on --- */

static struct change *
find_change(const char *name)
{
	for (size_t i = 0; i < u.change_count; i++)
		if (strcmp(u.changes[i].name, name) == 0)
			return &u.changes[i];
	return NULL;
}

void
past_change(const char *name, bool ours)
{
	struct change *c = find_change(name);

	if (c == NULL) {
		u.changes = xreallocarray(u.changes, u.change_count + 1,
		    sizeof(*c));
		c = &u.changes[u.change_count++];
		*c = (struct change){ .name = xstrdup(name) };
	}
	c->at = store_now();
	if (ours)
		c->ours_at = c->at;
}

void
past_deleted(const char *name, uint64_t hash, bool kept, bool foreign)
{
	struct gone g = { .conf = w.conf, .name = xstrdup(name), .hash = hash,
	    .at = store_now(), .kept = kept,
	    .sure = !foreign && !is_touched_name(name) && !u.doubts };

	u.gone = xreallocarray(u.gone, u.gone_count + 1, sizeof(g));
	u.gone[u.gone_count++] = g;
}

static bool
is_of_run(const struct gone *g)
{
	return g->run == u.undone && is_same_target(g->conf, w.conf);
}

void
past_came(const char *name, uint64_t hash)
{
	bool known = false;

	for (size_t i = 0; i < u.gone_count && !known; i++)
		known = is_of_run(&u.gone[i]) && u.gone[i].last &&
		    u.gone[i].hash == hash &&
		    strcmp(u.gone[i].name, name) == 0;
	if (u.undone == 0 || u.dry)
		breach(7, "%s has come back", name);
	else if (!known)
		breach(7, "%s has come back, which run %ld hasn't deleted, "
		    "or something has become of it since", name, u.undone);
}

void
past_dropped(const char *name)
{
	breach(7, "a version of %s was deleted", name);
}

/* --- at its end --- */

void
undone_remember(long run, bool sure)
{
	for (size_t i = 0; i < u.gone_count; i++) {
		struct gone *g = &u.gone[i];

		if (g->run != 0)
			continue;
		g->run = run;
		g->sure &= sure;
	}
}

/* --- undo --- */

/* which: so many runs with deletions ago; dry */
void
play_undo(const int *v)
{
	CLEANUP(run_release) struct run r;
	long run = 0;
	int left = v[0];

	for (size_t i = u.gone_count; i-- > 0 && left >= 0;) {
		if (u.gone[i].run == run || u.gone[i].run == 0)
			continue;
		run = u.gone[i].run;
		left--;
	}
	if (run == 0)
		return;
	run_init(&r);
	r.op = OP_UNDO;
	r.undone = run;
	r.dry = v[1] != 0;
	run_go(&r);
}

static void
note(void *arg, const struct held *h)
{
	struct before b = { xasprintf("%s/%s", (const char *)arg, h->key),
	    h->hash, h->version };

	u.before = xreallocarray(u.before, u.before_count + 1, sizeof(b));
	u.before[u.before_count++] = b;
}

void
undone_begin(const struct run *r)
{
	u.undone = r->undone;
	u.dry = r->dry;
	u.doubts = catalog_exists() && journal_doubts() != 0;
	forget_before();
	for (size_t i = 0; i < u.gone_count; i++) {
		struct gone *g = &u.gone[i];
		const struct change *c = find_change(g->name);

		g->last = c->at == g->at;
		g->theirs = !g->last && c->ours_at == g->at;
		g->back = c->at == g->back_at;
	}
	for (int conf = 0; conf <= 3 && r->op == OP_UNDO; conf += 3)
		store_each(conf_bucket(conf), note,
		    (void *)(uintptr_t)conf_bucket(conf));
}

static bool
find(const char *name, struct held *h)
{
	const char *slash = strchr(name, '/');
	AUTOFREE char *bucket = xstrndup(name, (size_t)(slash - name));

	return store_find(bucket, slash + 1, h);
}

static void
judge_rest(void)
{
	for (size_t i = 0; i < u.before_count && !breached(); i++) {
		const struct before *b = &u.before[i];
		struct held h;

		if (!find(b->name, &h) || h.hash != b->hash ||
		    h.version != b->version)
			breach(7, "undo of run %ld has changed %s", u.undone,
			    b->name);
	}
}

/* Nothing became of the key since. */
static bool
must_be_there(const struct gone *g)
{
	return g->kept && g->sure && g->last;
}

static void
judge_back(const struct run *r)
{
	/* What others have removed a run may delete once more. */
	bool all = true, none = !any_touched();
	bool any = false;
	long left = 0;

	for (size_t i = 0; i < u.gone_count && !breached(); i++) {
		struct gone *g = &u.gone[i];
		struct held h;
		bool is;

		if (!is_of_run(g))
			continue;
		is = find(g->name, &h) && h.hash == g->hash;
		all = all && must_be_there(g);
		none = none && g->back;
		any = true;
		if (r->status == 0 && g->last && is)
			g->back_at = find_change(g->name)->at;
		left += g->theirs && g->sure && !is;
		if (must_be_there(g) && !is)
			breach(7, "undo of run %ld hasn't brought back %s",
			    u.undone, g->name);
	}
	if (!breached() && (r->totals.failed < left ||
	    (left > 0 && r->status != 1)))
		breach(7, "of what run %ld has deleted another tool has "
		    "changed %ld, and %ld failed, exit status %d", u.undone,
		    left, r->totals.failed, r->status);
	if (none && any && !breached() && r->totals.found != 0)
		breach(7, "undo of run %ld finds %ld once more", u.undone,
		    r->totals.found);
	if (all && !breached() && r->status != 0)
		breach(7, "all that run %ld has deleted is there, and exit "
		    "status %d: %.*s", u.undone, r->status,
		    (int)MIN(r->err.len, (size_t)200),
		    r->err.len == 0 ? "" : r->err.data);
}

void
undone_judge(const struct run *r)
{
	bool pruned = r->undone < u.pruned, other = true;

	for (size_t i = 0; i < u.gone_count; i++)
		if (is_of_run(&u.gone[i]))
			other = false;
	judge_rest();
	if (breached() || r->bent)
		return;
	if (r->status == 2 && !past_target_known())
		return;
	if ((r->status == 2) != (pruned || other))
		breach(7, "exit status %d, and run %ld has%s been pruned, and "
		    "went to %s target", r->status, r->undone, pruned ? "" :
		    "n't", other ? "another" : "this");
	else if (!pruned && !other && !r->dry)
		judge_back(r);
	if (!u.doubts && journal_doubts() != 0)
		breach(7, "undo of run %ld has left doubts", u.undone);
	if (r->totals.moved > (long)store_heads() && !r->dry)
		breach(7, "%ld came back, with %lu HEAD", r->totals.moved,
		    store_heads());
}
