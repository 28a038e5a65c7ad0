/*
 * place.c: where a file lies. A file counts only in the file system in which
 * the crawl saw the file's directory: a file system that is mounted below the
 * export may be unmounted meanwhile, and an entry of the same name, or no
 * entry, may then show at the file's path.
 *
 * Every answer about an open file tells the file's own file system, at no cost.
 * If it is not the expected one, the directory is looked up by path: a single
 * file may be a mount of its own, or may be the target of a symlink.
 */
#include "send/send_internal.h"

#include <errno.h>

#include "model/path.h"

#define ASKED_MAX	5	/* a file that is met in more file systems
				   fails */

/* Do the file systems of this export have the same numbers here as where the
 * crawl ran? The hosts of a team number mounted file systems differently. */
static bool
knows_numbers(const struct transfer *t)
{
	return t->w->e->c.exports[t->item->export].root_fsid != 0;
}

/* Is this the expected file system, if the export's root is in file system
 * root? */
static bool
is_expected(const struct transfer *t, uint64_t fsid, uint64_t root)
{
	uint64_t wanted = t->item->attrs.fsid;

	if (wanted == 0)
		return fsid == root;
	return knows_numbers(t) ? fsid == wanted : fsid != root;
}

static bool
is_any(const struct transfer *t)
{
	return (t->item->flags & ITEM_ANY_FS) != 0;
}

static void
decide(struct transfer *t, bool right)
{
	if (!right) {
		/* As for a root that is not mounted: another client tries. The
		 * master knows this error by its code. */
		err_set(&t->err, ERR_DENIED, EXDEV, t->place.gone ?
		    "it is not there, and its directory is in another file "
		    "system than it was: not mounted?" :
		    "another file system is mounted here than it was in, or "
		    "its own is not: it is not read");
		transfer_end(t, OUTCOME_FAILED);
	} else if (t->place.gone) {
		transfer_end(t, OUTCOME_GONE);
	} else {
		t->place.proven = true;	/* begin again */
	}
}

static void
fault(struct transfer *t, const struct err *err)
{
	t->broken = false;
	transfer_fault(t, err);
}

static void
root_found(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct transfer *t = arg;
	struct err why = ERR_INIT;

	t->calls--;
	if (t->ending)
		return;
	if (err == NULL) {
		decide(t, is_expected(t, t->place.dir_fsid, e->attrs.fsid));
		return;
	}
	why = *err;
	/* A root that is absent says nothing of its files. */
	if (why.kind == ERR_GONE)
		why.kind = ERR_UNREACHABLE;
	fault(t, &why);
}

static void ask(struct transfer *);

/* No directory is at the path that was asked for. */
static void
no_directory(struct transfer *t, const struct err *err)
{
	struct err changed = ERR_INIT;

	if (t->place.gone && t->place.at > 0) {
		ask(t);
		return;
	}
	err_set(&changed, ERR_RETRY, err == NULL ? 0 : err->code,
	    "its directory is not there: %s", err == NULL ?
	    "another entry is in its place" : err->msg);
	fault(t, &changed);
}

static void
directory_found(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct transfer *t = arg;

	t->calls--;
	if (t->ending)
		return;
	if (err != NULL && !err_is_absence(err)) {
		fault(t, err);
	} else if (err != NULL || e->attrs.kind != ENTRY_DIR) {
		no_directory(t, err);
	} else {
		t->place.dir_fsid = e->attrs.fsid;
		if (t->item->attrs.fsid != 0 && knows_numbers(t))
			decide(t, is_expected(t, e->attrs.fsid, 0));
		else
			transfer_look_up(t, STR(""), root_found);
	}
}

/* Look up the directory above the path that was asked for last. */
static void
ask(struct transfer *t)
{
	struct str path = { t->item->raw, t->place.at };
	struct str name = path_name(path);

	t->place.at = name.len == path.len ? 0 : path.len - name.len - 1;
	path.len = t->place.at;
	transfer_look_up(t, path, directory_found);
}

static void
begin(struct transfer *t, bool gone, uint64_t fsid)
{
	t->broken = true;
	t->place = (struct place){ .gone = gone, .fsid = fsid,
	    .asked = t->place.asked + !gone, .at = strlen(t->item->raw) };
	if (t->place.asked > ASKED_MAX)
		decide(t, false);
	else
		ask(t);
}

bool
place_fits(struct transfer *t, const struct attrs *a)
{
	struct attrs root;

	tree_root(t->w->trees.v[t->item->export], NULL, &root);
	if (is_any(t) || is_expected(t, a->fsid, root.fsid) ||
	    (t->place.proven && t->place.fsid == a->fsid))
		return true;
	begin(t, false, a->fsid);
	return false;
}

void
place_gone(struct transfer *t, const struct err *err)
{
	t->err = *err;
	if (is_any(t))
		transfer_end(t, OUTCOME_GONE);
	else
		begin(t, true, 0);
}
