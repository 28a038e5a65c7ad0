/*
 * looks.c: entries that are looked up on their own, by their path from the
 * root: what a symlink stands for (--links follow), and an entry whose
 * attributes did not come with the listing. A fault that passes is waited
 * out for a moment; what can't be looked at then is an entry of unknown kind.
 *
 * A link to a directory that holds the link itself would never end: it is
 * excluded. Such a loop shows by inode: one of the directories above the link
 * is the target.
 */
#include <errno.h>

#include "base/clock.h"
#include "crawl/crawl_internal.h"
#include "model/path.h"

#define LOOKS_MAX	256	/* of a directory at a time; not a limit for
				   look-ups of links */
#define TRIES_MAX	5
#define BACKOFF_BASE_MS	200
#define BACKOFF_CAP_MS	2000

struct look {
	struct waiting waiting;	/* in the list of the reading */
	struct reading *r;
	struct tree *tree;
	char	*name;		/* of the entry */
	size_t	 name_len;
	char	*path;		/* raw, below the export's root */
	size_t	 path_len;
	bool	 follow;	/* the entry is a link: look at the link's
				   target */
	unsigned tries;
	char	*above;		/* raw path of the directory looked at */
	struct tree_entry target;
};

static struct str
name_of(const struct look *k)
{
	return (struct str){ k->name, k->name_len };
}

static void
look_free(void *arg)
{
	struct look *k = arg;

	free(k->name);
	free(k->path);
	free(k->above);
	free(k);
}

static void
done(struct look *k)
{
	k->r->looks--;
	look_free(k);
}

static void
excluded(struct look *k, const char *why, bool hides)
{
	struct tree_entry e = { .attrs.kind = ENTRY_LINK };

	reading_excluded(k->r, name_of(k), &e, why, hides);
	done(k);
}

static void
unknown(struct look *k, const struct err *err)
{
	reading_unknown(k->r, name_of(k), err);
	done(k);
}

/* --- a directory as target: is the link inside the directory? --- */

static void look_above(struct look *);

static void
above_cb(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct look *k = arg;

	if (err != NULL && err->kind == ERR_STOPPED) {
		k->r->err = *err;
		done(k);
		return;
	}
	if (err != NULL) {
		unknown(k, err);
		return;
	}
	if (e->attrs.ino == k->target.attrs.ino &&
	    e->attrs.fsid == k->target.attrs.fsid) {
		excluded(k, "symlink loop", true);
		return;
	}
	if (k->above[0] == '\0') {
		reading_entry(k->r, name_of(k), &k->target);
		done(k);
		return;
	}
	k->above[path_dir(str_of(k->above)).len] = '\0';
	look_above(k);
}

static void
look_above(struct look *k)
{
	tree_lookup_follow(k->tree, str_of(k->above), above_cb, k);
}

/* --- looking --- */

static bool
try_again(struct look *k, const struct err *err)
{
	if (err->kind != ERR_RETRY || ++k->tries == TRIES_MAX)
		return false;
	waiting_add(&k->r->waiting, &k->waiting, clock_mono_ms() +
	    backoff_ms(k->tries, BACKOFF_BASE_MS, BACKOFF_CAP_MS,
	    rng_next(&k->r->w->rng)));
	return true;
}

static void
fault(struct look *k, const struct err *err)
{
	if (err->kind == ERR_STOPPED) {
		k->r->err = *err;
		done(k);
	} else if (try_again(k, err)) {
		return;
	} else if (k->follow && err->kind == ERR_GONE) {
		excluded(k, "dangling symlink", err->code != ENOENT);
	} else if (err_is_absence(err)) {
		done(k);	/* it went meanwhile */
	} else {
		unknown(k, err);
	}
}

static void
look_cb(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct look *k = arg;

	if (err != NULL) {
		fault(k, err);
		return;
	}
	if (k->follow && e->attrs.kind == ENTRY_DIR) {
		k->target = *e;
		look_above(k);
		return;
	}
	reading_entry(k->r, name_of(k), e);
	done(k);
}

static void
look_up(void *arg)
{
	struct look *k = arg;
	struct err err = ERR_INIT;

	k->tree = crawler_tree(k->r->w, k->r->job.export, &err);
	if (k->tree == NULL)
		fault(k, &err);
	else if (k->follow)
		tree_lookup_follow(k->tree, (struct str){ k->path,
		    k->path_len }, look_cb, k);
	else
		tree_lookup(k->tree, (struct str){ k->path, k->path_len },
		    look_cb, k);
}

static struct look *
look_new(struct reading *r, struct str name)
{
	struct look *k = xcalloc(1, sizeof(*k));

	k->r = r;
	k->name = xstrndup(name.p, name.len);
	k->name_len = name.len;
	k->path = xstrndup(r->raw.data, r->raw.len);
	k->path_len = r->raw.len;
	k->above = xstrndup(r->raw.data, r->raw_len);
	r->looks++;
	return k;
}

void
look_follow(struct reading *r, struct str name)
{
	struct look *k = look_new(r, name);

	k->follow = true;
	look_up(k);
}

bool
look_again(struct reading *r, struct str name, const struct err *err)
{
	struct look *k;

	if (r->looks >= LOOKS_MAX)
		return false;
	k = look_new(r, name);
	if (try_again(k, err))
		return true;
	done(k);
	return false;
}

void
looks_turn(struct reading *r, uint64_t now)
{
	waiting_take(&r->waiting, now, look_up);
}

void
looks_free(struct reading *r)
{
	waiting_take(&r->waiting, UINT64_MAX, look_free);
}
