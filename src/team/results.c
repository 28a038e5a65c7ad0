/*
 * results.c: the clients' results: which results count, which tasks further
 * clients do again, and what goes up to the run.
 */
#include <errno.h>

#include "base/log.h"
#include "team/team_internal.h"

#define TRIES_MAX	8	/* leases of a task that clients fail */

/*
 * Count the clients that failed. A client without a route to the file server
 * must not fail files that further clients can move, so a second client tries.
 * An upload in progress stays with its clients.
 */
static size_t
count_failers(struct team_task *k, unsigned client)
{
	size_t n = 0;

	while (n < ARRAY_LEN(k->failers) && k->failers[n] != 0 &&
	    k->failers[n] != client)
		n++;
	if (n == ARRAY_LEN(k->failers))
		return n;
	k->failers[n] = client;
	while (n < ARRAY_LEN(k->failers) && k->failers[n] != 0)
		n++;
	return n;
}

static bool
may_be_its_own(const struct err *err)
{
	return err->kind == ERR_UNREACHABLE || err->kind == ERR_DENIED ||
	    err->kind == ERR_RESOURCE || err->kind == ERR_RETRY;
}

static bool
again(struct team_client *c, struct team_task *k, const struct err *err)
{
	struct team *t = c->team;
	size_t tries = ARRAY_LEN(k->failers), failers;
	/* See place_wrong in tree/place.h. */
	bool elsewhere = err->kind == ERR_UNREACHABLE && err->code == EXDEV;

	if (!may_be_its_own(err))
		return false;
	c->misses++;
	c->probe_ms = t->now_ms + PROBE_MS;
	if (elsewhere)
		k->elsewhere = c->number;
	/* The client has tried for long: prefer other clients. */
	if (err->kind == ERR_RETRY) {
		tries = 2;
		team_distrust(c);
	}
	/* The same client may get the task again: failures are quick. A client
	 * that lacks the mount fails everything at once: clients that are about
	 * to join count too. */
	failers = count_failers(k, c->number);
	if (t->stopping || failers >= MIN(tries, elsewhere ||
	    err->kind == ERR_DENIED ? team_clients_soon(t) :
	    team_clients_up(t)) ||
	    k->task.leased >= TRIES_MAX)
		return false;
	if (k->split == NULL && (k->item.upload_id != NULL ||
	    k->item.upload_intent_sec != 0))
		return false;
	dispatch_add(t->dispatcher, &k->task);
	return true;
}

/* This client has done the task. If an earlier client failed the task because
 * of a wrong file system at the path, the earlier client sees a wrong tree:
 * the log names that client's host, and the client gets less work. */
static void
tell_elsewhere(struct team_client *c, const struct team_task *k)
{
	struct team_client *other = team_client(c->team, k->elsewhere);
	char what[200];

	if (other == NULL || other == c)
		return;
	team_distrust(other);
	if (other->elsewhere)
		return;
	other->elsewhere = true;
	snprintf(what, sizeof(what), "lies in another file system than for "
	    "client=%u host=%s: it gets less work", c->number, c->host);
	team_other_tree(other, k->item.path, what);
}

/* The client was told to stop before the task was done: other clients do the
 * task. */
static bool
is_cut_off(const struct err *err)
{
	return err->kind == ERR_STOPPED;
}

void
team_results(struct team_client *c, struct wire_results *in)
{
	struct team *t = c->team;

	c->brought = true;
	for (size_t i = 0; i < in->count; i++) {
		struct result *r = &in->v[i];
		struct task *task = dispatch_find(t->dispatcher, in->lease,
		    r->object);
		struct team_task *k = (struct team_task *)(void *)task;

		/* Ignore a result of the wrong kind of task. */
		if (k == NULL || k->kind != TASK_PUT)
			continue;
		if (r->outcome == OUTCOME_FAILED && is_cut_off(&r->err))
			continue;
		/* The master does not look any more: leave the item open. */
		if (t->stopping && team_needs_look(r))
			continue;
		team_believe(c, k, r);
		/* A second client has the task: its answer decides. */
		if (r->outcome == OUTCOME_CHANGED &&
		    dispatch_let_go(t->dispatcher, in->lease, r->object))
			continue;
		task = dispatch_result(
		    t->dispatcher, in->lease, r->object, t->now_ms);
		if (task == NULL || (r->outcome == OUTCOME_FAILED &&
		    again(c, k, &r->err)))
			continue;
		c->bytes += r->bytes_sent;
		if (!team_split_goes_on(k, r))
			team_note_ends(c, k, in->lease);
		if (r->outcome != OUTCOME_FAILED) {
			c->misses = 0;
			tell_elsewhere(c, k);
		}
		if (team_split_put(t, k, r) || team_look(c, k, r))
			continue;
		team_count(c, r->outcome);
		team_put_result(t, k, r);
	}
}

/* Return the client's error: of fetching the object, or of reading the file
 * that the object is compared with. */
static const struct err *
fetch_err(const struct fetch_item *it)
{
	return it->result.outcome == OUTCOME_FAILED ? &it->result.err :
	    &it->result.file_err;
}

void
team_fetched(struct team_client *c, struct wire_fetched *in)
{
	struct team *t = c->team;
	bool look;

	c->brought = true;
	for (size_t i = 0; i < in->count; i++) {
		struct fetch_item *it = in->v[i].item;
		struct task *task = dispatch_find(t->dispatcher, in->lease,
		    in->v[i].id);
		struct team_task *k = (struct team_task *)(void *)task;

		if (k == NULL || k->kind != TASK_FETCH ||
		    is_cut_off(fetch_err(it)))
			continue;
		look = team_needs_look_fetched(t, k, it);
		/* See team_results. */
		if (look && (t->stopping || dispatch_let_go(t->dispatcher,
		    in->lease, in->v[i].id)))
			continue;
		task = dispatch_result(t->dispatcher, in->lease, in->v[i].id,
		    t->now_ms);
		if (task == NULL || again(c, k, fetch_err(it)))
			continue;
		c->bytes += it->result.bytes;
		if (it->result.outcome != OUTCOME_FAILED) {
			c->misses = 0;
			tell_elsewhere(c, k);
		}
		if (team_split_get(t, k, it) ||
		    (look && team_look_fetched(c, k, &in->v[i].item)))
			continue;
		team_take_answer(c, k, it);
	}
}

/* --- deletions --- */

static struct delete_row *
row_of(struct team_task *k, size_t i)
{
	return &k->batch->v[k->rest == NULL ? i : k->rest_at[i]];
}

static void
free_rest(struct team_task *k)
{
	delete_batch_free(&k->rest);
	free(k->rest_at);
	k->rest_at = NULL;
}

/* Ask again only for rows that were not deleted: in a bucket with versions a
 * second deletion leaves a second marker. */
static void
take_rest(struct team_task *k)
{
	struct delete_batch *rest = xcalloc(1, sizeof(*rest));
	size_t *at = xcalloc(k->batch->count, sizeof(*at));
	struct delete_row *to;

	rest->v = xcalloc(k->batch->count, sizeof(*rest->v));
	for (size_t i = 0; i < k->batch->count; i++) {
		if (!may_be_its_own(&k->batch->v[i].err))
			continue;
		at[rest->count] = i;
		to = &rest->v[rest->count++];
		to->key = xstrdup(k->batch->v[i].key);
		to->size = k->batch->v[i].size;
		memcpy(to->etag, k->batch->v[i].etag, sizeof(to->etag));
	}
	free_rest(k);
	k->rest = rest;
	k->rest_at = at;
}

/* Return the first error that a second client may avoid, or NULL. */
static const struct err *
worth_another(const struct delete_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (may_be_its_own(&b->v[i].err))
			return &b->v[i].err;
	return NULL;
}

static void
take_rows(struct team_task *k, struct delete_batch *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct delete_row *to = row_of(k, i);

		to->err = from->v[i].err;
		free(to->version_id);
		to->version_id = STEAL(from->v[i].version_id);
	}
}

static void
count_rows(struct team_client *c, struct team_task *k)
{
	for (size_t i = 0; i < team_asked(k)->count; i++)
		team_count(c, row_of(k, i)->err.kind == ERR_NONE ?
		    OUTCOME_MOVED : OUTCOME_FAILED);
}

int
team_deleted(struct team_client *c, struct wire_deleted *in, struct err *err)
{
	struct team *t = c->team;
	struct task *task = dispatch_find(t->dispatcher, in->lease, in->id);
	struct team_task *k = (struct team_task *)(void *)task;
	const struct err *another;

	c->brought = true;
	if (k == NULL || k->kind != TASK_DELETE)
		return 0;
	if (team_asked(k)->count != in->batch->count)
		return err_set(err, ERR_PEER, 0, "sent %zu answers for %zu "
		    "deletions", in->batch->count, team_asked(k)->count);
	for (size_t i = 0; i < in->batch->count && !t->stopping; i++)
		if (is_cut_off(&in->batch->v[i].err))
			return 0;
	task = dispatch_result(t->dispatcher, in->lease, in->id, t->now_ms);
	if (task == NULL)
		return 0;
	take_rows(k, in->batch);
	another = worth_another(k->batch);
	if (another != NULL && again(c, k, another)) {
		take_rest(k);
		return 0;
	}
	count_rows(c, k);
	team_put_deleted(t, k);
	return 0;
}

void
team_deletions_failed(struct team *t, struct team_task *k,
    const struct err *err)
{
	for (size_t i = 0; i < team_asked(k)->count; i++)
		row_of(k, i)->err = *err;
	team_put_deleted(t, k);
}
