#include <math.h>
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
#define STEADY_MS	60000	/* over which the time left is reckoned */
#define WIDTH_DEFAULT	80
#define HEIGHT_DEFAULT	24
#define RUN_LINES	2
#define CLIENT_LINES	20		/* at most, and one for the others */
#define LINES		(RUN_LINES + CLIENT_LINES + 1)
#define LINE_LEN	240

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
	uint64_t begun_ms;
	struct sample last;		/* of the update before */
	struct {			/* a mean of about STEADY_MS */
		double	 done;
		double	 bytes;
	} steady;
	struct sample ring[SAMPLES];
	size_t	 next;			/* where the next sample goes */
	size_t	 count;
	struct client_line *clients;
	size_t	 client_count;
	struct {			/* the log's threads draw as well */
		pthread_mutex_t lock;
		char	 lines[LINES][LINE_LEN];
		size_t	 count;		/* of lines to be shown */
		size_t	 shown;		/* of lines on the screen */
	} locked;
};

struct rates {
	double	 found;			/* all of them a second */
	double	 done;
	double	 bytes;
};

static void
terminal_size(size_t *ret_width, size_t *ret_height)
{
	struct winsize w;
	bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0;

	*ret_width = known && w.ws_col > 0 ? w.ws_col : WIDTH_DEFAULT;
	*ret_height = known && w.ws_row > 0 ? w.ws_row : HEIGHT_DEFAULT;
}

/* The cursor rests at the end of the area's last line. */
static void
erase_locked(struct progress *p)
{
	static const char line[] = "\r\033[K", up[] = "\033[1A\033[K";

	if (p->locked.shown > 0)
		write_all(STDERR_FILENO, line, sizeof(line) - 1);
	for (; p->locked.shown > 1; p->locked.shown--)
		write_all(STDERR_FILENO, up, sizeof(up) - 1);
	p->locked.shown = 0;
}

static void
draw_locked(struct progress *p)
{
	size_t width, height, count = p->locked.count;
	struct buf b;

	if (count == 0)
		return;
	terminal_size(&width, &height);
	/* What is higher than the screen could not be taken away again. */
	if (count > RUN_LINES)
		count = MAX(MIN(count, height - 1), (size_t)RUN_LINES);
	if (p->locked.shown > count)
		erase_locked(p);
	buf_init(&b, 64 * KIB);
	if (p->locked.shown > 0)
		buf_addch(&b, '\r');
	if (p->locked.shown > 1)
		buf_addf(&b, "\033[%zuA", p->locked.shown - 1);
	/* A full last column would make some terminals wrap. */
	for (size_t i = 0; i < count; i++)
		buf_addf(&b, "%s\033[K%.*s", i == 0 ? "" : "\n",
		    text_fit(p->locked.lines[i], width - 1),
		    p->locked.lines[i]);
	write_all(STDERR_FILENO, b.data, b.len);
	buf_release(&b);
	p->locked.shown = count;
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

/* Add the time since the last update to the steady rates: the mean since the
 * beginning at first, later one in which older times count less and less. The
 * rates of a few seconds would make the time left jump. */
static void
steady(struct progress *p, const struct totals *t, uint64_t now_ms)
{
	struct sample now = { .ms = now_ms, .done = t->moved + t->failed,
	    .bytes = t->bytes };
	double step = (double)(now_ms - p->last.ms), share;

	if (step > 0) {
		share = step / (double)MIN(now_ms - p->begun_ms,
		    (uint64_t)STEADY_MS);
		share = MIN(share, 1.0);
		p->steady.done += share * (rate(now.done, p->last.done,
		    step / 1000) - p->steady.done);
		p->steady.bytes += share * (rate(now.bytes, p->last.bytes,
		    step / 1000) - p->steady.bytes);
	}
	p->last = now;
}

/* What is done, of objects or of bytes: of which less is done. */
static double
percent_done(const struct totals *t, uint64_t left)
{
	double objects = t->found == 0 ? 1 :
	    1 - (double)left / (double)t->found;
	double bytes = t->queued_bytes == 0 ? 1 :
	    (double)t->bytes / (double)t->queued_bytes;

	/* 100 % is for the end. */
	return MIN(99.0, floor(100 * MIN(objects, bytes)));
}

/* The remaining work takes as long as the slower of the remaining objects
 * and bytes. */
static void
describe_left(const struct progress *p, const struct totals *t,
    bool crawl_done, char *out, size_t len)
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
	if (left == 0) {
		snprintf(out, len, "%s left", count);
		return;
	}
	if (p->steady.done > 0)
		seconds = (double)left / p->steady.done;
	if (p->steady.bytes > 0)
		seconds = MAX(seconds, (double)bytes / p->steady.bytes);
	snprintf(out, len, "%.0f %%  %s left%s%s", percent_done(t, left),
	    count, seconds > 0 ? ": " : "", seconds > 0 ?
	    text_duration(seconds, duration) : "");
}

static void
format(const struct progress *p, const struct totals *t,
    const struct rates *r, bool crawl_done, char lines[RUN_LINES][LINE_LEN])
{
	char n[4][32], size[16], rates[2][48], left[96], byte_rate[32];

	snprintf(lines[0], LINE_LEN, "crawled %s (%s director%s)  moved %s  "
	    "failed %s", text_count(t->found, n[0]),
	    text_count(t->dirs, n[1]), t->dirs == 1 ? "y" : "ies",
	    text_count(t->moved, n[2]),
	    text_count(t->failed, n[3]));
	describe_left(p, t, crawl_done, left, sizeof(left));
	/* Until the first object is moved, show the rate of the crawl. */
	if (t->moved + t->failed == 0)
		snprintf(rates[1], sizeof(rates[1]), "crawl %s",
		    text_object_rate(r->found, rates[0]));
	else
		text_object_rate(r->done, rates[1]);
	snprintf(lines[1], LINE_LEN, "%s  %s  %s  %s",
	    units_format(t->bytes, size), text_byte_rate(r->bytes, byte_rate),
	    rates[1], left);
}

void
progress_clients(struct progress *p, const struct client_line *v,
    size_t count)
{
	if (p == NULL)
		return;
	count = MIN(count, (size_t)CLIENTS_SHOWN_MAX);
	p->clients = xreallocarray(p->clients, count + 1,
	    sizeof(*p->clients));
	if (count > 0)
		memcpy(p->clients, v, count * sizeof(*v));
	p->client_count = count;
}

/* "  host1  working  3 leases, 120 items  41.2 MiB/s  812 objects/s", and why
 * if it doesn't work. */
static void
format_client(const struct client_line *c, char line[LINE_LEN])
{
	char host[40], reason[120], rate[32], objects[48], failed[32];
	int pad;

	str_escape(str_of(c->host), host, sizeof(host));
	pad = text_pad(host, 16);
	str_escape(str_of(c->reason), reason, sizeof(reason));
	if (reason[0] != '\0' || strcmp(c->state, "launching") == 0)
		snprintf(line, LINE_LEN, "  %s%*s %-9s %s", host, pad, "",
		    c->state, reason);
	else
		snprintf(line, LINE_LEN, "  %s%*s %-9s %ju leases, %ju items  "
		    "%s  %s  failed %s  heard %ju s ago", host, pad, "",
		    c->state,
		    (uintmax_t)c->leases, (uintmax_t)c->items,
		    text_byte_rate(c->bytes_per_s, rate),
		    text_object_rate(c->items_per_s, objects),
		    text_count(c->failed, failed),
		    (uintmax_t)(c->heard_ms / 1000));
}

/* "3 working, 1 lost": states in the order of the first client in each
 * state. */
static void
count_states(const struct client_line *v, size_t count, char *out, size_t len)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		size_t same = 0, first = 0;
		int n;

		while (strcmp(v[first].state, v[i].state) != 0)
			first++;
		if (first < i)
			continue;
		for (size_t k = i; k < count; k++)
			same += strcmp(v[k].state, v[i].state) == 0;
		n = snprintf(out + used, len - used, "%s%zu %s",
		    used == 0 ? "" : ", ", same, v[i].state);
		used = MIN(used + (size_t)MAX(n, 0), len - 1);
	}
}

static size_t
format_clients(const struct progress *p, char lines[][LINE_LEN])
{
	size_t n = p->client_count, shown = MIN(n, (size_t)CLIENT_LINES);
	size_t width, height;
	char states[160];

	terminal_size(&width, &height);
	/* Leave room for the lines of the run and for the line that counts
	 * the hidden clients. */
	if (n > 0 && n + RUN_LINES + 1 > height)
		shown = MIN(shown, height > RUN_LINES + 2 ?
		    height - RUN_LINES - 2 : 0);
	for (size_t i = 0; i < shown; i++)
		format_client(&p->clients[i], lines[i]);
	if (shown == n)
		return n;
	count_states(p->clients + shown, n - shown, states, sizeof(states));
	snprintf(lines[shown], LINE_LEN, "  and %zu more: %s", n - shown,
	    states);
	return shown + 1;
}

/* Off a terminal. */
static void
print_lines(const struct progress *p, char lines[RUN_LINES][LINE_LEN])
{
	char line[2 * LINE_LEN + 300], states[160];
	int n = snprintf(line, sizeof(line), "datamover: %s  %s\n", lines[0],
	    lines[1]);

	if (p->client_count > 0) {
		count_states(p->clients, p->client_count, states,
		    sizeof(states));
		n += snprintf(line + n, sizeof(line) - (size_t)n,
		    "datamover: clients: %s\n", states);
	}
	write_all(STDERR_FILENO, line, (size_t)n);
}

void
progress_update(struct progress *p, const struct totals *t, bool crawl_done,
    uint64_t now_ms)
{
	uint64_t every;
	char lines[LINES][LINE_LEN];
	struct rates r;
	size_t count;

	if (p == NULL)
		return;
	every = p->tty ? REDRAW_MS : LINE_EVERY_MS;
	if (!p->begun) {
		p->begun = true;
		p->drawn_ms = p->begun_ms = now_ms;
		p->last.ms = now_ms;
		p->last.done = t->moved + t->failed;
		p->last.bytes = t->bytes;
	}
	steady(p, t, now_ms);
	r = measure(p, t, now_ms);
	add_sample(p, t, now_ms);
	if (now_ms < p->drawn_ms + every)
		return;
	p->drawn_ms = now_ms;
	format(p, t, &r, crawl_done, lines);
	if (!p->tty) {
		print_lines(p, lines);
		return;
	}
	count = RUN_LINES + format_clients(p, lines + RUN_LINES);
	pthread_mutex_lock(&p->locked.lock);
	memcpy(p->locked.lines, lines, count * sizeof(lines[0]));
	p->locked.count = count;
	draw_locked(p);
	pthread_mutex_unlock(&p->locked.lock);
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
	free(p->clients);
	free(p);
	*pp = NULL;
}
