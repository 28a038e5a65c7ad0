/*
 * place.c: a file is sent only from the file system in which the crawl saw the
 * file's directory; see tree/place.h.
 */
#include "send/send_internal.h"

#define ASKED_MAX	5	/* a file that is met in more file systems
				   fails */

static bool
is_any(const struct transfer *t)
{
	return (t->item->flags & ITEM_ANY_FS) != 0;
}

static void
wrong(struct transfer *t)
{
	/* As for a root that is not mounted, another client tries: the master
	 * knows this error. */
	place_wrong(&t->place.ask, &t->err);
	transfer_end(t, OUTCOME_FAILED);
}

static void
answered(void *arg, bool right, const struct err *err)
{
	struct transfer *t = arg;

	t->calls--;
	if (t->ending)
		return;
	if (err != NULL) {
		t->broken = false;
		transfer_fault(t, err);
	} else if (!right) {
		wrong(t);
	} else if (t->place.ask.gone) {
		transfer_end(t, OUTCOME_GONE);
	} else {
		t->place.proven = true;	/* begin again */
	}
}

static void
fill(struct transfer *t, bool gone)
{
	const struct tree_spec *x = &t->w->sender->c.exports[t->item->export];

	t->place.ask = (struct place){
		.tree = t->w->trees.v[t->item->export],
		.raw = t->item->raw,
		.follow_links = x->follow_links,
		.gone = gone,
		.fsid = t->item->attrs.fsid,
		.numbered = x->root_fsid != 0,
		.answer = answered,
		.arg = t,
	};
}

static void
ask(struct transfer *t)
{
	t->broken = true;
	t->calls++;
	place_ask(&t->place.ask);
}

bool
place_fits(struct transfer *t, const struct attrs *a)
{
	struct attrs root;

	if (is_any(t) || (t->place.proven && t->place.fsid == a->fsid))
		return true;
	fill(t, false);
	tree_root(t->place.ask.tree, NULL, &root);
	if (place_is_expected(&t->place.ask, a->fsid, root.fsid))
		return true;
	t->place.proven = false;
	t->place.fsid = a->fsid;
	if (++t->place.asked <= ASKED_MAX)
		ask(t);
	else
		wrong(t);
	return false;
}

void
place_gone(struct transfer *t, const struct err *err)
{
	t->err = *err;
	if (is_any(t)) {
		transfer_end(t, OUTCOME_GONE);
		return;
	}
	t->place.proven = false;
	fill(t, true);
	ask(t);
}
