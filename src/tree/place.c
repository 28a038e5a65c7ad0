#include "tree/place.h"

#include <errno.h>

#include "model/path.h"

bool
place_is_expected(const struct place *p, uint64_t fsid, uint64_t root)
{
	if (p->fsid == 0)
		return fsid == root;
	return p->numbered ? fsid == p->fsid : fsid != root;
}

int
place_wrong(const struct place *p, struct err *err)
{
	return err_set(err, ERR_UNREACHABLE, EXDEV, p->gone ?
	    "it is not there, and its directory is in another file system "
	    "than it was: not mounted?" :
	    "another file system is mounted here than it was in, or its own is "
	    "not: it is not read");
}

static void
look_up(struct place *p, struct str path, tree_lookup_fn *fn)
{
	if (p->follow_links)
		tree_lookup_follow(p->tree, path, fn, p);
	else
		tree_lookup(p->tree, path, fn, p);
}

static void
root_found(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct place *p = arg;
	struct err why = ERR_INIT;

	if (err == NULL) {
		p->answer(p->arg, place_is_expected(p, p->dir_fsid,
		    e->attrs.fsid), NULL);
		return;
	}
	why = *err;
	/* A root that is absent says nothing of its files. */
	if (why.kind == ERR_GONE)
		why.kind = ERR_UNREACHABLE;
	p->answer(p->arg, false, &why);
}

static void ask(struct place *);

/* No directory is at the path that was asked for. */
static void
no_directory(struct place *p, const struct err *err)
{
	struct err changed = ERR_INIT;

	if (p->gone && p->at > 0) {
		ask(p);
		return;
	}
	err_set(&changed, ERR_RETRY, err == NULL ? 0 : err->code,
	    "its directory is not there: %s", err == NULL ?
	    "another entry is in its place" : err->msg);
	p->answer(p->arg, false, &changed);
}

static void
directory_found(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct place *p = arg;

	if (err != NULL && !err_is_absence(err)) {
		p->answer(p->arg, false, err);
	} else if (err != NULL || e->attrs.kind != ENTRY_DIR) {
		no_directory(p, err);
	} else {
		p->dir_fsid = e->attrs.fsid;
		if (p->fsid != 0 && p->numbered)
			p->answer(p->arg, place_is_expected(p, p->dir_fsid, 0),
			    NULL);
		else
			look_up(p, STR(""), root_found);
	}
}

/* Look up the directory above the path that was asked for last. */
static void
ask(struct place *p)
{
	struct str dir = path_dir((struct str){ p->raw, p->at });

	p->at = dir.len;
	look_up(p, dir, directory_found);
}

void
place_ask(struct place *p)
{
	p->at = strlen(p->raw);
	ask(p);
}
