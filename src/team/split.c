/*
 * split.c: large files that the clients of a team move together: an upload, or
 * an object fetched into a destination that all clients share. The task of the
 * whole file is both the first and the last step; between them it stays outside
 * the dispatcher, while tasks of their own move the ranges.
 */
#include <errno.h>

#include "base/log.h"
#include "team/team_internal.h"
#include "tree/tree.h"

static struct split *
new(struct team *t, struct team_task *whole)
{
	struct split *s = xcalloc(1, sizeof(*s));

	s->whole = whole;
	s->began_ms = t->now_ms;
	s->next = t->splits;
	t->splits = s;
	t->split_count++;
	whole->split = s;
	return s;
}

static void
forget(struct team *t, struct split *s)
{
	struct split **at = &t->splits;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	t->split_count--;
	s->whole->split = NULL;
	split_plan_release(&s->plan);
	free(s);
}

static enum split_step
step_of(const struct team_task *k)
{
	return k->kind == TASK_FETCH ? k->fetch->step : k->item.step;
}

void
team_splits_free(struct team *t)
{
	while (t->splits != NULL) {
		struct team_task *whole = t->splits->whole;

		forget(t, t->splits);
		/* In its last step the whole task is back in the dispatcher,
		 * which frees the task. */
		if (step_of(whole) != SPLIT_END)
			team_task_free(whole);
	}
}

static bool
fits(const struct team *t, const struct team_task *k)
{
	size_t clients = team_clients_hoped(t);

	if (t->split_count >= TEAM_SPLITS_MAX)
		return false;
	if (k->kind == TASK_PUT)
		return !t->setup.dryrun && !t->setup.adopt &&
		    split_put_fits(&k->item, t->conf->s3_storage.part_size,
		    clients);
	return t->dest_shared && clients >= 2 && split_get_fits(k->fetch);
}

void
team_split_begin(struct team *t, struct team_task *k)
{
	if (k->kind == TASK_DELETE || k->alone || k->split != NULL ||
	    (step_of(k) == SPLIT_WHOLE && !fits(t, k)))
		return;
	/* A client that held this task earlier may still begin the file. Give
	 * the file a new token, so that no client joins that copy. */
	if (k->kind == TASK_FETCH)
		split_get_begin(k->fetch);
	else
		k->item.step = SPLIT_BEGIN;
	k->task.bytes = 0;	/* beginning takes little time */
}

bool
team_split_goes_on(const struct team_task *k, const struct result *r)
{
	return k->item.step == SPLIT_RANGE ||
	    (k->item.step == SPLIT_BEGIN && r->upload_id != NULL);
}

bool
team_split_over(const struct team_task *k)
{
	return k->split != NULL && k->split->failed;
}

/* --- results of steps --- */

/* Queue the task of a step, or of the whole file again, for a lease. */
static void
queue(struct team *t, struct team_task *k)
{
	k->task.leased = 0;
	dispatch_add(t->dispatcher, &k->task);
}

/* Make the task an ordinary file again; parts sent before are not lost. */
static void
make_whole(struct team *t, struct team_task *k)
{
	if (k->kind == TASK_PUT) {
		if (k->item.step == SPLIT_END)	/* it may be complete */
			k->item.flags |= ITEM_SETTLE;
		split_put_undo(&k->item);
		k->task.bytes = k->item.attrs.size;
	} else {
		split_get_undo(k->fetch);
		k->task.bytes = k->fetch->size;
	}
	k->alone = true;
	queue(t, k);
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
	log_event(LOG_WARN, EVENT_NOT_SHARED, NULL,
	    "dest_path is not one directory for "
	    "all clients, or another run writes to it: from now on one client "
	    "fetches each large object alone");
}

/*
 * Can a single client do better than the step that failed? If the file changed,
 * or the upload or its ranges are not as expected, a single client can begin
 * again; without space, a single client removes the copy that takes up space.
 * An upload that may still be open is continued or aborted only by a client
 * that does the whole file; if S3 was out of reach (ERR_RETRY), leave the
 * upload to the next run. For any further reason a single client would fail
 * too.
 */
static bool
is_worth_another(const struct team_task *k, const struct err *err)
{
	if (err->kind == ERR_GONE || err->kind == ERR_CORRUPT ||
	    err->kind == ERR_PEER)
		return true;
	if (k->kind == TASK_FETCH)
		return err->kind == ERR_RESOURCE;
	return k->item.step != SPLIT_END && err->kind != ERR_RETRY &&
	    (k->item.upload_id != NULL || k->item.upload_intent_sec != 0);
}

/* A step of the file failed. */
static void
fail(struct team *t, struct team_task *k, const struct err *err)
{
	struct result r;
	char name[128];

	if (is_worth_another(k, err)) {
		if (k->kind == TASK_FETCH)
			log_event(LOG_WARN, EVENT_GET_ALONE,
			    LOG_WITH(LOG_TEXT("path", k->fetch->path),
				LOG_TEXT("reason", err->msg)),
			    "%s: %s; one client "
			    "fetches it alone",
			    str_escape(
				str_of(k->fetch->path), name, sizeof(name)),
			    err->msg);
		make_whole(t, k);
	} else if (k->kind == TASK_FETCH) {
		k->fetch->result.outcome = OUTCOME_FAILED;
		k->fetch->result.err = *err;
		team_put_fetched(t, k);
	} else {
		r = team_failed(k, err, 1);
		team_put_result(t, k, &r);
	}
}

/* The first step is done: queue the ranges. */
static void
begun(struct team *t, struct team_task *whole, const struct split_plan *plan)
{
	struct split *s = new(t, whole);

	s->plan = *plan;
	s->open = plan->count;
	for (uint32_t i = 0; i < plan->count; i++) {
		struct team_task *k = team_task_new(t, whole->kind,
		    split_plan_bytes(plan, i));

		if (k->kind == TASK_PUT) {
			k->item = split_put_range(plan, &whole->item, i);
			k->item.object = k->task.id;
		} else {
			k->fetch = split_get_range(plan, whole->fetch, i);
		}
		k->split = s;
		/* Each client sends the same bytes to the same part. Never
		 * duplicate a range of a fetch: a late writer would change the
		 * mtime of the file after it was renamed into place. */
		k->task.twice = k->kind == TASK_PUT;
		dispatch_add(t->dispatcher, &k->task);
	}
}

void
team_split_drop(struct team *t, struct team_task *k)
{
	struct split *s = k->split;
	struct team_task *whole = s->whole;
	struct err err = s->err;

	team_task_free(k);
	if (--s->open > 0)
		return;
	if (s->failed) {
		forget(t, s);
		if (whole->kind == TASK_FETCH)
			distrust(t, &err);
		fail(t, whole, &err);
		return;
	}
	if (whole->kind == TASK_PUT)
		split_put_end(&s->plan, &whole->item);
	else
		split_get_end(&s->plan, whole->fetch);
	queue(t, whole);
}

/* A range has its result. err: why the range failed, or NULL. is_sound: the
 * result is one to the range. */
static void
ranged(struct team *t, struct team_task *k, const struct err *err,
    bool is_sound)
{
	struct split *s = k->split;

	if (!s->failed && err != NULL)
		s->err = *err;
	else if (!s->failed && !is_sound)
		err_set(&s->err, ERR_PEER, 0, "the answer is not one to the "
		    "range that was asked for");
	s->failed = s->failed || err != NULL || !is_sound;
	team_split_drop(t, k);
}

bool
team_split_put(struct team *t, struct team_task *k, struct result *r)
{
	struct split *s = k->split;
	bool moved = r->outcome <= OUTCOME_UNCHANGED;
	struct split_plan plan;

	switch (k->item.step) {
	case SPLIT_BEGIN:
		if (moved && r->upload_id == NULL)
			return false;
		if (!moved)
			fail(t, k, &r->err);
		else if (split_put_plan(&plan, &k->item, r,
		    team_clients_hoped(t)))
			begun(t, k, &plan);
		else
			make_whole(t, k);
		return true;
	case SPLIT_RANGE:
		ranged(t, k, moved ? NULL : &r->err,
		    moved && split_put_take(&s->plan, &k->item, r));
		return true;
	case SPLIT_END:
		if (moved) {
			split_put_result(&s->plan, r);
			r->took_ms = t->now_ms - s->began_ms;
		}
		forget(t, s);
		/* The object may be there: team_look_last. */
		if (moved || !is_worth_another(k, &r->err))
			return false;
		make_whole(t, k);
		return true;
	default:
		return false;
	}
}

bool
team_split_get(struct team *t, struct team_task *k, struct fetch_item *in)
{
	struct split *s = k->split;
	bool moved = in->result.outcome == OUTCOME_MOVED;
	struct split_plan plan;

	switch (k->fetch->step) {
	case SPLIT_BEGIN:
		if (!moved || in->unit == 0) {
			split_get_undo(k->fetch);
			return false;
		}
		if (split_get_plan(&plan, k->fetch, in))
			begun(t, k, &plan);
		else
			make_whole(t, k);
		return true;
	case SPLIT_RANGE:
		ranged(t, k, moved ? NULL : &in->result.err,
		    moved && split_get_take(&s->plan, k->fetch, in));
		return true;
	case SPLIT_END:
		moved = in->result.outcome <= OUTCOME_UNCHANGED;
		if (moved) {
			split_get_result(&s->plan, in);
			split_get_undo(k->fetch);
		}
		forget(t, s);
		if (!moved)
			fail(t, k, &in->result.err);
		return !moved;
	default:
		return false;
	}
}
