#include "delete/delete.h"
#include "rest/xml.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "verify/held.h"

#define TURN_MS		1000
#define RETRY_MS	300000	/* where the settings say nothing */
#define BACKOFF_BASE_MS	100
#define BACKOFF_CAP_MS	10000

struct deleter {
	struct delete_config c;
	struct pool pool;
	struct mailbox *in;
};

struct deleting;

struct delete_worker {
	struct pool_worker p;
	struct deleter *deleter;
	size_t	 active;	/* batches on the way */
	struct deleting *late;	/* batches waiting to be looked for */
	struct rng rng;
};

/* What the deleter knows of a row. */
enum row_state { ROW_OPEN = 0, ROW_LOST, ROW_DONE };

/* A batch on its way. Keys that XML can't carry are deleted by a request each.
 * After a lost answer, look for the objects by HEAD before deleting again: a
 * bucket with versions would get a second delete marker, and somebody else may
 * have put an object since. */
struct deleting {
	struct deleting *next;	/* list of late batches */
	struct delete_worker *w;
	struct delete_batch *b;
	size_t	 left;		/* requests without an answer */
	size_t	*plain;		/* rows of the request for many */
	struct single *singles;	/* one a row */
	unsigned tries;		/* of looking */
	uint64_t since_ms;	/* it began */
	uint64_t due_ms;	/* look then */
};

struct single {
	struct deleting *x;
	struct delete_row *row;
	enum row_state state;
};

static void send_open(struct deleting *);

static void
give_back(struct deleter *d, struct delete_batch *b)
{
	b->mail.type = MAIL_DELETED;
	mailbox_put(d->c.up, &b->mail);
}

static void
over(struct deleting *x)
{
	x->w->active--;
	give_back(x->w->deleter, x->b);
	free(x->plain);
	free(x->singles);
	free(x);
}

static size_t
count_rows(const struct deleting *x, enum row_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < x->b->count; i++)
		n += x->singles[i].state == state;
	return n;
}

/* Return false if no time is left for a further try. */
static bool
wait_for_look(struct deleting *x)
{
	struct delete_worker *w = x->w;
	uint64_t now = clock_mono_ms();
	uint64_t retry_for = w->deleter->c.s3.retry_for_ms;

	if (pool_stopping(&w->p) || now - x->since_ms >= (retry_for == 0 ?
	    RETRY_MS : retry_for))
		return false;
	x->due_ms = now + backoff_ms(++x->tries, BACKOFF_BASE_MS,
	    BACKOFF_CAP_MS, rng_next(&w->rng));
	x->next = w->late;
	w->late = x;
	return true;
}

/* Count down an answer, or the extra count of the sender; after the last count
 * go on with the batch. */
static void
answered(struct deleting *x)
{
	if (--x->left > 0)
		return;
	if (count_rows(x, ROW_OPEN) > 0)
		send_open(x);
	else if (count_rows(x, ROW_LOST) == 0 || !wait_for_look(x))
		over(x);
}

static void
settle(struct single *s, const struct err *err, struct str version_id)
{
	struct delete_row *r = s->row;

	err_clear(&r->err);
	s->state = ROW_DONE;
	if (err != NULL)
		r->err = *err;
	else if (version_id.len > 0)
		r->version_id = xstrndup(version_id.p, version_id.len);
	if (r->err.kind == ERR_RETRY)
		s->state = ROW_LOST;
}

static void
many_deleted(void *arg, const struct s3_deleted *v, size_t count)
{
	struct deleting *x = arg;

	for (size_t i = 0; i < count; i++)
		settle(&x->singles[x->plain[i]], v[i].err, v[i].version_id);
	answered(x);
}

static void
one_deleted(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct single *s = arg;

	settle(s, err, r->version_id);
	answered(s->x);
}

/* Delete the open rows. */
static void
send_open(struct deleting *x)
{
	AUTOFREE struct str *keys = xcalloc(x->b->count + 1, sizeof(*keys));
	struct s3 *s3 = x->w->p.s3;
	size_t plain = 0;

	/* Count a request more than are sent, so that an empty batch ends,
	 * too. */
	x->left = 1;
	for (size_t i = 0; i < x->b->count; i++) {
		struct str key = str_of(x->b->v[i].key);

		if (x->singles[i].state != ROW_OPEN || !s3_key_fits_xml(key))
			continue;
		/* Sent: until the answer comes, the state of the row is
		 * unknown. */
		x->singles[i].state = ROW_LOST;
		x->plain[plain] = i;
		keys[plain++] = key;
	}
	if (plain > 0) {
		x->left++;
		s3_delete_many(s3, keys, plain, many_deleted, x);
	}
	for (size_t i = 0; i < x->b->count; i++) {
		if (x->singles[i].state != ROW_OPEN)
			continue;
		x->singles[i].state = ROW_LOST;
		x->left++;
		s3_delete(s3, str_of(x->b->v[i].key), one_deleted,
		    &x->singles[i]);
	}
	answered(x);
}

/* --- after a lost answer --- */

static enum held_state
judge(const struct delete_row *row, const struct held_answer *a)
{
	const struct attrs meant = { .size = row->size,
	    .mtime_ns = MTIME_NONE };
	enum held_state held = held_judge(a, &(struct held_record){
	    .attrs = &meant, .etag = row->etag });

	/* Only DEL deletes what it can't look at: by name. */
	if (a->err.kind == ERR_DENIED ||
	    (held == HELD_FOREIGN && row->etag[0] == '\0'))
		return HELD_OURS;
	return held;
}

static void
looked(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct single *s = arg;
	struct held_answer a;

	s3_head_answer(r, err, &a);
	switch (judge(s->row, &a)) {
	case HELD_GONE:
		settle(s, NULL, r->delete_marker ? r->version_id : STR(""));
		break;
	case HELD_FOREIGN:	/* the object that is meant is no more */
		settle(s, NULL, STR(""));
		break;
	case HELD_OURS:
		s->state = ROW_OPEN;
		break;
	case HELD_UNKNOWN:
		s->row->err = a.err;
		break;
	}
	answered(s->x);
}

static void
look(struct deleting *x)
{
	x->left = 1;
	for (size_t i = 0; i < x->b->count; i++) {
		if (x->singles[i].state != ROW_LOST)
			continue;
		x->left++;
		s3_head(x->w->p.s3, str_of(x->b->v[i].key), looked,
		    &x->singles[i]);
	}
	answered(x);
}

static void
begin(struct delete_worker *w, struct delete_batch *b)
{
	struct deleting *x = xcalloc(1, sizeof(*x));

	w->active++;
	x->w = w;
	x->b = b;
	x->since_ms = clock_mono_ms();
	x->plain = xcalloc(b->count + 1, sizeof(*x->plain));
	x->singles = xcalloc(b->count + 1, sizeof(*x->singles));
	for (size_t i = 0; i < b->count; i++)
		x->singles[i] = (struct single){ .x = x, .row = &b->v[i],
		    .state = b->v[i].asked ? ROW_LOST : ROW_OPEN };
	if (count_rows(x, ROW_LOST) > 0)
		look(x);
	else
		send_open(x);
}

/* Look for the batches whose time has come; return the time in ms until the
 * next batch is due. */
static int
look_due(struct delete_worker *w)
{
	struct deleting *x, *next, *all = STEAL(w->late);
	uint64_t now = clock_mono_ms(), due = now + TURN_MS;
	bool stopping = pool_stopping(&w->p);

	for (x = all; x != NULL; x = next) {
		next = x->next;
		if (stopping) {
			over(x);
		} else if (x->due_ms <= now) {
			look(x);
		} else {
			x->next = w->late;
			w->late = x;
			due = MIN(due, x->due_ms);
		}
	}
	return (int)(due - now);
}

/* The batch is never sent to S3. */
static void
refuse(struct deleter *d, struct delete_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		err_set(&b->v[i].err, ERR_STOPPED, 0, "stopped");
	give_back(d, b);
}

static void
read_mail(struct delete_worker *w)
{
	struct mail *m = mailbox_take(w->deleter->in), *next;

	for (; m != NULL; m = next) {
		struct delete_batch *b = (struct delete_batch *)(void *)m;

		next = m->next;
		if (pool_stopping(&w->p))
			refuse(w->deleter, b);
		else
			begin(w, b);
	}
}

static void
run(struct pool_worker *p)
{
	struct delete_worker *w = (struct delete_worker *)(void *)p;

	for (;;) {
		struct pollfd fd = { .fd = mailbox_fd(w->deleter->in),
		    .events = POLLIN };
		int wait_ms;

		read_mail(w);
		wait_ms = look_due(w);
		if (pool_over(p, w->active, clock_mono_ms()))
			break;
		s3_wait(p->s3, &fd, 1, wait_ms);
		pool_publish(p);
	}
}

static void
init(struct pool_worker *p)
{
	struct delete_worker *w = (struct delete_worker *)(void *)p;

	w->deleter = p->pool->owner;
	rng_seed(&w->rng, w->deleter->c.s3.seed + 1);
}

static void
release(struct pool_worker *p)
{
	struct delete_worker *w = (struct delete_worker *)(void *)p;
	struct mail *m, *next;

	/* s3_free calls the outstanding requests back with STOPPED. */
	s3_free(&p->s3);
	while (w->late != NULL) {
		struct deleting *x = w->late;

		w->late = x->next;
		over(x);
	}
	for (m = mailbox_take(w->deleter->in); m != NULL; m = next) {
		next = m->next;
		refuse(w->deleter, (struct delete_batch *)(void *)m);
	}
}

int
delete_start(struct deleter **ret, const struct delete_config *c,
    struct err *err)
{
	static const struct pool_ops ops = { .size = sizeof(struct
	    delete_worker), .init = init, .run = run, .release = release };
	struct deleter *d = xcalloc(1, sizeof(*d));

	d->c = *c;
	d->c.s3.delete_once = true;
	d->in = mailbox_new(0);
	if (pool_start(&d->pool, &ops, d, 1, &d->c.s3, err) == -1) {
		mailbox_free(&d->in);
		free(d);
		return -1;
	}
	*ret = d;
	return 0;
}

void
delete_give(struct deleter *d, struct delete_batch *b)
{
	mailbox_put(d->in, &b->mail);
}

struct pool *
delete_pool(struct deleter *d)
{
	return &d->pool;
}

void
delete_free(struct deleter **dp)
{
	struct deleter *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	pool_join(&d->pool);
	pool_release(&d->pool);
	mailbox_free(&d->in);
	free(d);
}
