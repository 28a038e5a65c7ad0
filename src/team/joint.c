/*
 * joint.c: large files that the clients of a team upload together. The task of
 * the whole file stays outside the desk while tasks of their own send its
 * parts; the whole task is both the first and the last step. The first
 * functions also serve objects that clients fetch together (ranges.c).
 */
#include "team/team_internal.h"

static struct team_joint **
find(struct team *t, const struct team_joint *tj)
{
	struct team_joint **at = &t->joints;

	while (*at != tj)
		at = &(*at)->next;
	return at;
}

struct team_joint *
team_joint_new(struct team *t, struct team_task *whole)
{
	struct team_joint *tj = xcalloc(1, sizeof(*tj));

	tj->whole = whole;
	tj->began_ms = t->now_ms;
	tj->next = t->joints;
	t->joints = tj;
	t->joint_count++;
	whole->joint = tj;
	return tj;
}

void
team_joint_forget(struct team *t, struct team_joint *tj)
{
	*find(t, tj) = tj->next;
	t->joint_count--;
	tj->whole->joint = NULL;
	joint_free(&tj->joint);
	ranges_free(&tj->ranges);
	free(tj);
}

void
team_joints_free(struct team *t)
{
	while (t->joints != NULL) {
		struct team_joint *tj = t->joints;
		struct team_task *whole = tj->whole;
		/* In its last step the whole task is back in the desk, which
		 * frees the task. */
		bool closing = whole->kind == TASK_FETCH ?
		    whole->fetch->step == STEP_END :
		    (whole->item.flags & ITEM_CLOSE) != 0;

		team_joint_forget(t, tj);
		if (!closing)
			team_task_free(whole);
	}
}

void
team_joint_begin(struct team *t, struct team_task *k)
{
	if (k->kind != TASK_PUT || k->alone || k->joint != NULL ||
	    t->setup.dryrun || t->setup.adopt ||
	    t->joint_count >= TEAM_JOINTS_MAX ||
	    !joint_fits(&k->item, t->setup.part_size, team_members_hoped(t)))
		return;
	k->item.flags |= ITEM_OPEN;
	k->task.bytes = 0;	/* opening takes little time */
}

/* Is the upload still needed after this result? */
bool
team_joint_goes_on(const struct team_task *k, const struct result *r)
{
	return (k->item.flags & ITEM_PARTS) != 0 ||
	    ((k->item.flags & ITEM_OPEN) != 0 && r->upload_id != NULL);
}

bool
team_joint_over(const struct team_task *k)
{
	return k->joint != NULL && k->joint->failed;
}

/* --- results of steps --- */

void
team_queue(struct team *t, struct team_task *k)
{
	k->task.leased = 0;
	desk_add(t->desk, &k->task);
}

/* Make the task an ordinary file again; parts sent before are not lost. */
static void
make_whole(struct team *t, struct team_task *k)
{
	if ((k->item.flags & ITEM_CLOSE) != 0)
		k->item.flags |= ITEM_SETTLE;	/* the upload may be complete */
	k->item.flags &= ~(uint32_t)JOINT_STEPS;
	free(k->item.part_md5s);
	k->item.part_md5s = NULL;
	k->item.part_count = 0;
	k->alone = true;
	k->task.bytes = k->item.attrs.size;
	team_queue(t, k);
}

/* The file changed, or the upload is not as expected: a single client can do
 * better, as it can begin again. For any further reason a single client would
 * fail too. */
bool
team_is_worth_another(const struct err *err)
{
	return err->kind == ERR_GONE || err->kind == ERR_CORRUPT ||
	    err->kind == ERR_PEER;
}

static void
fail_file(struct team *t, struct team_task *k, const struct err *err)
{
	struct result r;

	if (team_is_worth_another(err)) {
		make_whole(t, k);
		return;
	}
	memset(&r, 0, sizeof(r));
	r.outcome = OUTCOME_FAILED;
	r.attrs = k->item.attrs;
	r.attempts = 1;
	r.err = *err;
	team_put_result(t, k, &r);
}

/* Opening the upload or sending its parts failed. If an upload may still be
 * open, make the file whole: only a client that does the whole file continues
 * or aborts the upload. If S3 was out of reach (ERR_RETRY), leave the upload to
 * the next run. */
static void
fail_open(struct team *t, struct team_task *k, const struct err *err)
{
	if (err->kind != ERR_RETRY && (k->item.upload_id != NULL ||
	    k->item.upload_intent_sec != 0))
		make_whole(t, k);
	else
		fail_file(t, k, err);
}

static void
add_parts(struct team *t, struct team_joint *tj)
{
	struct item step;

	while (joint_next(tj->joint, &step)) {
		struct team_task *k = team_task_new(t, TASK_PUT,
		    joint_bytes(tj->joint, &step));

		k->item = step;
		k->item.object = k->task.id;
		k->joint = tj;
		/* Each client sends the same bytes to the same part. */
		k->task.twice = true;
		tj->open++;
		desk_add(t->desk, &k->task);
	}
}

/* Take the result of the first step. Return false if the result is final for
 * the file. */
static bool
opened(struct team *t, struct team_task *k, struct result *r)
{
	struct team_joint *tj;
	struct joint *j;

	if (r->outcome == OUTCOME_FAILED || r->outcome == OUTCOME_GONE) {
		fail_open(t, k, &r->err);
		return true;
	}
	if (r->upload_id == NULL)
		return false;
	j = joint_new(&k->item, r, team_members_hoped(t));
	if (j == NULL) {
		make_whole(t, k);
		return true;
	}
	tj = team_joint_new(t, k);
	tj->joint = j;
	add_parts(t, tj);
	return true;
}

/* All parts of the file have ended. */
static void
parts_over(struct team *t, struct team_joint *tj)
{
	struct team_task *whole = tj->whole;
	struct err err = tj->err;

	if (!tj->failed) {
		joint_close(tj->joint, &whole->item);
		team_queue(t, whole);
		return;
	}
	team_joint_forget(t, tj);
	fail_open(t, whole, &err);
}

void
team_joint_drop(struct team *t, struct team_task *k)
{
	struct team_joint *tj = k->joint;

	team_task_free(k);
	if (--tj->open > 0)
		return;
	if (tj->ranges != NULL)
		team_ranges_over(t, tj);
	else
		parts_over(t, tj);
}

static void
part_result(struct team *t, struct team_task *k, const struct result *r)
{
	struct team_joint *tj = k->joint;
	bool moved = r->outcome == OUTCOME_MOVED ||
	    r->outcome == OUTCOME_UNCHANGED;

	if (!tj->failed && moved && !joint_take(tj->joint, &k->item, r)) {
		tj->failed = true;
		err_set(&tj->err, ERR_PEER, 0, "the answer is not one to the "
		    "parts that were asked for");
	} else if (!tj->failed && !moved) {
		tj->failed = true;
		tj->err = r->err;
	}
	team_joint_drop(t, k);
}

static bool
closed(struct team *t, struct team_task *k, struct result *r)
{
	struct team_joint *tj = k->joint;

	if (r->outcome == OUTCOME_FAILED || r->outcome == OUTCOME_GONE) {
		team_joint_forget(t, tj);
		fail_file(t, k, &r->err);
		return true;
	}
	joint_result(tj->joint, r);
	r->took_ms = t->now_ms - tj->began_ms;
	team_joint_forget(t, tj);
	return false;
}

bool
team_joint_result(struct team *t, struct team_task *k, struct result *r)
{
	if ((k->item.flags & ITEM_OPEN) != 0)
		return opened(t, k, r);
	if ((k->item.flags & ITEM_PARTS) != 0) {
		part_result(t, k, r);
		return true;
	}
	if ((k->item.flags & ITEM_CLOSE) != 0)
		return closed(t, k, r);
	return false;
}
