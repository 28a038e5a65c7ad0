#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "report/progress.h"
#include "report/text.h"

#define REDRAW_MS	200
#define LINE_EVERY_MS	30000
#define SAMPLE_MS	500
#define SAMPLES		11	/* ten steps between them: five seconds */
#define WIDTH_DEFAULT	80

struct sample {
	uint64_t ms;
	uint64_t found;
	uint64_t done;			/* moved, or failed */
	uint64_t bytes;
};

struct progress {
	bool	 tty;
	bool	 begun;
	uint64_t drawn_ms;
	struct sample ring[SAMPLES];
	size_t	 next;			/* where the next sample goes */
	size_t	 count;
	struct {			/* the log's threads draw as well */
		pthread_mutex_t lock;
		char	 lines[2][200];
		bool	 shown;
	} locked;
};

struct rates {
	double	 found;			/* all of them a second */
	double	 done;
	double	 bytes;
};

static void
put(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static size_t
terminal_width(void)
{
	struct winsize w;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == -1 || w.ws_col == 0)
		return WIDTH_DEFAULT;
	return w.ws_col;
}

/* The cursor rests at the end of the area's last line. */
static void
erase_locked(struct progress *p)
{
	static const char text[] = "\r\033[K\033[1A\033[K";

	if (p->locked.shown)
		put(text, sizeof(text) - 1);
	p->locked.shown = false;
}

static void
draw_locked(struct progress *p)
{
	/* A full last column would make some terminals wrap. */
	int width = (int)MIN(terminal_width() - 1, (size_t)1000);
	struct buf b;

	if (p->locked.lines[0][0] == '\0')
		return;
	buf_init(&b, 8 * KIB);
	if (p->locked.shown)
		buf_addstr(&b, "\r\033[1A");
	buf_addf(&b, "\033[K%.*s\n\033[K%.*s", width, p->locked.lines[0],
	    width, p->locked.lines[1]);
	put(b.data, b.len);
	buf_release(&b);
	p->locked.shown = true;
}

static void
before_log(void *arg)
{
	struct progress *p = arg;

	pthread_mutex_lock(&p->locked.lock);
	erase_locked(p);
}

static void
after_log(void *arg)
{
	struct progress *p = arg;

	draw_locked(p);
	pthread_mutex_unlock(&p->locked.lock);
}

struct progress *
progress_new(bool tty)
{
	struct progress *p = xcalloc(1, sizeof(*p));

	p->tty = tty;
	pthread_mutex_init(&p->locked.lock, NULL);
	if (tty)
		log_set_hook(before_log, after_log, p);
	return p;
}

static void
add_sample(struct progress *p, const struct totals *t, uint64_t now_ms)
{
	const struct sample *last =
	    &p->ring[(p->next + SAMPLES - 1) % SAMPLES];

	if (p->count > 0 && now_ms < last->ms + SAMPLE_MS)
		return;
	p->ring[p->next] = (struct sample){ .ms = now_ms, .found = t->found,
		.done = t->moved + t->failed, .bytes = t->bytes };
	p->next = (p->next + 1) % SAMPLES;
	if (p->count < SAMPLES)
		p->count++;
}

/* Counters of a run that is continued may begin anew: no rate is below 0. */
static double
rate(uint64_t now, uint64_t then, double seconds)
{
	return now > then ? (double)(now - then) / seconds : 0;
}

static struct rates
measure(const struct progress *p, const struct totals *t, uint64_t now_ms)
{
	const struct sample *oldest =
	    &p->ring[(p->next + SAMPLES - p->count) % SAMPLES];
	double seconds;

	if (p->count == 0 || now_ms <= oldest->ms)
		return (struct rates){ 0, 0, 0 };
	seconds = (double)(now_ms - oldest->ms) / 1000;
	return (struct rates){
		.found = rate(t->found, oldest->found, seconds),
		.done = rate(t->moved + t->failed, oldest->done, seconds),
		.bytes = rate(t->bytes, oldest->bytes, seconds),
	};
}

/* What is left takes as long as the slower of its objects and its bytes. */
static void
describe_left(const struct totals *t, const struct rates *r, bool crawl_done,
    char *out, size_t len)
{
	uint64_t settled = t->moved + t->unchanged + t->failed + t->excluded;
	uint64_t left = t->found > settled ? t->found - settled : 0;
	uint64_t bytes = t->queued_bytes > t->bytes ?
	    t->queued_bytes - t->bytes : 0;
	char duration[32], count[32];
	double seconds = 0;

	if (!crawl_done) {
		snprintf(out, len, "still crawling");
		return;
	}
	text_count(left, count);
	if (r->done > 0)
		seconds = (double)left / r->done;
	if (r->bytes > 0)
		seconds = MAX(seconds, (double)bytes / r->bytes);
	if (left > 0 && seconds > 0)
		snprintf(out, len, "%s left: %s", count,
		    text_duration(seconds, duration));
	else
		snprintf(out, len, "%s left", count);
}

static void
format(const struct totals *t, const struct rates *r, bool crawl_done,
    char lines[2][200])
{
	char n[4][32], size[16], rates[2][48], left[96], byte_rate[32];

	snprintf(lines[0], 200, "crawled %s (%s directories)  moved %s  "
	    "failed %s", text_count(t->found, n[0]),
	    text_count(t->dirs, n[1]), text_count(t->moved, n[2]),
	    text_count(t->failed, n[3]));
	describe_left(t, r, crawl_done, left, sizeof(left));
	/* Until something moves, the crawl is what goes on. */
	if (t->moved + t->failed == 0)
		snprintf(rates[1], sizeof(rates[1]), "crawl %s",
		    text_object_rate(r->found, rates[0]));
	else
		text_object_rate(r->done, rates[1]);
	snprintf(lines[1], 200, "%s  %s  %s  %s", units_format(t->bytes, size),
	    text_byte_rate(r->bytes, byte_rate), rates[1], left);
}

void
progress_update(struct progress *p, const struct totals *t, bool crawl_done,
    uint64_t now_ms)
{
	uint64_t every;
	char lines[2][200];
	struct rates r;

	if (p == NULL)
		return;
	every = p->tty ? REDRAW_MS : LINE_EVERY_MS;
	if (!p->begun) {
		p->begun = true;
		p->drawn_ms = now_ms;
	}
	r = measure(p, t, now_ms);
	add_sample(p, t, now_ms);
	if (now_ms < p->drawn_ms + every)
		return;
	p->drawn_ms = now_ms;
	format(t, &r, crawl_done, lines);
	if (p->tty) {
		pthread_mutex_lock(&p->locked.lock);
		memcpy(p->locked.lines, lines, sizeof(lines));
		draw_locked(p);
		pthread_mutex_unlock(&p->locked.lock);
	} else {
		char line[500];
		int n = snprintf(line, sizeof(line), "datamover: %s  %s\n",
		    lines[0], lines[1]);

		put(line, (size_t)n);
	}
}

void
progress_end(struct progress **pp)
{
	struct progress *p = *pp;

	if (p == NULL)
		return;
	if (p->tty) {
		log_set_hook(NULL, NULL, NULL);
		pthread_mutex_lock(&p->locked.lock);
		erase_locked(p);
		pthread_mutex_unlock(&p->locked.lock);
	}
	pthread_mutex_destroy(&p->locked.lock);
	free(p);
	*pp = NULL;
}
