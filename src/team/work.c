/*
 * work.c: the work of a team: makes tasks of the run's items, leases the tasks
 * to clients that want work, and returns results to the run.
 */
#include "base/log.h"
#include "team/team_internal.h"

#define QUEUE_HIGH	(2 * MIB)	/* bytes not yet sent: no more leases */
#define FRAME_BYTES	MIB	/* a lease is cut into frames of this size */
#define DELETIONS_AHEAD	4	/* batches in hand of a client */
#define PARTS_AHEAD	2	/* ranges in hand if more clients may come */
#define TRIES_MAX	8	/* leases of a task that clients fail */
#define LOST_COUNTED	2	/* counted losses until a task is given alone */
#define LOST_ALL	8	/* ... or losses of any kind */
#define KILLED_ALONE	3	/* broken connections with the task alone */
#define LOST_ALONE	8	/* ... or any losses with the task alone */
#define FRUITLESS	2	/* lost sessions; then tasks come singly */
#define ENOUGH_MAX	200000	/* tasks that wait for a lease */
#define BATCH_MAX	512	/* results in a message */
#define MISSES_MAX	16	/* failures in a row; then distrust */
#define PROBE_MS	5000	/* time until a distrusted client gets a task */

/* --- work from the run --- */

struct team_task *
team_task_new(struct team *t, enum task_kind kind, uint64_t bytes)
{
	struct team_task *k = xcalloc(1, sizeof(*k));

	k->kind = kind;
	k->task.id = ++t->last_task;
	k->task.bytes = bytes;
	return k;
}

void
team_task_free(struct team_task *k)
{
	item_release(&k->item);
	team_reveal(k);
	fetch_item_free(&k->fetch);
	delete_batch_free(&k->batch);
	delete_batch_free(&k->rest);
	free(k->rest_at);
	free(k);
}

static void
add(struct team *t, struct team_task *k)
{
	t->given_in++;
	desk_add(t->desk, &k->task);
}

/* Two clients may send a file only if the file has a single part: of a
 * multipart upload each client would take its rival's for an upload left
 * behind. */
static bool
is_one_part(const struct team *t, const struct item *it)
{
	return it->attrs.size <= t->setup.part_size &&
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
		k->epoch = l->epoch;
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

/* --- results to the run --- */

/* The run may read the figures right after the last answer: publish the figures
 * before the answer. */
static void
put_up(struct team *t, struct mail *mail)
{
	if (desk_open(t->desk) == 0)
		team_publish(t, true);
	mailbox_put(t->up, mail);
}

void
team_flush(struct team *t)
{
	struct results *b = STEAL(t->batch);

	if (b != NULL)
		put_up(t, &b->mail);
}

struct result
team_failed(const struct team_task *k, const struct err *err, unsigned attempts)
{
	return (struct result){ .outcome = OUTCOME_FAILED,
	    .attrs = k->item.attrs, .attempts = attempts, .err = *err };
}

void
team_put_result(struct team *t, struct team_task *k, struct result *r)
{
	struct results *b = t->batch;

	if (b != NULL && (b->lease != k->lease || b->epoch != k->epoch ||
	    b->count == BATCH_MAX)) {
		team_flush(t);
		b = NULL;
	}
	if (b == NULL) {
		b = t->batch = xcalloc(1, sizeof(*b));
		b->mail.type = MAIL_RESULTS;
		b->lease = k->lease;
		b->epoch = k->epoch;
		b->v = xcalloc(BATCH_MAX, sizeof(*b->v));
	}
	b->v[b->count] = *r;
	b->v[b->count++].object = k->object;
	memset(r, 0, sizeof(*r));
	team_note_unheard(t, k);
	team_task_free(k);
}

void
team_put_fetched(struct team *t, struct team_task *k)
{
	struct fetch_item *it;

	team_reveal(k);
	it = STEAL(k->fetch);
	it->mail.type = MAIL_FETCHED;
	put_up(t, &it->mail);
	team_task_free(k);
}

static void
put_deleted(struct team *t, struct team_task *k)
{
	struct delete_batch *b = STEAL(k->batch);

	t->deletions--;
	b->mail.type = MAIL_DELETED;
	put_up(t, &b->mail);
	team_task_free(k);
}

void
team_count(struct member *m, enum outcome outcome)
{
	if (outcome == OUTCOME_FAILED) {
		m->failed++;
	} else {
		m->moved++;
		m->misses = 0;
	}
}

/*
 * Count the clients that failed. A client without a route to the file server
 * must not fail files that further clients can move, so a second client tries.
 * An upload in progress stays with its clients.
 */
static size_t
count_failers(struct team_task *k, unsigned member)
{
	size_t n = 0;

	while (n < ARRAY_LEN(k->failers) && k->failers[n] != 0 &&
	    k->failers[n] != member)
		n++;
	if (n == ARRAY_LEN(k->failers))
		return n;
	k->failers[n] = member;
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
again(struct member *m, struct team_task *k, const struct err *err)
{
	struct team *t = m->team;
	size_t tries = ARRAY_LEN(k->failers), failers;

	if (!may_be_its_own(err))
		return false;
	m->misses++;
	m->probe_ms = t->now_ms + PROBE_MS;
	/* The client has tried for long: prefer other clients. */
	if (err->kind == ERR_RETRY) {
		tries = 2;
		team_distrust(m);
	}
	/* The same client may get the task again: failures are quick. A client
	 * that lacks the mount is denied everything at once: clients that are
	 * about to join count too. */
	failers = count_failers(k, m->number);
	if (t->stopping || failers >= MIN(tries, err->kind == ERR_DENIED ?
	    team_members_soon(t) : team_members_up(t)) ||
	    k->task.leased >= TRIES_MAX)
		return false;
	if (k->split == NULL && (k->item.upload_id != NULL ||
	    k->item.upload_intent_sec != 0))
		return false;
	desk_add(t->desk, &k->task);
	return true;
}

/* The client was told to stop before the task was done: other clients do the
 * task. */
static bool
is_cut_off(const struct err *err)
{
	return err->kind == ERR_STOPPED;
}

/*
 * A changed file was sent by two clients, perhaps in two versions, and S3 keeps
 * the last. After both answers a client sends the file again. Return true if
 * this result is not final.
 */
static bool
is_in_doubt(struct team *t, struct team_task *k, int64_t lease,
    const struct result *r)
{
	if (r->outcome > OUTCOME_UNCHANGED ||
	    r->attrs.kind != k->item.attrs.kind || attrs_same(&r->attrs,
	    &k->item.attrs, t->setup.ignore_inode) ||
	    !desk_let_go(t->desk, lease, k->task.id))
		return false;
	k->doubt = true;
	return true;
}

static void
once_more(struct team *t, struct team_task *k)
{
	k->doubt = false;
	k->task.twice = false;
	desk_add(t->desk, &k->task);
}

void
team_results(struct member *m, struct wire_results *in)
{
	struct team *t = m->team;

	m->brought = true;
	for (size_t i = 0; i < in->count; i++) {
		struct result *r = &in->v[i];
		struct task *task = desk_find(t->desk, in->lease, r->object);
		struct team_task *k = (struct team_task *)(void *)task;

		/* Ignore a result of the wrong kind of task. */
		if (k == NULL || k->kind != TASK_PUT)
			continue;
		if (r->outcome == OUTCOME_FAILED && is_cut_off(&r->err))
			continue;
		team_believe(m, k, r);
		if (k->split == NULL && is_in_doubt(t, k, in->lease, r))
			continue;
		task = desk_result(t->desk, in->lease, r->object, t->now_ms);
		if (task != NULL && k->doubt) {
			once_more(t, k);
			continue;
		}
		if (task == NULL || (r->outcome == OUTCOME_FAILED &&
		    again(m, k, &r->err)))
			continue;
		m->bytes += r->bytes_sent;
		if (!team_split_goes_on(k, r))
			team_note_ends(m, k, in->lease);
		if (r->outcome != OUTCOME_FAILED)
			m->misses = 0;
		if (team_split_put(t, k, r) || team_look(m, k, r))
			continue;
		team_count(m, r->outcome);
		team_put_result(t, k, r);
	}
}

/* Copy the outcome from the client's item to the task's item. */
static void
take_outcome(struct fetch_item *to, struct fetch_item *from)
{
	to->size = from->size;
	memcpy(to->etag, from->etag, sizeof(to->etag));
	to->outcome = from->outcome;
	to->err = from->err;
	to->proof = from->proof;
	to->hashed = from->hashed;
	memcpy(to->md5, from->md5, sizeof(to->md5));
	memcpy(to->etag_computed, from->etag_computed,
	    sizeof(to->etag_computed));
	to->bytes = from->bytes;
	to->attempts = from->attempts;
	to->file_err = from->file_err;
	to->file_attrs = from->file_attrs;
	to->file_torn = from->file_torn;
	to->file_hashed = from->file_hashed;
	memcpy(to->file_md5, from->file_md5, sizeof(to->file_md5));
}

/* Return the client's error: of fetching the object, or of reading the file
 * that the object is compared with. */
static const struct err *
fetch_err(const struct fetch_item *it)
{
	return it->outcome == OUTCOME_FAILED ? &it->err : &it->file_err;
}

void
team_fetched(struct member *m, struct wire_fetched *in)
{
	struct team *t = m->team;

	m->brought = true;
	for (size_t i = 0; i < in->count; i++) {
		struct task *task = desk_find(t->desk, in->lease, in->v[i].id);
		struct team_task *k = (struct team_task *)(void *)task;

		if (k == NULL || k->kind != TASK_FETCH ||
		    is_cut_off(fetch_err(in->v[i].item)))
			continue;
		task = desk_result(t->desk, in->lease, in->v[i].id, t->now_ms);
		if (task == NULL || again(m, k, fetch_err(in->v[i].item)))
			continue;
		m->bytes += in->v[i].item->bytes;
		if (in->v[i].item->outcome != OUTCOME_FAILED)
			m->misses = 0;
		if (team_split_get(t, k, in->v[i].item))
			continue;
		take_outcome(k->fetch, in->v[i].item);
		team_count(m, k->fetch->outcome);
		team_put_fetched(t, k);
	}
}

/* --- deletions --- */

static struct delete_row *
row_of(struct team_task *k, size_t i)
{
	return &k->batch->v[k->rest == NULL ? i : k->rest_at[i]];
}

/* Return the rows that the client was asked to delete. */
static struct delete_batch *
asked_of(struct team_task *k)
{
	return k->rest == NULL ? k->batch : k->rest;
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

	rest->v = xcalloc(k->batch->count, sizeof(*rest->v));
	for (size_t i = 0; i < k->batch->count; i++) {
		if (!may_be_its_own(&k->batch->v[i].err))
			continue;
		at[rest->count] = i;
		rest->v[rest->count++].key = xstrdup(k->batch->v[i].key);
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
count_rows(struct member *m, struct team_task *k)
{
	for (size_t i = 0; i < asked_of(k)->count; i++)
		team_count(m, row_of(k, i)->err.kind == ERR_NONE ?
		    OUTCOME_MOVED : OUTCOME_FAILED);
}

int
team_deleted(struct member *m, struct wire_deleted *in, struct err *err)
{
	struct team *t = m->team;
	struct task *task = desk_find(t->desk, in->lease, in->id);
	struct team_task *k = (struct team_task *)(void *)task;
	const struct err *another;

	m->brought = true;
	if (k == NULL || k->kind != TASK_DELETE)
		return 0;
	if (asked_of(k)->count != in->batch->count)
		return err_set(err, ERR_PEER, 0, "sent %zu answers for %zu "
		    "deletions", in->batch->count, asked_of(k)->count);
	for (size_t i = 0; i < in->batch->count && !t->stopping; i++)
		if (is_cut_off(&in->batch->v[i].err))
			return 0;
	task = desk_result(t->desk, in->lease, in->id, t->now_ms);
	if (task == NULL)
		return 0;
	take_rows(k, in->batch);
	another = worth_another(k->batch);
	if (another != NULL && again(m, k, another)) {
		take_rest(k);
		return 0;
	}
	count_rows(m, k);
	put_deleted(t, k);
	return 0;
}

/* --- leases to clients --- */

/*
 * Does a task kill its clients? A first loss proves little: the client may have
 * reasons of its own. So all losses by good-bye or silence count as a single
 * loss, and so do all losses of a host, however often its client restarts.
 * After LOST_COUNTED losses the task is given alone (desk.h): clients that then
 * break off have died of the task.
 */
void
team_task_lost(struct member *m, struct team_task *k)
{
	struct team *t = m->team;
	size_t i = 0;

	k->lost.all++;
	if (k->task.careful) {
		k->lost.alone++;
		k->lost.killed_alone += !m->harmless;
		return;
	}
	if (m->harmless) {
		k->lost.counted += !k->lost.harmless;
		k->lost.harmless = true;
	} else {
		while (i < ARRAY_LEN(k->lost.host) && k->lost.host[i] != 0 &&
		    strcmp(team_member(t, k->lost.host[i])->host, m->host) !=
		    0)
			i++;
		if (i < ARRAY_LEN(k->lost.host) && k->lost.host[i] == 0) {
			k->lost.host[i] = m->number;
			k->lost.counted++;
		}
	}
	if (k->lost.counted < LOST_COUNTED && k->lost.all < LOST_ALL)
		return;
	k->task.careful = true;
	k->task.twice = false;
}

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

	if (desk_result(t->desk, lease, k->task.id, t->now_ms) == NULL)
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
		k->fetch->outcome = OUTCOME_FAILED;
		k->fetch->err = err;
		if (!team_split_get(t, k, k->fetch))
			team_put_fetched(t, k);
		break;
	case TASK_DELETE:
		/* Nobody knows whether the objects are deleted. */
		err.kind = ERR_RETRY;
		for (size_t i = 0; i < asked_of(k)->count; i++)
			row_of(k, i)->err = err;
		put_deleted(t, k);
		break;
	}
}

static void
drop_parts(struct team *t, struct team_task *k, int64_t lease)
{
	if (desk_result(t->desk, lease, k->task.id, t->now_ms) != NULL)
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
		one.type = WIRE_LEASE_DELETE;
		one.u.lease_delete.lease = f->lease;
		one.u.lease_delete.id = k->task.id;
		one.u.lease_delete.batch = asked_of(k);
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
send_lease(struct team *t, struct member *m, int64_t lease, size_t n)
{
	struct frame f = { .peer = m->index, .lease = lease };
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
	m->want_items -= (uint32_t)MIN(sent, (size_t)m->want_items);
	m->want_bytes -= MIN(bytes, m->want_bytes);
}

static bool
is_able(const struct member *m)
{
	return m->ready && m->misses < MISSES_MAX;
}

void
team_distrust(struct member *m)
{
	m->misses = MISSES_MAX;
	m->probe_ms = m->team->now_ms + PROBE_MS;
}

/* Should clients keep few ranges, to leave some ranges of a large file to
 * clients expected soon? */
static bool
shares_soon(const struct team *t)
{
	size_t ready = 0;

	if (t->split_count == 0)
		return false;
	for (size_t i = 0; i < t->member_count; i++)
		ready += t->members[i]->index != NULL && t->members[i]->ready;
	return team_members_soon(t) > ready;
}

/* The client was lost repeatedly without results: its tasks will most likely be
 * lost too. */
static bool
is_fruitless(const struct member *m)
{
	return m->fruitless >= FRUITLESS && !m->brought;
}

static bool
wants(const struct team *t, const struct member *m, bool others)
{
	size_t leases, tasks;

	if (!is_able(m) && others && t->now_ms < m->probe_ms)
		return false;

	if (!m->ready || m->status == NULL || m->want_items == 0 ||
	    m->want_bytes == 0 || wire_queued(m->index) >= QUEUE_HIGH)
		return false;
	if (t->deletions == 0 && !shares_soon(t) && !is_fruitless(m))
		return true;
	desk_holding(t->desk, m->number, &leases, &tasks);
	if (is_fruitless(m))
		return tasks == 0;
	return tasks < (t->deletions > 0 ? DELETIONS_AHEAD : PARTS_AHEAD);
}

static bool
has_brought(const struct member *m)
{
	return m->index != NULL && (m->brought || m->moved > 0);
}

/* Give leases to a member. others: trusted members are here. proven: members
 * have brought results. */
static void
serve(struct team *t, struct member *m, bool others, bool proven)
{
	bool few = t->deletions > 0 || (others && !is_able(m)) ||
	    shares_soon(t) || is_fruitless(m);
	int64_t lease;
	size_t n;

	while (m->index != NULL && wants(t, m, others)) {
		n = desk_lease(t->desk, m->number, has_brought(m) || !proven,
		    m->want_items, t->now_ms,
		    &lease, t->taken, few ? 1 : t->taken_cap);
		if (n == 0)
			return;
		send_lease(t, m, lease, n);
		m->probe_ms = t->now_ms + PROBE_MS;
	}
}

void
team_serve(struct team *t)
{
	bool able = false, proven = false;

	if (t->stopping || t->member_count == 0)
		return;
	if (t->taken == NULL) {
		t->taken_cap = t->conf->master.max_index_size;
		t->taken = xcalloc(t->taken_cap, sizeof(struct task *));
	}
	for (size_t i = 0; i < t->member_count; i++) {
		able = able || is_able(t->members[i]);
		proven = proven || has_brought(t->members[i]);
	}
	for (size_t i = 0; i < t->member_count; i++)
		serve(t, t->members[(t->first_served + i) %
		    t->member_count], able, proven);
	t->first_served = (t->first_served + 1) % t->member_count;
	team_flush(t);
}

/* Return two leases for each client, to give the run's thread time to add
 * tasks. */
size_t
team_enough(struct team *t)
{
	size_t up = MAX(team_members_up(t), (size_t)1);

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
	for (task = desk_take(t->desk); task != NULL;
	    task = desk_take(t->desk))
		team_task_free((struct team_task *)(void *)task);
	free(t->taken);
	free(t->routes);
	free(t->closing);
}
