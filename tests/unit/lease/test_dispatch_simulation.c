/*
 * Random histories of a dispatcher and its clients, with a clock of their own:
 * clients come, die (seen at once or by silence), freeze, thaw late and come
 * back; results come late, twice, for leases that were taken back, and for
 * things that never were. A model that keeps everything says after each step
 * what must hold.
 *
 * A failure prints its seed; SEED=n in the environment plays that history
 * alone, HISTORIES=n plays so many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "lease/dispatch.h"

#define CLIENTS		7
#define TASKS		160
#define LEASES		4096
#define LETTERS		8192
#define ROOM		48
#define STEPS		600
#define SILENCE_MS	5000

/* What the model knows of a task. */
struct thing {
	struct task task;
	unsigned added;		/* how often: an id may be used again */
	bool	 open;
	unsigned leased;
	int64_t	 out[8];	/* leases that it is out under */
	unsigned out_count;
	unsigned counted;	/* results that counted */
	unsigned taken;
};

/* A lease, for ever. */
struct given {
	unsigned client;
	bool	 open;
	size_t	 count;
	size_t	 left;
	int64_t	 tasks[ROOM];
	unsigned added[ROOM];	/* which life of the task */
};

/* A result that is written, or on the way. */
struct letter {
	int64_t	 lease;
	int64_t	 task;
	unsigned client;
};

struct client {
	bool	 alive;
	bool	 frozen;
	bool	 known;		/* the master has not lost it */
	uint64_t heard_ms;
	struct letter hand[LETTERS]; /* work in hand */
	size_t	 hand_count;
};

static struct world {
	uint64_t seed;
	struct rng rng;
	uint64_t now;
	struct dispatch_limits limits;
	struct dispatcher *dispatcher;
	bool	 no_more;
	struct thing things[TASKS];
	size_t	 thing_count;
	struct given given[LEASES];
	int64_t	 last;		/* lease */
	struct client clients[CLIENTS];
	struct letter post[LETTERS]; /* results on their way */
	size_t	 post_count;
	size_t	 counted, late, twice, dropped;
} w;

/* Over all histories: each way must have been gone. */
static size_t all_counted, all_late, all_twice, all_dropped, all_silent,
    all_duplicates;

#define CHECK(what) do {						\
	if (!(what)) {							\
		fprintf(stderr, "SEED=%llu line %d: %s\n",		\
		    (unsigned long long)w.seed, __LINE__, #what);	\
		fail();							\
	}								\
} while (0)

static size_t
below(size_t n)
{
	return (size_t)(rng_next(&w.rng) % n);
}

static bool
chance(size_t percent)
{
	return below(100) < percent;
}

/* --- the model --- */

static bool
is_out(const struct thing *t, int64_t lease)
{
	for (unsigned i = 0; i < t->out_count; i++)
		if (t->out[i] == lease)
			return true;
	return false;
}

static void
not_out(struct thing *t, int64_t lease)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->out_count; i++)
		if (t->out[i] != lease)
			t->out[n++] = t->out[i];
	t->out_count = n;
}

/* The task was given under this lease, in its present life. */
static bool
was_under(const struct thing *t, int64_t lease)
{
	const struct given *g;

	if (lease <= 0 || lease > w.last)
		return false;
	g = &w.given[lease];
	for (size_t i = 0; i < g->count; i++)
		if (g->tasks[i] == t->task.id && g->added[i] == t->added)
			return true;
	return false;
}

static bool
must_count(const struct thing *t, int64_t lease)
{
	if (!t->open || !was_under(t, lease))
		return false;
	return is_out(t, lease) ||
	    (!w.given[lease].open && t->out_count == 0);
}

static void
model_closed(struct thing *t)
{
	for (unsigned i = 0; i < t->out_count; i++) {
		struct given *g = &w.given[t->out[i]];

		CHECK(g->left > 0);
		if (--g->left == 0)
			g->open = false;
	}
	t->out_count = 0;
	t->open = false;
}

static void
model_lost(unsigned client)
{
	w.clients[client].known = false;
	for (int64_t l = 1; l <= w.last; l++) {
		struct given *g = &w.given[l];

		if (!g->open || g->client != client)
			continue;
		g->open = false;
		g->left = 0;
		for (size_t i = 0; i < g->count; i++)
			not_out(&w.things[g->tasks[i]], l);
	}
}

static void
check(void)
{
	size_t open = 0, queued = 0, leases[CLIENTS] = { 0 },
	    left[CLIENTS] = { 0 };

	for (size_t i = 0; i < w.thing_count; i++) {
		const struct thing *t = &w.things[i];

		open += t->open;
		queued += t->open && t->out_count == 0;
		CHECK(t->out_count <= 2);
		CHECK(t->counted + t->taken + t->open == t->added);
		CHECK(t->task.leased == t->leased);
	}
	CHECK(dispatch_open(w.dispatcher) == open);
	CHECK(dispatch_queued(w.dispatcher) == queued);
	for (int64_t l = 1; l <= w.last; l++) {
		if (!w.given[l].open)
			continue;
		leases[w.given[l].client]++;
		left[w.given[l].client] += w.given[l].left;
	}
	for (unsigned c = 0; c < CLIENTS; c++) {
		size_t l, n;

		dispatch_holding(w.dispatcher, c, &l, &n);
		CHECK(l == leases[c] && n == left[c]);
	}
}

/* --- what happens --- */

static void
add_task(void)
{
	struct thing *t = NULL;

	/* At times an id that was used before. */
	if (w.thing_count > 0 && chance(15))
		t = &w.things[below(w.thing_count)];
	if (t == NULL || t->open) {
		if (w.thing_count == TASKS)
			return;
		t = &w.things[w.thing_count];
		t->task.id = (int64_t)w.thing_count++;
	}
	t->task.bytes = chance(10) ? 0 : chance(5) ? UINT64_MAX :
	    below(chance(20) ? 2000 : 200);
	t->task.twice = chance(80);
	t->open = true;
	t->added++;
	dispatch_add(w.dispatcher, &t->task);
}

static void
check_lease(unsigned c, size_t room, struct task **v, size_t n)
{
	bool from_queue = dispatch_queued(w.dispatcher) > 0;
	uint64_t sum = 0;

	CHECK(n <= room && n <= w.limits.max_count);
	for (size_t i = 0; i < n; i++) {
		struct thing *t = &w.things[v[i]->id];

		CHECK(v[i] == &t->task && t->open);
		sum += MIN(v[i]->bytes, w.limits.max_bytes + 1);
		from_queue = from_queue || t->out_count == 0;
	}
	CHECK(n == 1 || sum <= w.limits.max_bytes);
	for (size_t i = 0; i < n; i++) {
		struct thing *t = &w.things[v[i]->id];

		if (from_queue) {
			CHECK(t->out_count == 0);
			continue;
		}
		all_duplicates++;
		CHECK(w.no_more && t->task.twice && t->out_count == 1);
		CHECK(w.given[t->out[0]].client != c);
	}
}

static void
ask(unsigned c)
{
	struct client *cl = &w.clients[c];
	size_t room = below(ROOM + 1), n;
	struct task *v[ROOM];
	int64_t lease = 0;
	struct given *g;

	if (!cl->alive || cl->frozen || w.last + 1 >= LEASES)
		return;
	n = dispatch_lease(w.dispatcher, c, true, room, w.now, &lease, v, ROOM);
	cl->known = true;
	cl->heard_ms = w.now;
	CHECK(n <= ROOM);
	if (n == 0)
		return;
	CHECK(lease > w.last);
	check_lease(c, room, v, n);
	CHECK(lease < LEASES);
	w.last = lease;
	g = &w.given[lease];
	*g = (struct given){ .client = c, .open = true, .count = n,
	    .left = n };
	for (size_t i = 0; i < n; i++) {
		struct thing *t = &w.things[v[i]->id];

		g->tasks[i] = v[i]->id;
		g->added[i] = t->added;
		t->out[t->out_count++] = lease;
		t->leased++;
		CHECK(cl->hand_count < LETTERS);
		cl->hand[cl->hand_count++] = (struct letter){ lease,
		    v[i]->id, c };
	}
}

/* The master reads a result. */
static void
deliver(struct letter p)
{
	struct thing *t = &w.things[p.task];
	bool must = must_count(t, p.lease), late = !is_out(t, p.lease);
	struct task *found = dispatch_find(w.dispatcher, p.lease, p.task), *got;

	CHECK(found == (must ? &t->task : NULL));
	if (p.lease > 0 && p.lease <= w.last && w.given[p.lease].open) {
		w.clients[w.given[p.lease].client].known = true;
		w.clients[w.given[p.lease].client].heard_ms = w.now;
	}
	got = dispatch_result(w.dispatcher, p.lease, p.task, w.now);
	CHECK(got == found);
	if (!must) {
		w.dropped++;
		return;
	}
	w.late += late;
	w.twice += t->out_count == 2;
	model_closed(t);
	t->counted++;
	w.counted++;
}

static void
post(struct letter p)
{
	if (w.post_count < LETTERS)
		w.post[w.post_count++] = p;
}

/* A client ends something that it has in hand. */
static void
work(unsigned c)
{
	struct client *cl = &w.clients[c];
	struct letter p;
	size_t i;

	if (!cl->alive || cl->frozen || cl->hand_count == 0)
		return;
	i = below(cl->hand_count);
	p = cl->hand[i];
	cl->hand[i] = cl->hand[--cl->hand_count];
	if (chance(70))
		deliver(p);
	else
		post(p);
	if (chance(5))
		post(p);	/* twice */
}

static void
read_post(void)
{
	struct letter p;
	size_t i;

	if (w.post_count == 0)
		return;
	i = below(w.post_count);
	p = w.post[i];
	w.post[i] = w.post[--w.post_count];
	deliver(p);
}

/* What no client that works would say. */
static void
nonsense(void)
{
	struct letter p = {
		.lease = (int64_t)below((size_t)w.last + 3) - 1,
		.task = (int64_t)below(TASKS),
	};
	const struct thing *t = &w.things[p.task];

	/* An ended lease that the task was never under, while it is queued:
	 * only a list of all leases could tell. */
	if (p.lease > 0 && p.lease <= w.last && !w.given[p.lease].open &&
	    t->out_count == 0 && !was_under(t, p.lease))
		return;
	deliver(p);
}

static void
lose(unsigned c)
{
	dispatch_lost(w.dispatcher, c, NULL, NULL);
	model_lost(c);
}

static void
die(unsigned c)
{
	struct client *cl = &w.clients[c];

	if (!cl->alive)
		return;
	cl->alive = false;
	cl->hand_count = 0;
	if (chance(50))
		lose(c);	/* its connection is reset */
}

/* A new process: it knows nothing of the old one's work. Its connection says
 * that the old one has gone. */
static void
come(unsigned c)
{
	struct client *cl = &w.clients[c];

	if (cl->alive)
		return;
	lose(c);
	cl->alive = true;
	cl->frozen = false;
}

static void
beat(unsigned c)
{
	struct client *cl = &w.clients[c];

	if (!cl->alive || cl->frozen)
		return;
	dispatch_heard(w.dispatcher, c, w.now);
	cl->known = true;
	cl->heard_ms = w.now;
}

/* Clients that were silent for too long are lost: by the rule of the caller. */
static void
look_for_silent(void)
{
	for (unsigned c = 0; c < CLIENTS; c++) {
		size_t leases, tasks;

		dispatch_holding(w.dispatcher, c, &leases, &tasks);
		if (leases == 0 || w.now - w.clients[c].heard_ms < SILENCE_MS)
			continue;
		all_silent++;
		lose(c);
	}
}

static void
step(void)
{
	unsigned c = (unsigned)below(CLIENTS);
	size_t what = below(100);

	w.now += below(chance(5) ? 8000 : 400);
	if (what < 14) {
		for (size_t n = below(12); n > 0; n--)
			add_task();
	} else if (what < 34) {
		ask(c);
	} else if (what < 64) {
		for (size_t n = below(12); n > 0; n--)
			work(c);
	} else if (what < 70) {
		read_post();
	} else if (what < 80) {
		beat(c);
	} else if (what < 85) {
		look_for_silent();
	} else if (what < 88) {
		die(c);
	} else if (what < 93) {
		come(c);
	} else if (what < 95) {
		w.clients[c].frozen = true;
	} else if (what < 98) {
		w.clients[c].frozen = false;
	} else {
		nonsense();
	}
}

/* All are well again, and nothing comes any more: it must end. */
static void
finish(void)
{
	size_t rounds = 0;

	w.no_more = true;
	dispatch_no_more(w.dispatcher, true);
	for (unsigned c = 0; c < CLIENTS; c++) {
		w.clients[c].frozen = false;
		if (chance(50))
			come(c);
	}
	come(0);
	while (dispatch_open(w.dispatcher) > 0) {
		CHECK(rounds++ < 20000);
		w.now += 100 + below(500);
		for (unsigned c = 0; c < CLIENTS; c++) {
			ask(c);
			if (chance(c == 1 ? 3 : 50))	/* one is slow */
				work(c);
			beat(c);
			check();
		}
		read_post();
		look_for_silent();
		/* The model has room for so many leases. */
		CHECK(w.last + CLIENTS < LEASES);
	}
	CHECK(dispatch_take(w.dispatcher) == NULL);
}

/* The run is stopped: each open task comes out once. */
static void
break_off(void)
{
	struct task *t;

	while ((t = dispatch_take(w.dispatcher)) != NULL) {
		struct thing *th = &w.things[t->id];

		CHECK(t == &th->task && th->open);
		model_closed(th);
		th->taken++;
		check();
	}
}

static void
history(uint64_t seed)
{
	size_t steps;

	memset(&w, 0, sizeof(w));
	w.seed = seed;
	rng_seed(&w.rng, seed);
	w.now = 1000 + below(100000);
	w.limits = (struct dispatch_limits){
		.max_count = 1 + below(ROOM), .max_bytes = 1 + below(3000),
		.target_ms = 1000 + below(10000),
	};
	w.dispatcher = dispatch_new(&w.limits);
	steps = STEPS / 2 + below(STEPS / 2);
	for (size_t i = 0; i < steps; i++) {
		/* The catalog may find more after all (a retry). */
		if (chance(1)) {
			w.no_more = !w.no_more;
			dispatch_no_more(w.dispatcher, w.no_more);
		}
		step();
		check();
	}
	if (chance(80))
		finish();
	else
		break_off();
	check();
	while (w.post_count > 0)
		read_post();
	for (unsigned c = 0; c < CLIENTS; c++)
		dispatch_lost(w.dispatcher, c, NULL, NULL);
	dispatch_free(&w.dispatcher);
	all_counted += w.counted;
	all_late += w.late;
	all_twice += w.twice;
	all_dropped += w.dropped;
}

static uint64_t
env(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s == NULL ? otherwise : strtoull(s, NULL, 10);
}

static void
test_histories(void **state UNUSED)
{
	uint64_t seed = env("SEED", 0), n = env("HISTORIES", 2000);

	if (seed != 0) {
		history(seed);
		return;
	}
	for (seed = 1; seed <= n; seed++)
		history(seed);
	fprintf(stderr, "counted %zu, of them late %zu, done twice %zu; "
	    "dropped %zu; silent %zu; second holders %zu\n", all_counted,
	    all_late, all_twice, all_dropped, all_silent, all_duplicates);
	if (n < 100)
		return;
	assert_true(all_late > 0 && all_twice > 0 && all_dropped > 0 &&
	    all_silent > 0 && all_duplicates > 0);
}

int
main(void)
{
	const struct CMUnitTest list[] = {
		cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests(list, NULL, NULL);
}
