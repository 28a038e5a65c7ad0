#include "frame/ended.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "db/view.h"
#include "metrics/metrics.h"

#define TURN_MS		200	/* how often to look at signals */
#define GRACE_MS	2000	/* from SIGTERM to SIGKILL */
#define OUTPUT_MAX	((size_t)256 * KIB)	/* of the program's */

/* --- the file of figures --- */

/* The last attempt of each operation that has ended. */
static const char last_attempts[] =
    "SELECT r.operation, CAST(strftime('%s', r.ended) AS INTEGER), "
    "coalesce(r.exit_status, -1), (SELECT CAST(strftime('%s', max(s.ended)) "
    "AS INTEGER) FROM runs s WHERE s.operation = r.operation AND "
    "s.exit_status = 0) FROM runs r WHERE r.run IN (SELECT max(run) FROM runs "
    "WHERE ended IS NOT NULL GROUP BY operation) ORDER BY r.operation";

struct lasts {
	size_t	 count;
	struct metrics_last v[METRICS_LAST_MAX];
};

static bool
take_last(void *arg, size_t columns UNUSED, const char *const *names UNUSED,
    const struct value *row)
{
	struct lasts *l = arg;
	struct metrics_last *last = &l->v[l->count];

	if (row == NULL || l->count == METRICS_LAST_MAX)
		return true;
	l->count++;
	str_escape(row[0].bytes, last->operation, sizeof(last->operation));
	last->attempt_sec = row[1].integer;
	last->status = (int)row[2].integer;
	last->success_sec = row[3].integer;
	return true;
}

/* A catalog that can't be read leaves this attempt alone. An attempt that did
 * not get the catalog has no row: it is the last one all the same. */
static void
find_lasts(struct lasts *l, const struct conf *c, const struct summary *s)
{
	int64_t now = clock_wall_ns() / 1000000000;
	struct catalog_view *view = NULL;
	struct metrics_last *own;
	size_t i = 0;

	memset(l, 0, sizeof(*l));
	if (catalog_view_open(&view, c->catalog.path, NULL) == 0 &&
	    catalog_query(view, last_attempts, take_last, l, NULL) == -1)
		l->count = 0;
	catalog_view_close(&view);
	while (i < l->count && strcmp(l->v[i].operation,
	    op_name(s->op)) != 0)
		i++;
	if (i == METRICS_LAST_MAX)
		return;
	own = &l->v[i];
	l->count = MAX(l->count, i + 1);
	snprintf(own->operation, sizeof(own->operation), "%s",
	    op_name(s->op));
	own->attempt_sec = MAX(own->attempt_sec, now);
	own->status = s->status;
	if (s->status == 0)
		own->success_sec = MAX(own->success_sec, now);
}

static void
write_metrics(const struct conf *c, const struct ended *e)
{
	const struct summary *s = e->summary;
	const struct metrics_values values = {
		.operation = op_name(s->op),
		.started_sec = e->started_sec,
		.totals = s->totals,
		.crawl_done = s->status == 0,
		.requests = e->stats.s3.requests,
		.retries = e->stats.s3.retries,
		.slowdowns = e->stats.s3.slowdowns,
		.bytes_sent = e->stats.s3.bytes_sent,
		.bytes_received = e->stats.s3.bytes_received,
		.bytes_read = e->stats.bytes_read,
	};
	struct err err = ERR_INIT;
	struct lasts lasts;

	find_lasts(&lasts, c, s);
	if (metrics_write(c->general.metrics_file, &values, s->seconds,
	    lasts.v, lasts.count, &err) == -1)
		log_event(LOG_WARN, EVENT_METRICS_FILE,
		    LOG_WITH(LOG_TEXT("reason", err.msg)), "%s", err.msg);
}

/* --- the program --- */

/* No secret of this process gets into the environment of the program. */
static void
make_environment(char **env, size_t max)
{
	static const char *const kept[] = { "PATH=", "HOME=", "USER=",
	    "LOGNAME=", "LANG=", "LC_ALL=", "TZ=", "TMPDIR=" };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		for (char **e = environ; *e != NULL && n + 1 < max; e++)
			if (strncmp(*e, kept[i], strlen(kept[i])) == 0)
				env[n++] = *e;
	env[n] = NULL;
}

/* Start the program with these files as its standard input and output. Return 0
 * or an errno. */
static int
start(const char *path, int in, int out, pid_t *ret_pid)
{
	char *args[] = { (char *)(uintptr_t)path, NULL }, *env[16];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, usual;
	int rc;

	make_environment(env, ARRAY_LEN(env));
	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGXFSZ);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &usual);
	rc = posix_spawn(ret_pid, path, &files, &attributes, args, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return rc;
}

struct program {
	pid_t	 pid;
	int	 pidfd;
	int	 out;		/* what it prints; nonblocking; -1: the end */
	size_t	 printed;
};

/* Pass on what it prints, to standard error: the last line of standard output
 * is ours. What is too much for a journal is read and left out. */
static void
pass_on(struct program *p)
{
	char part[4096];
	ssize_t n = 1;

	/* A turn ends, though a program may print without end. */
	for (int i = 0; i < 64 && p->out != -1 && n > 0; i++) {
		size_t room = OUTPUT_MAX - MIN(p->printed, OUTPUT_MAX);

		n = read(p->out, part, sizeof(part));
		if (n == 0)
			close_fd(&p->out);
		if (n <= 0)
			continue;
		write_all(STDERR_FILENO, part, MIN((size_t)n, room));
		if (room > 0 && (size_t)n >= room)
			fprintf(stderr, "\n(what the program prints beyond "
			    "%zu KiB is left out)\n", OUTPUT_MAX / KIB);
		p->printed += (size_t)n;
	}
}

/* True if it has ended within the time. A signal to us ends the waiting. */
static bool
ends_within(struct program *p, uint64_t limit_ms, bool signals)
{
	uint64_t end_ms = clock_mono_ms() + limit_ms, now;

	while ((now = clock_mono_ms()) < end_ms &&
	    !(signals && signals_waiting())) {
		struct pollfd fds[] = { { .fd = p->pidfd, .events = POLLIN },
		    { .fd = p->out, .events = POLLIN } };
		int n = poll(fds, ARRAY_LEN(fds), (int)MIN(end_ms - now,
		    (uint64_t)TURN_MS));

		pass_on(p);
		if (n > 0 && fds[0].revents != 0)
			return true;
	}
	return false;
}

/* Wait for the end of the program; it is ended, with what it has started, when
 * its time is over. */
static int
wait_for(struct program *p, unsigned limit_s, struct err *err)
{
	bool over = !ends_within(p, limit_s * UINT64_C(1000), true);
	int status = 0;

	if (over) {
		kill(-p->pid, SIGTERM);
		ends_within(p, GRACE_MS, false);
		kill(-p->pid, SIGKILL);
	}
	while (waitpid(p->pid, &status, 0) == -1 && errno == EINTR)
		;
	if (over)
		return err_set(err, ERR_STOPPED, 0, signals_waiting() ?
		    "ended, as a signal came" : "ended after %u s, its time "
		    "limit (after_run_timeout)", limit_s);
	if (WIFSIGNALED(status))
		return err_set(err, ERR_STOPPED, 0, "killed by signal %d",
		    WTERMSIG(status));
	return WEXITSTATUS(status) == 0 ? 0 : err_set(err, ERR_STOPPED, 0,
	    "exit status %d", WEXITSTATUS(status));
}

static int
run_program(const struct conf *c, struct str json, struct err *err)
{
	struct program p = { .pidfd = -1, .out = -1 };
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int rc;

	if (pipe2(in, O_CLOEXEC) == -1 || pipe2(out, O_CLOEXEC) == -1)
		rc = err_errno(err, ERR_RESOURCE, errno, "pipe");
	else
		rc = start(c->general.after_run, in[0], out[1], &p.pid);
	if (rc > 0)
		rc = err_errno(err, ERR_CONFIG, rc, "it can't be started");
	/* Far below what a pipe holds: nobody needs to read it. */
	if (rc == 0)
		write_all(in[1], json.p, json.len);
	close_fd(&in[0]);
	close_fd(&in[1]);
	close_fd(&out[1]);
	if (rc == 0) {
		p.pidfd = pidfd_open(p.pid, 0);
		p.out = out[0];
		out[0] = -1;
		fcntl(p.out, F_SETFL, O_NONBLOCK);
		rc = wait_for(&p, c->general.after_run_timeout, err);
	}
	close_fd(&p.pidfd);
	close_fd(&p.out);
	close_fd(&out[0]);
	return rc;
}

void
run_ended(const struct conf *c, const struct ended *e)
{
	CLEANUP(buf_release) struct buf json;
	struct err err = ERR_INIT;

	buf_init(&json, 32 * KIB);
	if (c->general.metrics_file != NULL)
		write_metrics(c, e);
	if (c->general.after_run == NULL)
		return;
	summary_add_json(&json, e->summary, e->error);
	if (run_program(c, buf_str(&json), &err) == -1)
		log_event(LOG_WARN, EVENT_AFTER_RUN,
		    LOG_WITH(LOG_TEXT("program", c->general.after_run),
			LOG_TEXT("reason", err.msg)),
		    "%s: %s", c->general.after_run, err.msg);
}
