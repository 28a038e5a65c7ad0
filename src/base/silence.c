#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/silence.h"

#define LIMIT_MS	5000
/* A failed request is sent again within this time: the silence of the server
 * goes on from one request to the next. */
#define PAUSE_MS	15000

struct silence {
	struct silence *next;
	char	*name;
	_Atomic bool watched;
	_Atomic size_t open;		/* requests */
	_Atomic uint64_t since_ms;	/* the last sign of life, or the first
					   request after a pause */
	_Atomic uint64_t ended_ms;	/* the last request */
	_Atomic bool failing;		/* it was not answered */
	_Atomic bool told;
};

static struct {
	pthread_mutex_t lock;
	struct silence *first;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct silence *
silence_of(const char *name)
{
	struct silence *s;

	pthread_mutex_lock(&all.lock);
	for (s = all.first; s != NULL; s = s->next)
		if (strcmp(s->name, name) == 0)
			break;
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->name = xstrdup(name);
		s->next = all.first;
		all.first = s;
	}
	pthread_mutex_unlock(&all.lock);
	return s;
}

/* Was the last request left without an answer, a moment ago? */
static bool
goes_on(struct silence *s, uint64_t now_ms)
{
	return s->failing && now_ms < s->ended_ms + PAUSE_MS;
}

void
silence_begin(struct silence *s, uint64_t now_ms)
{
	if (s->open++ == 0 && !goes_on(s, now_ms))
		s->since_ms = now_ms;
}

void
silence_end(struct silence *s, bool answered, uint64_t now_ms)
{
	s->ended_ms = now_ms;
	if (answered)
		silence_heard(s, now_ms);
	else
		s->failing = true;
	s->open--;
}

void
silence_heard(struct silence *s, uint64_t now_ms)
{
	uint64_t since = s->since_ms;

	s->since_ms = now_ms;
	s->failing = false;
	if (!s->told || !atomic_exchange(&s->told, false))
		return;
	log_event(LOG_WARN, EVENT_ANSWERS,
	    LOG_WITH(LOG_TEXT("server", s->name),
		LOG_NUMBER("seconds", (now_ms - since) / 1000)),
	    "%s answers again, after %ju s", s->name,
	    (uintmax_t)(now_ms - since) / 1000);
}

void
silence_look(struct silence *s, uint64_t now_ms)
{
	uint64_t since = s->since_ms;

	if (s->told || now_ms < since + LIMIT_MS ||
	    (s->open == 0 && !goes_on(s, now_ms)) ||
	    atomic_exchange(&s->told, true))
		return;
	log_event(LOG_WARN, EVENT_WAITING,
	    LOG_WITH(LOG_TEXT("server", s->name),
		LOG_NUMBER("seconds", (now_ms - since) / 1000)),
	    "for %s, which has not answered for %ju s", s->name,
	    (uintmax_t)(now_ms - since) / 1000);
}

struct silence *
silence_of_directory(const char *path)
{
	AUTOFREE char *name = xasprintf("directory %s", path);
	struct silence *s = silence_of(name);

	s->watched = true;
	return s;
}

void
silence_watch(uint64_t now_ms)
{
	struct silence *s;

	pthread_mutex_lock(&all.lock);
	s = all.first;
	pthread_mutex_unlock(&all.lock);
	/* Structs are only ever put in front. */
	for (; s != NULL; s = s->next)
		if (s->watched)
			silence_look(s, now_ms);
}

struct watch {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool	 over;
};

static void *
watch_main(void *arg)
{
	struct watch *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->over) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&w->changed, &w->lock, &until);
		silence_watch(clock_mono_ms());
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

void
silence_call(void (*fn)(void *), void *arg)
{
	struct watch w = { .lock = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER };
	pthread_t thread;
	bool watched = pthread_create(&thread, NULL, watch_main, &w) == 0;

	fn(arg);
	pthread_mutex_lock(&w.lock);
	w.over = true;
	pthread_cond_signal(&w.changed);
	pthread_mutex_unlock(&w.lock);
	if (watched)
		pthread_join(thread, NULL);
}
