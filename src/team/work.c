/*
 * work.c: the work of a team: makes tasks of the run's items, and leases the
 * tasks to clients that want work.
 */
#include "base/log.h"
#include "team/team_internal.h"

#define QUEUE_HIGH	(2 * MIB)	/* bytes not yet sent: no more leases */
#define FRAME_BYTES	MIB	/* a lease is cut into frames of this size */
#define DELETIONS_AHEAD	4	/* batches in hand of a client */
#define PARTS_AHEAD	2	/* ranges in hand if more clients may come */
#define KILLED_ALONE	3	/* broken connections with the task alone */
#define LOST_ALONE	8	/* ... or any losses with the task alone */
#define FRUITLESS	2	/* lost sessions; then tasks come singly */
#define ENOUGH_MAX	200000	/* tasks that wait for a lease */

/* --- work from the run --- */

static void
add(struct team *t, struct team_task *k)
{
	t->given_in++;
	dispatch_add(t->dispatcher, &k->task);
}

/* Two clients may send a file only if the file has a single part: of a
 * multipart upload each client would take its rival's for an upload left
 * behind. */
static bool
is_one_part(const struct team *t, const struct item *it)
{
	return it->attrs.size <= t->conf->s3_storage.part_size &&
	    it->upload_id == NULL && it->upload_intent_sec == 0;
}

void
team_take_lease(struct team *t, struct lease *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct item *it = &l->items[i];
		struct team_task *k = team_task_new(t, TASK_PUT,
		    it->attrs.size);

		k->lease = l->id;
		k->object = it->object;
		k->item = *it;
		memset(it, 0, sizeof(*it));	/* now the task's */
		k->item.object = k->task.id;
		k->task.twice = is_one_part(t, &k->item);
		add(t, k);
	}
	lease_free(&l);
}

void
team_take_fetch(struct team *t, struct fetch_item *it)
{
	struct team_task *k = team_task_new(t, TASK_FETCH, it->size);

	k->fetch = it;
	if (t->setup.only_read)
		team_hide(t, k);
	/* A file must not have two writers. */
	k->task.twice = it->path == NULL;
	add(t, k);
}

void
team_take_delete(struct team *t, struct delete_batch *b)
{
	struct team_task *k = team_task_new(t, TASK_DELETE, 0);

	k->batch = b;
	t->deletions++;
	add(t, k);
}

/* --- leases to clients --- */

static bool
is_poison(const struct team_task *k)
{
	return k->lost.killed_alone >= KILLED_ALONE ||
	    k->lost.alone >= LOST_ALONE;
}

static void
give_up(struct team *t, struct team_task *k, int64_t lease)
{
	struct err err = ERR_INIT;
	struct result r;

	if (dispatch_result(t->dispatcher, lease, k->task.id, t->now_ms) ==
	    NULL)
		return;
	err_set(&err, ERR_INVALID, 0, "%u clients were lost that had it in "
	    "hand, %u of them when they had nothing else", k->lost.all,
	    k->lost.alone);
	switch (k->kind) {
	case TASK_PUT:
		r = team_failed(k, &err, k->lost.all);
		if (!team_split_put(t, k, &r) && !team_look_last(t, k, &r))
			team_put_result(t, k, &r);
		break;
	case TASK_FETCH:
		k->fetch->result.outcome = OUTCOME_FAILED;
		k->fetch->result.err = err;
		if (!team_split_get(t, k, k->fetch))
			team_put_fetched(t, k);
		break;
	case TASK_DELETE:
		/* Nobody knows whether the objects are deleted. */
		err.kind = ERR_RETRY;
		team_deletions_failed(t, k, &err);
		break;
	}
}

static void
drop_parts(struct team *t, struct team_task *k, int64_t lease)
{
	if (dispatch_result(t->dispatcher, lease, k->task.id, t->now_ms) !=
	    NULL)
		team_split_drop(t, k);
}

/* A lease is sent in frames, each with as many items as fit. */
struct frame {
	struct wire_peer *peer;
	int64_t	 lease;
	struct item *items;	/* lent */
	struct wire_fetch *fetches;
	size_t	 item_count;
	size_t	 fetch_count;
	size_t	 bytes;
};

static void
frame_send(struct frame *f)
{
	struct wire_msg put = { .type = WIRE_LEASE_PUT, .u.lease_put = {
	    .lease = f->lease, .items = f->items, .count = f->item_count } };
	struct wire_msg fetch = { .type = WIRE_LEASE_FETCH, .u.lease_fetch = {
	    .lease = f->lease, .v = f->fetches, .count = f->fetch_count } };

	if (f->item_count > 0)
		wire_send(f->peer, &put);
	if (f->fetch_count > 0)
		wire_send(f->peer, &fetch);
	f->item_count = f->fetch_count = 0;
	f->bytes = 0;
}

static void
frame_add(struct frame *f, struct team_task *k)
{
	struct wire_msg one = { .type = WIRE_LEASE_PUT };
	struct wire_fetch fetch = { .id = k->task.id, .item = k->fetch };
	size_t bytes;

	if (k->kind == TASK_DELETE) {
		/* Another client may have deleted the objects. */
		for (size_t i = 0; i < team_asked(k)->count; i++)
			team_asked(k)->v[i].asked = k->task.leased > 1;
		one.type = WIRE_LEASE_DELETE;
		one.u.lease_delete.lease = f->lease;
		one.u.lease_delete.id = k->task.id;
		one.u.lease_delete.batch = team_asked(k);
		wire_send(f->peer, &one);
		return;
	}
	if (k->kind == TASK_PUT) {
		one.u.lease_put.items = &k->item;
		one.u.lease_put.count = 1;
	} else {
		one.type = WIRE_LEASE_FETCH;
		one.u.lease_fetch.v = &fetch;
		one.u.lease_fetch.count = 1;
	}
	bytes = wire_size(&one);
	if (f->bytes + bytes > FRAME_BYTES)
		frame_send(f);
	f->bytes += bytes;
	if (k->kind == TASK_PUT)
		f->items[f->item_count++] = k->item;
	else
		f->fetches[f->fetch_count++] = fetch;
}

static void
send_lease(struct team *t, struct team_client *c, int64_t lease, size_t n)
{
	struct frame f = { .peer = c->index, .lease = lease };
	uint64_t bytes = 0;
	size_t sent = 0;

	f.items = xcalloc(n, sizeof(*f.items));
	f.fetches = xcalloc(n, sizeof(*f.fetches));
	for (size_t i = 0; i < n; i++) {
		struct team_task *k = (struct team_task *)(void *)t->taken[i];

		if (team_split_over(k)) {
			drop_parts(t, k, lease);
			continue;
		}
		if (is_poison(k)) {
			give_up(t, k, lease);
			continue;
		}
		team_split_begin(t, k);
		bytes += k->task.bytes;
		sent++;
		/* A client had the task and was lost: settle what arrived at
		 * the store. */
		if (k->kind == TASK_PUT && k->task.leased > 1 &&
		    k->item.step != SPLIT_BEGIN && k->item.step != SPLIT_RANGE)
			k->item.flags |= ITEM_SETTLE;
		frame_add(&f, k);
	}
	frame_send(&f);
	free(f.items);
	free(f.fetches);
	/* Tasks that were not sent take no room at the client. */
	c->want_items -= (uint32_t)MIN(sent, (size_t)c->want_items);
	c->want_bytes -= MIN(bytes, c->want_bytes);
}

/* Should clients keep few ranges, to leave some ranges of a large file to
 * clients expected soon? */
static bool
shares_soon(const struct team *t)
{
	size_t ready = 0;

	if (t->split_count == 0)
		return false;
	for (size_t i = 0; i < t->client_count; i++)
		ready += t->clients[i]->index != NULL && t->clients[i]->ready;
	return team_clients_soon(t) > ready;
}

/* The client was lost repeatedly without results: its tasks will most likely be
 * lost too. */
static bool
is_fruitless(const struct team_client *c)
{
	return c->fruitless >= FRUITLESS && !c->brought;
}

static bool
wants(const struct team *t, const struct team_client *c, bool others)
{
	size_t leases, tasks;

	if (!team_is_able(c) && others && t->now_ms < c->probe_ms)
		return false;

	if (!c->ready || c->status == NULL || c->want_items == 0 ||
	    c->want_bytes == 0 || wire_queued(c->index) >= QUEUE_HIGH)
		return false;
	if (t->deletions == 0 && !shares_soon(t) && !is_fruitless(c))
		return true;
	dispatch_holding(t->dispatcher, c->number, &leases, &tasks);
	if (is_fruitless(c))
		return tasks == 0;
	return tasks < (t->deletions > 0 ? DELETIONS_AHEAD : PARTS_AHEAD);
}

static bool
has_brought(const struct team_client *c)
{
	return c->index != NULL && (c->brought || c->moved > 0);
}

/* Give leases to a client. others: trusted clients are here. proven: clients
 * have brought results. */
static void
serve(struct team *t, struct team_client *c, bool others, bool proven)
{
	bool few = t->deletions > 0 || (others && !team_is_able(c)) ||
	    shares_soon(t) || is_fruitless(c);
	int64_t lease;
	size_t n;

	while (c->index != NULL && wants(t, c, others)) {
		n = dispatch_lease(t->dispatcher, c->number,
		    has_brought(c) || !proven, c->want_items, t->now_ms, &lease,
		    t->taken, few ? 1 : t->taken_cap);
		if (n == 0)
			return;
		send_lease(t, c, lease, n);
		c->probe_ms = t->now_ms + PROBE_MS;
	}
}

void
team_serve(struct team *t)
{
	bool able = false, proven = false;

	if (t->stopping || t->client_count == 0)
		return;
	if (t->taken == NULL) {
		t->taken_cap = t->conf->master.max_index_size;
		t->taken = xcalloc(t->taken_cap, sizeof(struct task *));
	}
	for (size_t i = 0; i < t->client_count; i++) {
		able = able || team_is_able(t->clients[i]);
		proven = proven || has_brought(t->clients[i]);
	}
	for (size_t i = 0; i < t->client_count; i++)
		serve(t, t->clients[(t->first_served + i) %
		    t->client_count], able, proven);
	t->first_served = (t->first_served + 1) % t->client_count;
	team_flush(t);
}

/* Return two leases for each client, to give the run's thread time to add
 * tasks. */
size_t
team_enough(struct team *t)
{
	size_t up = MAX(team_clients_up(t), (size_t)1);

	if (t->deletions > 0 || t->setup.op == OP_DEL)
		return 2 * DELETIONS_AHEAD * up;
	return MIN(2 * up * (size_t)t->conf->master.max_index_size,
	    (size_t)ENOUGH_MAX);
}

void
team_work_free(struct team *t)
{
	struct task *task;

	results_free(&t->batch);
	team_splits_free(t);
	for (task = dispatch_take(t->dispatcher); task != NULL;
	    task = dispatch_take(t->dispatcher))
		team_task_free((struct team_task *)(void *)task);
	free(t->taken);
	free(t->routes);
	free(t->closing);
}
