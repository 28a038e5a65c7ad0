/*
 * task.c: the tasks of a team, and how their results go up to the run.
 */
#include "team/team_internal.h"

#define BATCH_MAX	512	/* results in a message */
#define LOST_COUNTED	2	/* counted losses until a task is given alone */
#define LOST_ALL	8	/* ... or losses of any kind */

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

/*
 * Does a task kill its clients? A first loss proves little: the client may have
 * reasons of its own. So all losses by good-bye or silence count as a single
 * loss, and so do all losses of a host, however often its client restarts.
 * After LOST_COUNTED losses the task is given alone (dispatch.h): clients that
 * then break off have died of the task.
 */
void
team_task_lost(struct team_client *c, struct team_task *k)
{
	struct team *t = c->team;
	size_t i = 0;

	k->lost.all++;
	if (k->task.careful) {
		k->lost.alone++;
		k->lost.killed_alone += !c->harmless;
		return;
	}
	if (c->harmless) {
		k->lost.counted += !k->lost.harmless;
		k->lost.harmless = true;
	} else {
		while (i < ARRAY_LEN(k->lost.host) && k->lost.host[i] != 0 &&
		    strcmp(team_client(t, k->lost.host[i])->host, c->host) !=
		    0)
			i++;
		if (i < ARRAY_LEN(k->lost.host) && k->lost.host[i] == 0) {
			k->lost.host[i] = c->number;
			k->lost.counted++;
		}
	}
	if (k->lost.counted < LOST_COUNTED && k->lost.all < LOST_ALL)
		return;
	k->task.careful = true;
	k->task.twice = false;
}

struct delete_batch *
team_asked(const struct team_task *k)
{
	return k->rest == NULL ? k->batch : k->rest;
}

/* --- results to the run --- */

struct result
team_failed(const struct team_task *k, const struct err *err, unsigned attempts)
{
	return (struct result){ .outcome = OUTCOME_FAILED,
	    .attrs = k->item.attrs, .attempts = attempts, .err = *err };
}

/* The run may read the figures right after the last answer: publish the figures
 * before the answer. */
static void
put_up(struct team *t, struct mail *mail)
{
	if (dispatch_open(t->dispatcher) == 0)
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

/* An unknown upload of the task may be open: tell the run to search for the
 * upload at its end. Call after the result of the task went up. */
static void
note_unheard(struct team *t, const struct team_task *k)
{
	struct upload_note *n;

	if (k->unheard_sec == 0)
		return;
	team_flush(t);
	n = xcalloc(1, sizeof(*n));
	n->event = UPLOAD_INTENT;
	n->server_sec = k->unheard_sec;
	n->lease = k->lease;
	n->object = k->object;
	n->worker = UINT32_MAX;	/* no client waits for the answer */
	n->mail.type = MAIL_UPLOAD;
	mailbox_put(t->up, &n->mail);
}

void
team_put_result(struct team *t, struct team_task *k, struct result *r)
{
	struct results *b = t->batch;

	if (b != NULL && (b->lease != k->lease || b->count == BATCH_MAX)) {
		team_flush(t);
		b = NULL;
	}
	if (b == NULL) {
		b = t->batch = xcalloc(1, sizeof(*b));
		b->mail.type = MAIL_RESULTS;
		b->lease = k->lease;
		b->v = xcalloc(BATCH_MAX, sizeof(*b->v));
	}
	b->v[b->count] = *r;
	b->v[b->count++].object = k->object;
	memset(r, 0, sizeof(*r));
	note_unheard(t, k);
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

void
team_put_deleted(struct team *t, struct team_task *k)
{
	struct delete_batch *b = STEAL(k->batch);

	t->deletions--;
	b->mail.type = MAIL_DELETED;
	put_up(t, &b->mail);
	team_task_free(k);
}

void
team_count(struct team_client *c, enum outcome outcome)
{
	if (outcome == OUTCOME_FAILED) {
		c->failed++;
	} else {
		c->moved++;
		c->misses = 0;
	}
}

void
team_take_answer(struct team_client *c, struct team_task *k,
    const struct fetch_item *it)
{
	k->fetch->size = it->size;
	memcpy(k->fetch->etag, it->etag, sizeof(it->etag));
	k->fetch->result = it->result;
	team_count(c, it->result.outcome);
	team_put_fetched(c->team, k);
}
