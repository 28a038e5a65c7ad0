/*
 * ranges.c: large objects that the clients of a team fetch together into a
 * destination that all clients share. As with an upload (joint.c), the task of
 * the object waits outside the desk while its ranges are tasks of their own.
 */
#include <errno.h>

#include "base/log.h"
#include "team/team_internal.h"
#include "tree/tree.h"

void
team_ranges_begin(struct team *t, struct team_task *k)
{
	if (k->kind != TASK_FETCH || k->alone || k->joint != NULL)
		return;
	/* A client that held this task earlier may still begin the file. Give
	 * the file a new token, so that no client joins that copy. */
	if (k->fetch->step == STEP_BEGIN)
		ranges_begin(k->fetch);
	if (!t->dest_shared || t->joint_count >= TEAM_JOINTS_MAX ||
	    team_members_hoped(t) < 2 || !ranges_fit(k->fetch))
		return;
	ranges_begin(k->fetch);
	k->task.bytes = 0;	/* beginning takes little time */
}

static void
make_whole(struct team *t, struct team_task *k)
{
	ranges_undo(k->fetch);
	k->alone = true;
	k->task.bytes = k->fetch->size;
	team_queue(t, k);
}

/* A client that was to bring a range did not find the file: the destination is
 * not shared. Fetch the next objects without ranges. */
static void
distrust(struct team *t, const struct err *err)
{
	if (err->kind != ERR_GONE || err->code != ENOENT || !t->dest_shared ||
	    t->setup.dest_export.type == TREE_NFS)
		return;
	t->dest_shared = false;
	log_event(LOG_WARN, "not_shared", "dest_path is not one directory for "
	    "all clients, or another run writes to it: from now on one client "
	    "fetches each large object alone");
}

/* The steps failed. If the object changed or its ranges do not fit, a single
 * client can do better, as it can begin again; without space, a single client
 * removes the copy that takes up space. For any further reason a single client
 * would fail too. */
static void
fail(struct team *t, struct team_task *k, const struct err *err)
{
	char name[128];

	if (team_is_worth_another(err) || err->kind == ERR_RESOURCE) {
		log_event(LOG_WARN, "get_alone", "%s: %s; one client fetches "
		    "it alone", str_escape(str_of(k->fetch->path), name,
		    sizeof(name)), err->msg);
		make_whole(t, k);
		return;
	}
	k->fetch->outcome = OUTCOME_FAILED;
	k->fetch->err = *err;
	team_put_fetched(t, k);
}

void
team_ranges_over(struct team *t, struct team_joint *tj)
{
	struct team_task *whole = tj->whole;
	struct err err = tj->err;

	if (!tj->failed) {
		ranges_end(tj->ranges, whole->fetch);
		team_queue(t, whole);
		return;
	}
	team_joint_forget(t, tj);
	distrust(t, &err);
	fail(t, whole, &err);
}

static bool
moved(const struct fetch_item *it)
{
	return it->outcome == OUTCOME_MOVED;
}

/* Take the result of the first step. Return false if the result is final for
 * the object. */
static bool
begun(struct team *t, struct team_task *k, const struct fetch_item *in)
{
	struct team_joint *tj;
	struct ranges *r;
	struct fetch_item *step;

	if (!moved(in) || in->unit == 0) {
		ranges_undo(k->fetch);
		return false;
	}
	r = ranges_new(k->fetch, in);
	if (r == NULL) {
		make_whole(t, k);
		return true;
	}
	tj = team_joint_new(t, k);
	tj->ranges = r;
	while ((step = ranges_next(r)) != NULL) {
		struct team_task *part = team_task_new(t, TASK_FETCH,
		    fetch_item_bytes(step));

		part->fetch = step;
		part->joint = tj;
		/* Never duplicate a range: a late writer would change the mtime
		 * of the file after it was renamed into place. */
		part->task.twice = false;
		tj->open++;
		desk_add(t->desk, &part->task);
	}
	return true;
}

static void
range(struct team *t, struct team_task *k, const struct fetch_item *in)
{
	struct team_joint *tj = k->joint;

	if (!tj->failed && moved(in) && !ranges_take(tj->ranges, k->fetch,
	    in)) {
		tj->failed = true;
		err_set(&tj->err, ERR_PEER, 0, "the answer is not one to the "
		    "range that was asked for");
	} else if (!tj->failed && !moved(in)) {
		tj->failed = true;
		tj->err = in->err;
	}
	team_joint_drop(t, k);
}

static bool
ended(struct team *t, struct team_task *k, struct fetch_item *in)
{
	struct team_joint *tj = k->joint;
	bool failed = in->outcome == OUTCOME_FAILED ||
	    in->outcome == OUTCOME_GONE;

	if (!failed)
		ranges_result(tj->ranges, in);
	team_joint_forget(t, tj);
	if (failed)
		fail(t, k, &in->err);
	else
		ranges_undo(k->fetch);
	return failed;
}

bool
team_ranges_result(struct team *t, struct team_task *k, struct fetch_item *in)
{
	switch (k->fetch->step) {
	case STEP_BEGIN:
		return begun(t, k, in);
	case STEP_RANGE:
		range(t, k, in);
		return true;
	case STEP_END:
		return ended(t, k, in);
	default:
		return false;
	}
}
