#include "lease/dispatch.h"

#include <assert.h>

#include "base/idmap.h"

#define FIRST_COUNT	64	/* tasks, for a holder without a known pace */
#define WINDOW_MS	1000	/* length of the window that the pace is
				   measured over */
#define TAIL_MS		3000	/* do no task twice to save less time */

/* Tasks linked by next and prev; a task is in one list at most. */
struct list {
	struct task *head, *tail;
};

/* A lease that is out. */
struct out {
	int64_t	 id;
	unsigned holder;
	struct out *next, *prev; /* leases of the same holder, youngest first */
	struct list alone;	/* tasks that may get a second holder */
	struct out *older, *younger; /* neighbours among leases with tasks in
					alone */
	uint64_t given_ms;
	uint64_t result_ms;	/* when the last result came; or given_ms */
	size_t	 left;		/* unresolved tasks */
	double	 bytes;		/* bytes of the unresolved tasks */
	size_t	 count;
	int64_t	 tasks[];	/* ids as given; some are resolved */
};

/* What a holder does in a second: an average in which old windows fade. Only
 * time in which the holder has tasks counts. */
struct pace {
	uint64_t since_ms;	/* start of the current busy time */
	uint64_t busy_ms;	/* busy time in this window before since_ms */
	double	 items;		/* results in this window */
	double	 bytes;
	double	 items_per_s;
	double	 bytes_per_s;
};

struct holder {
	bool	 here;		/* was heard, and has not been lost since */
	struct out *outs;	/* its leases */
	size_t	 leases;
	size_t	 tasks;		/* unresolved */
	bool	 shares;	/* see dispatch_shares */
	bool	 careful;	/* the holder has a careful task as its only
				   task */
	struct pace pace;
};

struct dispatcher {
	struct dispatch_limits limits;
	struct list queue;
	struct list careful;	/* queued tasks that are careful */
	size_t	 queued;	/* tasks in queue and in careful */
	bool	 no_more;
	struct idmap tasks;	/* all open tasks, by id */
	struct idmap outs;
	struct out *oldest, *youngest; /* leases that have tasks in alone */
	int64_t	 last;		/* id of the last lease */
	struct holder *holders;
	size_t	 holder_count;
	size_t	 here;		/* holders that are here */
	uint64_t now_ms;	/* as last heard from the caller */
};

struct dispatcher *
dispatch_new(const struct dispatch_limits *l)
{
	struct dispatcher *d = xcalloc(1, sizeof(*d));

	d->limits = *l;
	return d;
}

void
dispatch_free(struct dispatcher **dp)
{
	struct dispatcher *d = *dp;

	if (d == NULL)
		return;
	assert(dispatch_open(d) == 0 && d->outs.count == 0);
	idmap_release(&d->tasks);
	idmap_release(&d->outs);
	free(d->holders);
	free(d);
	*dp = NULL;
}

/* --- lists --- */

static void
push_tail(struct list *l, struct task *t)
{
	t->next = NULL;
	t->prev = l->tail;
	if (l->tail != NULL)
		l->tail->next = t;
	else
		l->head = t;
	l->tail = t;
}

static void
push_head(struct list *l, struct task *t)
{
	t->prev = NULL;
	t->next = l->head;
	if (l->head != NULL)
		l->head->prev = t;
	else
		l->tail = t;
	l->head = t;
}

static void
unlink_task(struct list *l, struct task *t)
{
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		l->head = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	else
		l->tail = t->prev;
	t->next = t->prev = NULL;
}

/* --- holders --- */

static struct holder *
holder_of(struct dispatcher *d, unsigned holder)
{
	size_t n = d->holder_count;

	if (holder >= n) {
		n = (size_t)holder + 1;
		d->holders = xreallocarray(d->holders, n,
		    sizeof(*d->holders));
		memset(d->holders + d->holder_count, 0,
		    (n - d->holder_count) * sizeof(*d->holders));
		d->holder_count = n;
	}
	return &d->holders[holder];
}

static void
heard(struct dispatcher *d, struct holder *h, uint64_t now_ms)
{
	if (!h->here) {
		h->here = true;
		d->here++;
	}
	d->now_ms = now_ms;
}

static void
gone(struct dispatcher *d, struct holder *h)
{
	if (h->here)
		d->here--;
	h->here = false;
}

void
dispatch_heard(struct dispatcher *d, unsigned holder, uint64_t now_ms)
{
	heard(d, holder_of(d, holder), now_ms);
}

/* The holder has no task left: stop its busy time. */
static void
pace_pause(struct pace *p, uint64_t now_ms)
{
	p->busy_ms += now_ms - p->since_ms;
}

static double
average(double old, double now)
{
	return old > 0 ? (old + now) / 2 : now;
}

/* Close the window if the window is full. Results come in heaps, so callers
 * close the window when they ask for the pace, not at the first result of a
 * heap. */
static void
pace_turn(struct pace *p, bool busy, uint64_t now_ms)
{
	uint64_t ms = p->busy_ms + (busy ? now_ms - p->since_ms : 0);

	if (ms < WINDOW_MS || p->items <= 0)
		return;
	p->items_per_s = average(p->items_per_s,
	    p->items * 1000 / (double)ms);
	p->bytes_per_s = average(p->bytes_per_s,
	    p->bytes * 1000 / (double)ms);
	p->items = 0;
	p->bytes = 0;
	p->busy_ms = 0;
	p->since_ms = now_ms;
}

/* --- leases that are out --- */

static struct out *
out_new(struct dispatcher *d, unsigned holder, struct task **v, size_t n)
{
	struct holder *h = &d->holders[holder];
	struct out *o = xcalloc(1, sizeof(*o) + n * sizeof(o->tasks[0]));

	o->id = ++d->last;
	o->holder = holder;
	o->given_ms = o->result_ms = d->now_ms;
	o->left = n;
	o->count = n;
	for (size_t i = 0; i < n; i++) {
		o->tasks[i] = v[i]->id;
		o->bytes += (double)v[i]->bytes;
	}
	o->next = h->outs;
	if (h->outs != NULL)
		h->outs->prev = o;
	h->outs = o;
	h->leases++;
	h->tasks += n;
	idmap_put(&d->outs, o->id, o);
	return o;
}

static void
out_free(struct dispatcher *d, struct out *o)
{
	struct holder *h = &d->holders[o->holder];

	h->leases--;
	if (o->prev != NULL)
		o->prev->next = o->next;
	else
		h->outs = o->next;
	if (o->next != NULL)
		o->next->prev = o->prev;
	idmap_remove(&d->outs, o->id);
	free(o);
}

/* The task has only this lease: a second holder may get the task too. */
static void
set_alone(struct dispatcher *d, struct out *o, struct task *t)
{
	if (!t->twice)
		return;
	if (o->alone.head == NULL) {
		o->younger = NULL;
		o->older = d->youngest;
		if (d->youngest != NULL)
			d->youngest->younger = o;
		else
			d->oldest = o;
		d->youngest = o;
	}
	push_tail(&o->alone, t);
}

static void
unset_alone(struct dispatcher *d, struct task *t)
{
	struct out *o = idmap_get(&d->outs, t->lease[0]);

	if (!t->twice || t->lease[1] != 0)
		return;
	unlink_task(&o->alone, t);
	if (o->alone.head != NULL)
		return;
	if (o->older != NULL)
		o->older->younger = o->younger;
	else
		d->oldest = o->younger;
	if (o->younger != NULL)
		o->younger->older = o->older;
	else
		d->youngest = o->older;
}

/* --- giving --- */

static struct list *
queue_of(struct dispatcher *d, const struct task *t)
{
	return t->careful ? &d->careful : &d->queue;
}

void
dispatch_add(struct dispatcher *d, struct task *t)
{
	t->lease[0] = t->lease[1] = 0;
	t->born = d->last;
	push_tail(queue_of(d, t), t);
	d->queued++;
	idmap_put(&d->tasks, t->id, t);
}

void
dispatch_no_more(struct dispatcher *d, bool no_more)
{
	d->no_more = no_more;
}

/* Return the size of the holder's next lease: target_ms of its work at its
 * pace, and not more than its share of the open tasks. */
static void
size(const struct dispatcher *d, struct holder *h, size_t *ret_count,
    uint64_t *ret_bytes)
{
	const struct dispatch_limits *l = &d->limits;
	double s = (double)l->target_ms / 1000;
	double items = FIRST_COUNT, bytes = (double)l->max_bytes;
	size_t share = (dispatch_open(d) + d->here - 1) / d->here;

	pace_turn(&h->pace, h->tasks > 0, d->now_ms);
	if (h->pace.items_per_s > 0) {
		items = h->pace.items_per_s * s;
		bytes = h->pace.bytes_per_s * s;
	}
	items = MIN(items, (double)l->max_count);
	bytes = MIN(bytes, (double)l->max_bytes);
	*ret_count = (size_t)MAX(items, 1.0);
	*ret_bytes = (uint64_t)MAX(bytes, 1.0);
	if (h->tasks >= share)
		*ret_count = 0;
	else
		*ret_count = MIN(*ret_count, share - h->tasks);
}

/* Does the task still fit into the lease? The first task always does. */
static bool
fits(const struct task *t, size_t n, uint64_t bytes, uint64_t *sum)
{
	if (n > 0 && (*sum > bytes || t->bytes > bytes - *sum))
		return false;
	*sum += t->bytes;
	return true;
}

static size_t
from_queue(struct dispatcher *d, size_t count, uint64_t bytes, struct task **v)
{
	uint64_t sum = 0;
	size_t n = 0;

	for (struct task *t; n < count; v[n++] = t) {
		t = d->queue.head;
		if (t == NULL || !fits(t, n, bytes, &sum))
			break;
		unlink_task(&d->queue, t);
		d->queued--;
	}
	return n;
}

static size_t
from_careful(struct dispatcher *d, struct holder *h, struct task **v)
{
	struct task *t = d->careful.head;

	if (t == NULL || d->queue.head != NULL || h->tasks > 0)
		return 0;
	unlink_task(&d->careful, t);
	d->queued--;
	h->careful = true;
	v[0] = t;
	return 1;
}

/* Is the lease slow, so that a second holder may finish its tasks before the
 * first holder? A lease that brings results is late if the rest will take
 * TAIL_MS or longer. A silent lease is late after target_ms, as no lease is
 * meant to take longer; or earlier, after twice the time that the rest should
 * take at the holder's pace, as the holder may be doing all tasks at once.
 * Count and bytes must agree: a pace of small tasks says little of large
 * tasks. */
static bool
is_late(const struct dispatcher *d, const struct out *o)
{
	const struct pace *p = &d->holders[o->holder].pace;
	double age = (double)(d->now_ms - o->given_ms);
	double quiet = (double)(d->now_ms - o->result_ms);
	size_t done = o->count - o->left;

	if (age < TAIL_MS)
		return false;
	if (quiet < TAIL_MS)
		return age * (double)o->left / (double)MAX(done, (size_t)1) >=
		    TAIL_MS;
	if (quiet >= (double)d->limits.target_ms)
		return true;
	if (p->items_per_s <= 0)
		return false;
	return quiet >= 2000 * (double)o->left / p->items_per_s &&
	    quiet * p->bytes_per_s >= 2000 * o->bytes;
}

/* Take tasks of late leases for a holder that has no tasks. Begin at the end of
 * a lease: its holder begins those tasks last. */
static size_t
from_others(struct dispatcher *d, size_t count, uint64_t bytes, struct task **v)
{
	struct out *next;
	uint64_t sum = 0;
	size_t n = 0;

	for (struct out *o = d->oldest; o != NULL; o = next) {
		/* A lease without tasks in alone leaves the list. */
		next = o->younger;
		if (!is_late(d, o))
			continue;
		for (struct task *t = o->alone.tail; t != NULL;
		    t = o->alone.tail) {
			if (n == count || !fits(t, n, bytes, &sum))
				return n;
			unset_alone(d, t);
			v[n++] = t;
		}
	}
	return n;
}

size_t
dispatch_lease(struct dispatcher *d, unsigned holder, bool proven, size_t room,
    uint64_t now_ms, int64_t *ret_lease, struct task **v, size_t cap)
{
	struct holder *h = holder_of(d, holder);
	uint64_t bytes;
	size_t count, n;
	struct out *o;

	heard(d, h, now_ms);
	size(d, h, &count, &bytes);
	count = MIN(count, MIN(room, cap));
	h->careful = h->careful && h->tasks > 0;
	if (count == 0 || h->careful)
		return 0;
	n = from_queue(d, count, bytes, v);
	if (n == 0 && proven)
		n = from_careful(d, h, v);
	if (n == 0 && d->queued == 0 && d->no_more && h->tasks == 0)
		n = from_others(d, count, bytes, v);
	if (n == 0)
		return 0;
	if (h->tasks == 0)
		h->pace.since_ms = now_ms;
	o = out_new(d, holder, v, n);
	for (size_t i = 0; i < n; i++) {
		v[i]->leased++;
		if (v[i]->lease[0] == 0) {
			v[i]->lease[0] = o->id;
			set_alone(d, o, v[i]);
		} else {
			struct out *first = idmap_get(&d->outs,
			    v[i]->lease[0]);

			v[i]->lease[1] = o->id;
			d->holders[first->holder].shares = true;
			d->holders[holder].shares = true;
		}
	}
	*ret_lease = o->id;
	return n;
}

/* --- taking back --- */

struct task *
dispatch_find(struct dispatcher *d, int64_t lease, int64_t task)
{
	struct task *t = idmap_get(&d->tasks, task);

	if (t == NULL || lease <= 0)
		return NULL;
	if (t->lease[0] != 0)
		return t->lease[0] == lease || t->lease[1] == lease ? t : NULL;
	/* The task is queued: accept a lease that had the task and has
	 * ended. */
	return lease > t->born && lease <= d->last &&
	    idmap_get(&d->outs, lease) == NULL ? t : NULL;
}

/* The lease has a task less; its last task ends the lease. */
static void
out_less(struct dispatcher *d, int64_t lease, uint64_t bytes)
{
	struct out *o = idmap_get(&d->outs, lease);
	struct holder *h = &d->holders[o->holder];

	if (--h->tasks == 0)
		pace_pause(&h->pace, d->now_ms);
	o->bytes -= (double)bytes;
	if (--o->left == 0)
		out_free(d, o);
}

static void
take_out(struct dispatcher *d, struct task *t)
{
	if (t->lease[0] == 0) {
		unlink_task(queue_of(d, t), t);
		d->queued--;
	} else {
		unset_alone(d, t);
	}
	for (size_t i = 0; i < ARRAY_LEN(t->lease); i++)
		if (t->lease[i] != 0)
			out_less(d, t->lease[i], t->bytes);
	t->lease[0] = t->lease[1] = 0;
	idmap_remove(&d->tasks, t->id);
}

struct task *
dispatch_result(struct dispatcher *d, int64_t lease, int64_t task,
    uint64_t now_ms)
{
	struct task *t = dispatch_find(d, lease, task);
	struct out *o = idmap_get(&d->outs, lease);

	d->now_ms = now_ms;
	if (o != NULL)
		heard(d, &d->holders[o->holder], now_ms);
	if (t == NULL)
		return NULL;
	if (o != NULL) {
		struct pace *p = &d->holders[o->holder].pace;

		o->result_ms = now_ms;
		p->items++;
		p->bytes += (double)t->bytes;
	}
	take_out(d, t);
	return t;
}

bool
dispatch_let_go(struct dispatcher *d, int64_t lease, int64_t task)
{
	struct task *t = idmap_get(&d->tasks, task);

	if (t == NULL || t->lease[1] == 0 ||
	    (t->lease[0] != lease && t->lease[1] != lease))
		return false;
	if (t->lease[0] == lease)
		t->lease[0] = t->lease[1];
	t->lease[1] = 0;
	t->twice = false;
	out_less(d, lease, t->bytes);
	return true;
}

size_t
dispatch_late(const struct dispatcher *d, unsigned holder)
{
	size_t n = 0;

	if (holder >= d->holder_count)
		return 0;
	for (const struct out *o = d->holders[holder].outs; o != NULL;
	    o = o->next)
		if (is_late(d, o))
			n += o->left;
	return n;
}

/* No lease has the task now: queue the task. A careful task waits behind all
 * tasks that are not careful. */
static void
take_in(struct dispatcher *d, struct task *t)
{
	if (t->careful)
		push_tail(&d->careful, t);
	else
		push_head(&d->queue, t);
	d->queued++;
}

bool
dispatch_give_back(struct dispatcher *d, int64_t lease, int64_t task)
{
	struct task *t = idmap_get(&d->tasks, task);

	if (t == NULL || lease <= 0 || (t->lease[0] != lease &&
	    t->lease[1] != lease))
		return false;
	if (dispatch_let_go(d, lease, task))
		return true;
	unset_alone(d, t);
	t->lease[0] = 0;
	out_less(d, lease, t->bytes);
	t->leased--;
	take_in(d, t);
	return true;
}

/* End the lease, and call fn for each of its unresolved tasks. */
static void
out_end(struct dispatcher *d, struct out *o, void (*fn)(void *, struct task *),
    void *arg)
{
	for (size_t i = o->count; i-- > 0;) {
		struct task *t = idmap_get(&d->tasks, o->tasks[i]);

		if (t == NULL || (t->lease[0] != o->id &&
		    t->lease[1] != o->id))
			continue;
		unset_alone(d, t);
		if (t->lease[0] == o->id)
			t->lease[0] = t->lease[1];
		t->lease[1] = 0;
		if (fn != NULL)
			fn(arg, t);
		if (t->lease[0] != 0)
			set_alone(d, idmap_get(&d->outs, t->lease[0]), t);
		else
			take_in(d, t);
	}
	out_free(d, o);
}

void
dispatch_lost(struct dispatcher *d, unsigned holder,
    void (*fn)(void *, struct task *), void *arg)
{
	struct holder *h = holder_of(d, holder);

	while (h->outs != NULL)
		out_end(d, h->outs, fn, arg);
	h->tasks = 0;
	h->shares = false;
	h->pace.items = 0;
	h->pace.bytes = 0;
	h->pace.busy_ms = 0;
	gone(d, h);
}

/* --- questions --- */

size_t
dispatch_queued(const struct dispatcher *d)
{
	return d->queued;
}

size_t
dispatch_open(const struct dispatcher *d)
{
	return d->tasks.count;
}

void
dispatch_holding(const struct dispatcher *d, unsigned holder,
    size_t *ret_leases, size_t *ret_tasks)
{
	bool known = holder < d->holder_count;

	*ret_leases = known ? d->holders[holder].leases : 0;
	*ret_tasks = known ? d->holders[holder].tasks : 0;
}

bool
dispatch_shares(const struct dispatcher *d, unsigned holder)
{
	return holder < d->holder_count && d->holders[holder].shares;
}

struct task *
dispatch_take(struct dispatcher *d)
{
	struct task *t = idmap_any(&d->tasks);

	if (t != NULL)
		take_out(d, t);
	return t;
}
