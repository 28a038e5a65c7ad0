/*
 * One thread for each client: the thread waits for its turn, logs in, starts
 * the program, hands over the invitation, and watches the program until the
 * program ends.
 */
#include <pthread.h>
#include <signal.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "launch/launch.h"

#define LOGINS_MAX	16	/* at once; and one to a host */
#define GAP_MS		10	/* between the starts of two */
#define AGAIN_MS	30000	/* so long a host is asked again */
#define BACKOFF_BASE_MS	200
#define BACKOFF_CAP_MS	3000
#define WATCH_MS	200	/* how soon a stop is seen */
#define LINE_MAX_BYTES	1024
#define LINES_A_MINUTE	1000U
#define INVITE_MAX	65536
#define STACK_BYTES	(1U << 20)
/* After the connections are closed: for a name server or an agent. */
#define LAST_MS		1000

struct launch_client {
	struct launch *l;
	unsigned client;
	char	*name;		/* as configured */
	char	 host[256];
	struct ssh_config ssh;
	char	 last[160];	/* line of standard error */
	uint64_t minute;	/* the minute of the line count */
	size_t	 lines;
	pthread_t thread;
	bool	 has_thread;
	bool	 logging_in;	/* locked */
	bool	 ended;		/* locked */
};

struct launch {
	struct launch_config c;
	struct launch_client *clients;
	size_t	 count;
	_Atomic bool stop;	/* start nothing more */
	_Atomic bool cut;	/* wait for nothing more */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct {
		unsigned logins;
		uint64_t last_ms;
		size_t	 threads;
		bool	 gone;	/* nobody reads the mail any more */
	} locked;
};

int
launch_parse_host(const char *text, char *host, size_t len,
    unsigned *ret_port, struct err *err)
{
	const char *colon = strrchr(text, ':');
	const char *end = text + strlen(text);
	const char *start = text;
	unsigned long port = 0;
	char *rest;

	if (*text == '[') {
		start++;
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return err_set(err, ERR_CONFIG, 0,
			    "'%s' is not HOST or HOST:PORT", text);
		colon = end[1] == ':' ? end + 1 : NULL;
	} else if (colon != NULL && strchr(text, ':') != colon) {
		colon = NULL;		/* an IPv6 address */
	} else if (colon != NULL) {
		end = colon;
	}
	if (colon != NULL) {
		port = strtoul(colon + 1, &rest, 10);
		if (colon[1] < '1' || colon[1] > '9' || *rest != '\0' ||
		    port > 65535)
			return err_set(err, ERR_CONFIG, 0,
			    "'%s' has no port from 1 to 65535", text);
	}
	if (end == start || (size_t)(end - start) >= len)
		return err_set(err, ERR_CONFIG, 0,
		    "'%s' is not HOST or HOST:PORT", text);
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	*ret_port = (unsigned)port;
	return 0;
}

static void
tell(struct launch_client *c, enum launch_event event, int status,
    const struct err *err)
{
	struct launch *l = c->l;
	struct launch_mail *mail = xcalloc(1, sizeof(*mail));

	mail->mail.type = MAIL_LAUNCH;
	mail->event = event;
	mail->client = c->client;
	mail->status = status;
	mail->err = *err;
	/* The mailbox may be freed when launch_free has returned. */
	pthread_mutex_lock(&l->lock);
	if (l->locked.gone)
		free(mail);
	else
		mailbox_put(l->c.up, &mail->mail);
	pthread_mutex_unlock(&l->lock);
}

/* --- taking turns --- */

static bool
host_is_busy_locked(const struct launch_client *c)
{
	const struct launch *l = c->l;

	for (size_t i = 0; i < l->count; i++)
		if (l->clients[i].logging_in &&
		    strcmp(l->clients[i].name, c->name) == 0)
			return true;
	return false;
}

static void
wait_locked(struct launch *l, uint64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

/* False: no turn comes any more. */
static bool
turn_take(struct launch_client *c)
{
	struct launch *l = c->l;

	pthread_mutex_lock(&l->lock);
	while (!l->stop) {
		uint64_t now = clock_mono_ms();
		uint64_t next = l->locked.last_ms + GAP_MS;

		if (l->locked.logins < LOGINS_MAX && !host_is_busy_locked(c)) {
			if (now >= next)
				break;
			wait_locked(l, next - now);
		} else {
			wait_locked(l, 1000);
		}
	}
	if (!l->stop) {
		l->locked.last_ms = clock_mono_ms();
		l->locked.logins++;
		c->logging_in = true;
	}
	pthread_mutex_unlock(&l->lock);
	return c->logging_in;
}

static void
turn_give(struct launch_client *c)
{
	struct launch *l = c->l;

	pthread_mutex_lock(&l->lock);
	if (c->logging_in) {
		c->logging_in = false;
		l->locked.logins--;
		pthread_cond_broadcast(&l->changed);
	}
	pthread_mutex_unlock(&l->lock);
}

static void
pause_ms(struct launch *l, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	pthread_mutex_lock(&l->lock);
	while (!l->stop && clock_mono_ms() < end)
		wait_locked(l, end - clock_mono_ms() + 1);
	pthread_mutex_unlock(&l->lock);
}

/* --- one client --- */

/* Logged in; RETRY is tried again until AGAIN_MS have gone. */
static struct ssh *
log_in(struct launch_client *c, struct err *err)
{
	struct launch *l = c->l;
	uint64_t start = 0, random;
	struct ssh *s = NULL;
	struct rng rng;

	random_bytes(&random, sizeof(random));
	rng_seed(&rng, random);
	for (unsigned attempt = 1;; attempt++) {
		if (!turn_take(c)) {
			err_set(err, ERR_STOPPED, 0, "stopped");
			return NULL;
		}
		if (start == 0)
			start = clock_mono_ms();
		if (ssh_open(&s, &c->ssh, err) == 0)
			return s;	/* its turn lasts a little longer */
		turn_give(c);
		if (err->kind != ERR_RETRY ||
		    clock_mono_ms() - start >= AGAIN_MS)
			return NULL;
		log_event(LOG_DEBUG, EVENT_LAUNCH_AGAIN,
		    LOG_WITH(LOG_SHOW_TEXT("client_host", c->name),
			LOG_TEXT("reason", err->msg)),
		    "%s", err->msg);
		pause_ms(l, backoff_ms(attempt, BACKOFF_BASE_MS,
		    BACKOFF_CAP_MS, rng_next(&rng)));
	}
}

static int
hand_over(struct launch_client *c, struct ssh *s, struct err *err)
{
	static const char nothing[INVITE_MAX];
	struct launch *l = c->l;
	struct buf text;
	int rc;

	/* The buffer must not grow while holding secrets: growth would leave
	 * copies. */
	buf_init(&text, INVITE_MAX);
	(void)buf_add(&text, nothing, sizeof(nothing));
	buf_clear(&text);
	l->c.invite(l->c.arg, c->client, ssh_local_address(s), &text);
	if (buf_overflowed(&text))
		rc = err_set(err, ERR_BUG, 0, "the invitation is too long");
	else
		rc = ssh_send(s, buf_str(&text), err);
	explicit_bzero(text.data, text.cap);
	buf_release(&text);
	return rc;
}

/* A log line of a client begins with its level, like a line of this process. */
static enum log_level
level_of(const char *line)
{
	static const char *const words[] = { "error ", "warn ", "info ",
	    "debug " };

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strncmp(line, words[i], strlen(words[i])) == 0)
			return (enum log_level)i;
	return LOG_INFO;
}

/* Limit the lines of a client: endless output must not drive everything else
 * out of the log. */
static bool
may_log(struct launch_client *c)
{
	uint64_t minute = clock_mono_ms() / 60000;

	if (minute != c->minute && c->lines > LINES_A_MINUTE)
		log_event(LOG_WARN, EVENT_CLIENT_SAYS,
		    LOG_WITH(LOG_SHOW_NUMBER("client", c->client),
			LOG_SHOW_TEXT("client_host", c->name)),
		    "%zu of its lines were dropped", c->lines - LINES_A_MINUTE);
	if (minute != c->minute)
		c->lines = 0;
	c->minute = minute;
	if (++c->lines == LINES_A_MINUTE + 1)
		log_event(LOG_WARN, EVENT_CLIENT_SAYS,
		    LOG_WITH(LOG_SHOW_NUMBER("client", c->client),
			LOG_SHOW_TEXT("client_host", c->name)),
		    "more than %u lines in a minute: the others are dropped",
		    LINES_A_MINUTE);
	return c->lines <= LINES_A_MINUTE;
}

static void
log_line(struct launch_client *c, char *line)
{
	static const char ours[] = "datamover: ";

	line[strcspn(line, "\r")] = '\0';
	if (strncmp(line, ours, sizeof(ours) - 1) == 0)
		line += sizeof(ours) - 1;
	if (*line == '\0')
		return;
	str_escape(str_of(line), c->last, sizeof(c->last));
	if (may_log(c))
		log_event(level_of(line), EVENT_CLIENT_SAYS,
		    LOG_WITH(LOG_SHOW_NUMBER("client", c->client),
			LOG_SHOW_TEXT("client_host", c->name)),
		    "%s", line);
}

/* Log the whole lines; with all set, also log the rest. */
static void
log_lines(struct launch_client *c, struct buf *b, bool all)
{
	char *start = b->data, *end;

	if (b->len == 0)
		return;
	for (;;) {
		end = memchr(start, '\n', b->len -
		    (size_t)(start - b->data));
		if (end == NULL)
			break;
		*end = '\0';
		log_line(c, start);
		start = end + 1;
	}
	b->len -= (size_t)(start - b->data);
	memmove(b->data, start, b->len + 1);
	if (b->len > 0 && (all || b->len >= LINE_MAX_BYTES)) {
		log_line(c, b->data);
		buf_clear(b);
	}
}

/* Log the program's output until the program ends, and return its exit
 * status. */
static int
watch(struct launch_client *c, struct ssh *s, bool end_it, int *ret_status,
    struct err *err)
{
	struct buf text;
	bool closed = false;
	int rc;

	buf_init(&text, 64 * KIB);
	for (;;) {
		if ((end_it || c->l->stop) && !closed) {
			closed = true;
			rc = ssh_send_eof(s, err);
			if (rc == -1)
				break;
		}
		/* Standard output carries no protocol: perhaps a greeting of
		 * the shell. */
		rc = ssh_wait(s, WATCH_MS, &text, &text, 32 * KIB, ret_status,
		    err);
		log_lines(c, &text, rc != 1);
		if (rc != 1)
			break;
	}
	buf_release(&text);
	return rc;
}

static void
explain(const struct launch_client *c, int status, struct err *err)
{
	const char *path = c->l->c.path;
	const char *colon = c->last[0] == '\0' ? "" : ": ";

	if (status == 127)
		err_set(err, ERR_CONFIG, 0, "%s is not there (path in "
		    "[client])%s%s", path, colon, c->last);
	else if (status == 126)
		err_set(err, ERR_CONFIG, 0, "%s cannot be run (path in "
		    "[client])%s%s", path, colon, c->last);
	else if (status > 128)
		err_set(err, ERR_PEER, 0, "ended by signal %d%s%s",
		    status - 128, colon, c->last);
	else if (status == -1)
		err_set(err, ERR_PEER, 0, "ended, nobody knows how%s%s", colon,
		    c->last);
	else if (status != 0)
		err_set(err, ERR_PEER, 0, "ended with exit status %d%s%s",
		    status, colon, c->last);
	else
		err_clear(err);
}

static void
run(struct launch_client *c)
{
	struct launch *l = c->l;
	const char *argv[] = { l->c.path, "client", NULL };
	struct err err = ERR_INIT, sent = ERR_INIT;
	struct ssh *s = log_in(c, &err);
	int status = -1, rc = -1;

	if (s != NULL && ssh_exec(s, argv, &err) == -1)
		ssh_close(&s);
	if (s != NULL)
		rc = hand_over(c, s, &sent);
	turn_give(c);
	if (s == NULL) {
		tell(c, LAUNCH_FAILED, -1, &err);
		return;
	}
	ssh_set_stop(s, &l->cut);
	if (rc == 0)
		tell(c, LAUNCH_STARTED, 0, &err);
	/* If the program didn't take the invitation, the program has ended: the
	 * exit status says more. */
	rc = watch(c, s, rc == -1, &status, &err);
	if (rc == 0)
		explain(c, status, &err);
	if (sent.kind == ERR_NONE)
		tell(c, LAUNCH_ENDED, status, &err);
	else
		tell(c, LAUNCH_FAILED, status, err.kind == ERR_NONE ? &sent :
		    &err);
	ssh_close(&s);
}

static void *
client_main(void *arg)
{
	struct launch_client *c = arg;
	struct launch *l = c->l;

	run(c);
	pthread_mutex_lock(&l->lock);
	c->ended = true;
	l->locked.threads--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static int
start_thread(struct launch_client *c, struct err *err)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int no;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	no = pthread_create(&c->thread, &attr, client_main, c);
	c->has_thread = no == 0;
	c->l->locked.threads += c->has_thread ? 1 : 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (no != 0)
		return err_errno(err, ERR_RESOURCE, no, "launch: thread");
	return 0;
}

static int
start_all(struct launch *l, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct launch_client *c = &l->clients[i];

		c->l = l;
		c->client = (unsigned)i + 1;
		c->name = xstrdup(l->c.hosts[i]);
		c->ssh = l->c.ssh;
		c->ssh.stop = &l->stop;
		c->ssh.host = c->host;
		if (launch_parse_host(c->name, c->host, sizeof(c->host),
		    &c->ssh.port, err) == -1)
			return err_wrap(err, "client host");
	}
	/* Hold the lock until every thread is started, so no thread sees a
	 * partial count. */
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->count && rc == 0; i++)
		rc = start_thread(&l->clients[i], err);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

int
launch_start(struct launch **ret, const struct launch_config *c,
    struct err *err)
{
	struct launch *l = xcalloc(1, sizeof(*l));
	pthread_condattr_t attr;

	l->c = *c;
	l->count = c->host_count;
	l->clients = xcalloc(l->count == 0 ? 1 : l->count,
	    sizeof(*l->clients));
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret = l;
	if (start_all(l, err) == 0)
		return 0;
	launch_free(ret, 0);
	return -1;
}

void
launch_stop(struct launch *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

/* Return the number of threads still running after at most limit_ms. */
static size_t
await_threads(struct launch *l, uint64_t limit_ms)
{
	uint64_t end = clock_mono_ms() + limit_ms;
	size_t left;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		uint64_t now = clock_mono_ms();

		left = l->locked.threads;
		if (left == 0 || now >= end)
			break;
		wait_locked(l, end - now);
	}
	pthread_mutex_unlock(&l->lock);
	return left;
}

/* Join the ended threads. Detach the threads held up in a library, and leave
 * their memory to them; return the number of detached threads. */
static size_t
part_with_threads(struct launch *l)
{
	size_t stuck;

	pthread_mutex_lock(&l->lock);
	stuck = l->locked.threads;
	l->locked.gone = true;
	for (size_t i = 0; i < l->count; i++) {
		struct launch_client *c = &l->clients[i];

		if (c->has_thread && !c->ended) {
			pthread_detach(c->thread);
			c->has_thread = false;
		}
	}
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < l->count; i++)
		if (l->clients[i].has_thread)
			pthread_join(l->clients[i].thread, NULL);
	if (stuck > 0)
		log_event(LOG_WARN, EVENT_LAUNCH_STUCK,
		    LOG_WITH(LOG_NUMBER("threads", stuck)),
		    "%zu threads that connect to clients hang: the program "
		    "ends without them",
		    stuck);
	return stuck;
}

void
launch_free(struct launch **lp, uint64_t limit_ms)
{
	struct launch *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	launch_stop(l);
	if (await_threads(l, limit_ms) > 0) {
		l->cut = true;
		(void)await_threads(l, LAST_MS);
	}
	if (part_with_threads(l) > 0)
		return;
	for (size_t i = 0; i < l->count; i++)
		free(l->clients[i].name);
	free(l->clients);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
