/*
 * dispatch.c: what the dispatcher alone costs the master, in ns for each task
 * that is added, leased and resolved, with so many open at a time.
 */
#include "base/backoff.h"
#include "base/clock.h"
#include "lease/dispatch.h"

#define TASKS	2000000
#define CLIENTS	16
#define ROOM	1024

static const struct dispatch_limits LIMITS = {
	.max_count = 1000, .max_bytes = UINT64_MAX, .target_ms = 10000,
};

struct hand {
	int64_t	 lease;
	int64_t	 task;
};

static double
cost(struct task *tasks, struct hand *hand, size_t open)
{
	struct dispatcher *d = dispatch_new(&LIMITS);
	size_t added = 0, resolved = 0, held = 0;
	uint64_t ns = clock_mono_ns();
	struct task *v[ROOM];
	struct rng rng;

	rng_seed(&rng, 1);
	for (unsigned turn = 0; resolved < TASKS; turn++) {
		uint64_t now_ms = turn;
		int64_t lease;
		size_t n;

		for (; added < TASKS && dispatch_open(d) < open; added++) {
			tasks[added] = (struct task){ .id = (int64_t)added,
			    .bytes = 1000, .twice = true };
			dispatch_add(d, &tasks[added]);
		}
		n = dispatch_lease(d, turn % CLIENTS, true, ROOM, now_ms,
		    &lease, v, ROOM);
		for (size_t i = 0; i < n; i++)
			hand[held++] = (struct hand){ lease, v[i]->id };
		/* Half of what is out, in any order. */
		for (n = MIN(held, (size_t)ROOM); n > 0 &&
		    (held > open / 2 || added == TASKS); n--) {
			size_t i = rng_next(&rng) % held;

			if (dispatch_result(d, hand[i].lease, hand[i].task,
			    now_ms) != NULL)
				resolved++;
			hand[i] = hand[--held];
		}
	}
	ns = clock_mono_ns() - ns;
	dispatch_free(&d);
	return (double)ns / TASKS;
}

int
main(void)
{
	static const size_t open[] = { 1000, 10000, 100000, 1000000 };
	struct task *tasks = xcalloc(TASKS, sizeof(*tasks));
	struct hand *hand = xcalloc(TASKS, sizeof(*hand));

	printf("%10s  %s\n", "open", "ns a task");
	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		printf("%10zu  %.0f\n", open[i], cost(tasks, hand, open[i]));
	free(tasks);
	free(hand);
	return 0;
}
