/*
 * team_joint.c: large files that the clients of a team upload together. The
 * task of the file itself waits outside of the desk while its parts are sent
 * as tasks of their own; it is the first step and the last one.
 */
#include "run/joint.h"
#include "run/team_int.h"

#define JOINTS_MAX	64	/* uploads at a time; the others are whole */

/* One file. */
struct team_joint {
	struct team_joint *next;
	struct joint *joint;
	struct team_task *whole;
	size_t	 open;		/* tasks of its parts */
	bool	 failed;
	struct err err;
	uint64_t began_ms;
};

static struct team_joint **
find(struct team *t, const struct team_joint *tj)
{
	struct team_joint **at = &t->joints;

	while (*at != tj)
		at = &(*at)->next;
	return at;
}

static void
forget(struct team *t, struct team_joint *tj)
{
	*find(t, tj) = tj->next;
	t->joint_count--;
	tj->whole->joint = NULL;
	joint_free(&tj->joint);
	free(tj);
}

void
team_joints_free(struct team *t)
{
	while (t->joints != NULL) {
		struct team_joint *tj = t->joints;
		struct team_task *whole = tj->whole;
		/* As its last step it is in the desk's hands again. */
		bool closing = (whole->item.flags & ITEM_CLOSE) != 0;

		forget(t, tj);
		if (!closing)
			team_task_free(whole);
	}
}

void
team_joint_begin(struct team *t, struct team_task *k)
{
	if (k->kind != TASK_PUT || k->alone || k->joint != NULL ||
	    t->setup.dryrun || t->setup.adopt ||
	    t->joint_count >= JOINTS_MAX ||
	    !joint_fits(&k->item, t->setup.part_size, team_members_hoped(t)))
		return;
	k->item.flags |= ITEM_OPEN;
	k->task.bytes = 0;	/* it is soon done */
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

static void
queue(struct team *t, struct team_task *k)
{
	k->task.leased = 0;
	desk_add(t->desk, &k->task);
}

/* It is an ordinary file again; what was sent of it is not lost. */
static void
make_whole(struct team *t, struct team_task *k)
{
	if ((k->item.flags & ITEM_CLOSE) != 0)
		k->item.flags |= ITEM_SETTLE;	/* it may be complete */
	k->item.flags &= ~(uint32_t)JOINT_STEPS;
	free(k->item.part_md5s);
	k->item.part_md5s = NULL;
	k->item.part_count = 0;
	k->alone = true;
	k->task.bytes = k->item.attrs.size;
	queue(t, k);
}

/* The file changed, or the upload is not what it was: one client can do
 * better, as it begins again where it must. Other reasons would be its own
 * too. */
static bool
is_worth_another(const struct err *err)
{
	return err->kind == ERR_GONE || err->kind == ERR_CORRUPT ||
	    err->kind == ERR_PEER;
}

static void
fail_file(struct team *t, struct team_task *k, const struct err *err)
{
	struct result r;

	if (is_worth_another(err)) {
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

/* Its upload is open still, and nobody would go on with it or abort it but the
 * one that does all of it; if S3 was out of reach, the next run. */
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
		/* The same bytes at the same place, whoever sends them. */
		k->task.twice = true;
		tj->open++;
		desk_add(t->desk, &k->task);
	}
}

/* False: the file is done with, and this is its result. */
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
	tj = xcalloc(1, sizeof(*tj));
	tj->joint = j;
	tj->whole = k;
	tj->began_ms = t->now_ms;
	tj->next = t->joints;
	t->joints = tj;
	t->joint_count++;
	k->joint = tj;
	add_parts(t, tj);
	return true;
}

/* Its parts have all come to an end. */
static void
parts_over(struct team *t, struct team_joint *tj)
{
	struct team_task *whole = tj->whole;
	struct err err = tj->err;

	if (!tj->failed) {
		joint_close(tj->joint, &whole->item);
		queue(t, whole);
		return;
	}
	forget(t, tj);
	fail_open(t, whole, &err);
}

void
team_joint_drop(struct team *t, struct team_task *k)
{
	struct team_joint *tj = k->joint;

	team_task_free(k);
	if (--tj->open == 0)
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
		forget(t, tj);
		fail_file(t, k, &r->err);
		return true;
	}
	joint_result(tj->joint, r);
	r->took_ms = t->now_ms - tj->began_ms;
	forget(t, tj);
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
