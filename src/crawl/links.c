/*
 * links.c: --links follow: a symlink is what it points to. A link to a
 * directory that holds the link itself would never end: it is excluded. Such
 * a loop shows by inode: one of the directories above the link is the target.
 */
#include "crawl/crawl_int.h"

struct follow {
	struct reading *r;
	struct tree *tree;
	char	*name;		/* of the link */
	size_t	 name_len;
	char	*above;		/* raw path of the directory looked at */
	struct tree_entry target;
};

static void
excluded(struct follow *f, const char *why)
{
	struct tree_entry e = { .attrs.kind = ENTRY_LINK };

	reading_excluded(f->r, (struct str){ f->name, f->name_len }, &e, why);
}

static void
done(struct follow *f)
{
	f->r->links--;
	free(f->name);
	free(f->above);
	free(f);
}

/* The listing has to begin again, or the crawl has been stopped: nothing was
 * learned of the link. */
static bool
cut(struct follow *f, const struct err *err)
{
	if (err == NULL || (err->kind != ERR_RETRY &&
	    err->kind != ERR_STOPPED))
		return false;
	f->r->err = *err;
	done(f);
	return true;
}

static void look_above(struct follow *);

/* The link stands for its target. */
static void
take_target(struct follow *f)
{
	reading_entry(f->r, (struct str){ f->name, f->name_len }, &f->target);
	done(f);
}

static void
above_cb(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct follow *f = arg;
	char *slash;

	if (cut(f, err))
		return;
	if (err == NULL && e->attrs.ino == f->target.attrs.ino &&
	    e->attrs.fsid == f->target.attrs.fsid) {
		excluded(f, "symlink loop");
		done(f);
		return;
	}
	if (f->above[0] == '\0') {
		take_target(f);
		return;
	}
	slash = strrchr(f->above, '/');
	*(slash == NULL ? f->above : slash) = '\0';
	look_above(f);
}

static void
look_above(struct follow *f)
{
	tree_lookup_follow(f->tree, str_of(f->above), above_cb, f);
}

static void
target_cb(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct follow *f = arg;

	if (cut(f, err))
		return;
	if (err != NULL) {
		excluded(f, err->kind == ERR_GONE ? "dangling symlink" :
		    err->msg);
		done(f);
		return;
	}
	f->target = *e;
	if (e->attrs.kind == ENTRY_DIR) {
		look_above(f);
		return;
	}
	take_target(f);
}

void
link_follow(struct reading *r, struct str name)
{
	struct follow *f = xcalloc(1, sizeof(*f));
	struct err err = ERR_INIT;

	f->r = r;
	f->name = xstrndup(name.p, name.len);
	f->name_len = name.len;
	f->above = xstrndup(r->raw.data == NULL ? "" : r->raw.data,
	    r->raw_len);
	f->tree = crawler_tree(r->w, r->job.export, &err);
	r->links++;
	if (f->tree == NULL) {
		r->err = err;
		done(f);
		return;
	}
	tree_lookup_follow(f->tree, buf_str(&r->raw), target_cb, f);
}
