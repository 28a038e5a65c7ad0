/*
 * main.c: plays histories and says which went wrong.
 *
 *	model [--seeds N] [--first K] [--seconds S] [--workers N]
 *	    [--failures N] [FILE ...]
 *	model --seed K | --replay FILE [--verbose] [--no-shrink]
 *
 * with --program and --preload where those aren't in build. The histories in
 * the files come first. Ends with "N passed, N failed". A history that failed
 * is played again with fewer steps, as long as it fails in the same way, and
 * is printed then.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "model.h"


static struct {
	pthread_mutex_t lock;
	struct {
		int	 invariant;	/* -1: none */
		char	 text[400];
	} locked;
} bad = { .lock = PTHREAD_MUTEX_INITIALIZER, .locked = { .invariant = -1 } };

/* What the workers share. */
static struct shared {
	atomic_ulong next;
	atomic_ulong passed;
	atomic_ulong failed;
	atomic_ulong runs;
} *shared;

static struct {
	const char *program;
	const char *preload;
	unsigned long seeds;
	unsigned long first;
	unsigned long seconds;
	long	 workers;
	unsigned long failures;	/* then there is enough to look at */
	bool	 shrink;
	uint64_t end_ms;
	char	**files;
	unsigned long file_count;
} o = { .seeds = 1000, .first = 1, .failures = 5, .shrink = true };

void
breach(int invariant, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&bad.lock);
	if (bad.locked.invariant == -1) {
		bad.locked.invariant = invariant;
		va_start(ap, fmt);
		vsnprintf(bad.locked.text, sizeof(bad.locked.text), fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&bad.lock);
}

int
breach_invariant(void)
{
	int n;

	pthread_mutex_lock(&bad.lock);
	n = bad.locked.invariant;
	pthread_mutex_unlock(&bad.lock);
	return n;
}

bool
breached(void)
{
	return breach_invariant() != -1;
}

const char *
breach_text(void)
{
	return bad.locked.text;
}

void
breach_clear(void)
{
	bad.locked.invariant = -1;
	bad.locked.text[0] = '\0';
}

static void
show(const struct step *s)
{
	struct history one = { .count = 1, .steps = { *s } };
	struct buf b;

	if (!w.verbose)
		return;
	buf_init(&b, 64 * KIB);
	history_text(&one, &b);
	printf("  %s", strchr(b.data, '\n') + 1);
	buf_release(&b);
}

/* Nothing changes where the tree is another one, or below the place of what
 * isn't mounted. */
static bool
is_idle(const struct step *s)
{
	const struct step_kind *k = kind_of(s);

	if (k->type != STEP_TREE)
		return false;
	for (int i = 0; i < FIELDS_MAX && k->fields[i].name != NULL; i++)
		if (str_ends(str_of(k->fields[i].name), STR("dir")) &&
		    is_away(s->v[i]))
			return true;
	return w.root_away;
}

/* The invariant that it breaks, or -1. */
static int
play(const struct history *h)
{
	world_begin(&h->set);
	for (size_t i = 0; i < h->count && !breached(); i++) {
		show(&h->steps[i]);
		if (!is_idle(&h->steps[i]))
			kind_of(&h->steps[i])->play(h->steps[i].v);
	}
	if (!breached())
		play_quiet();
	return breach_invariant();
}

/* It breaks the same invariant, at least in one of two tries: threads don't
 * always take their turns in the same order. */
static bool
fails_so(const struct history *h, int invariant)
{
	return play(h) == invariant || play(h) == invariant;
}

static void
without(struct history *to, const struct history *from, size_t at, size_t n)
{
	*to = *from;
	memmove(&to->steps[at], &to->steps[at + n],
	    (from->count - at - n) * sizeof(to->steps[0]));
	to->count -= n;
}

static bool
shrink_steps(struct history *h, int invariant)
{
	bool any = false;
	struct history less;

	for (size_t n = h->count / 2; n >= 1; n /= 2)
		for (size_t i = 0; i + n <= h->count;) {
			without(&less, h, i, n);
			if (fails_so(&less, invariant)) {
				*h = less;
				any = true;
			} else {
				i += n;
			}
		}
	return any;
}

static bool
shrink_field(struct history *h, int *field, int invariant)
{
	int kept = *field;

	if (kept == 0)
		return false;
	*field = 0;
	if (fails_so(h, invariant))
		return true;
	*field = kept;
	return false;
}

static void
shrink(struct history *h, int invariant)
{
	bool any = true;

	w.verbose = false;
	for (int turn = 0; any && turn < 4; turn++) {
		any = shrink_steps(h, invariant);
		any |= shrink_field(h, &h->set.nfs, invariant);
		any |= shrink_field(h, &h->set.coarse, invariant);
		any |= shrink_field(h, &h->set.volume, invariant);
		any |= shrink_field(h, &h->set.versioned, invariant);
		any |= shrink_field(h, &h->set.unshown, invariant);
		for (size_t i = 0; i < h->count; i++)
			for (int f = 0; f < FIELDS_MAX; f++)
				any |= shrink_field(h, &h->steps[i].v[f],
				    invariant);
	}
}

static void
tell(const struct history *h, const char *how)
{
	struct buf b;

	buf_init(&b, 64 * KIB);
	history_text(h, &b);
	printf("FAIL %s: invariant %d: %s\n%s:\n%s", h->name,
	    breach_invariant(), breach_text(), how, b.data);
	fflush(stdout);
	buf_release(&b);
}

static bool
try(struct history *h)
{
	int invariant = play(h);
	struct history small = *h;
	int again;

	if (invariant == -1)
		return true;
	if (!o.shrink) {
		tell(h, "the history");
		return false;
	}
	fprintf(stderr, "%s: invariant %d: %s\n", h->name, invariant,
	    breach_text());
	shrink(&small, invariant);
	again = play(&small);
	if (again == -1)
		again = play(&small);
	if (again == -1) {
		breach(invariant, "not every time");
		small = *h;
	}
	tell(&small, "the fewest steps (in a file: model --replay FILE)");
	return false;
}

static void
work(void)
{
	struct history h;

	world_init(o.program, o.preload);
	while (clock_mono_ms() < o.end_ms &&
	    atomic_load(&shared->failed) < o.failures) {
		unsigned long k = atomic_fetch_add(&shared->next, 1);

		if (k >= o.file_count + o.seeds)
			break;
		if (k >= o.file_count)
			history_draw(&h, o.first + k - o.file_count);
		else if (history_read(&h, o.files[k]) == -1)
			exit(2);
		if (try(&h))
			atomic_fetch_add(&shared->passed, 1);
		else
			atomic_fetch_add(&shared->failed, 1);
	}
	world_end();
}

static int
play_all(void)
{
	uint64_t begun = clock_mono_ms();
	int bad_workers = 0;

	if (geteuid() != 0)
		printf("model: not root: nothing is mounted, and modes "
		    "keep nobody out\n");
	o.end_ms = o.seconds == 0 ? UINT64_MAX :
	    clock_mono_ms() + o.seconds * 1000;
	for (long i = 0; i < o.workers; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			work();
			fflush(stdout);
			_exit(0);
		}
	}
	for (long i = 0; i < o.workers; i++) {
		int status = 0;

		if (wait(&status) == -1 || status != 0)
			bad_workers++;
	}
	if (bad_workers > 0)
		printf("%d workers ended badly\n", bad_workers);
	printf("model: histories from seed %lu on, in %lu s\n", o.first,
	    (unsigned long)(clock_mono_ms() - begun) / 1000);
	printf("%lu passed, %lu failed\n", atomic_load(&shared->passed),
	    atomic_load(&shared->failed));
	return bad_workers == 0 && atomic_load(&shared->failed) == 0 &&
	    atomic_load(&shared->passed) > 0 ? 0 : 1;
}

static int
play_one(struct history *h)
{
	bool ok;

	world_init(o.program, o.preload);
	ok = try(h);
	world_end();
	printf("%d passed, %d failed\n", ok, !ok);
	return ok ? 0 : 1;
}

static void
usage(void)
{
	fputs("usage: model [--seeds N] [--first K] [--seconds S] "
	    "[--workers N] [--failures N]\n"
	    "           [FILE ...]\n"
	    "       model --seed K | --replay FILE [--verbose] "
	    "[--no-shrink]\n"
	    "both with --program FILE, --preload FILE\n", stderr);
	exit(2);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", 1, NULL, 'n' }, { "first", 1, NULL, 'k' },
		{ "seconds", 1, NULL, 's' }, { "workers", 1, NULL, 'w' },
		{ "failures", 1, NULL, 'f' },
		{ "seed", 1, NULL, 'S' }, { "replay", 1, NULL, 'r' },
		{ "verbose", 0, NULL, 'v' }, { "no-shrink", 0, NULL, 'x' },
		{ "program", 1, NULL, 'p' }, { "preload", 1, NULL, 'l' },
		{ NULL, 0, NULL, 0 }
	};
	struct history h = { .count = 0 };
	bool one = false;
	int c;

	o.workers = sysconf(_SC_NPROCESSORS_ONLN);
	o.program = "build/datamover";
	o.preload = "build/model/preload.so";
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			o.seeds = strtoul(optarg, NULL, 10);
			break;
		case 'k':
			o.first = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			o.failures = strtoul(optarg, NULL, 10);
			break;
		case 's':
			o.seconds = strtoul(optarg, NULL, 10);
			break;
		case 'w':
			o.workers = strtol(optarg, NULL, 10);
			break;
		case 'S':
			history_draw(&h, strtoul(optarg, NULL, 10));
			one = true;
			break;
		case 'r':
			if (history_read(&h, optarg) == -1)
				return 2;
			one = true;
			break;
		case 'v':
			w.verbose = true;
			break;
		case 'x':
			o.shrink = false;
			break;
		case 'p':
			o.program = optarg;
			break;
		case 'l':
			o.preload = optarg;
			break;
		default:
			usage();
		}
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	o.files = argv + optind;
	o.file_count = (unsigned long)(argc - optind);
	return one ? play_one(&h) : play_all();
}
