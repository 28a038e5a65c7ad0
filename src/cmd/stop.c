/*
 * stop: asks the run that holds the catalog to end, and waits for the end.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/jsontext.h"
#include "cmd/cmd.h"
#include "db/holder.h"
#include "report/text.h"

#define LIMIT_MS	120000	/* it should take seconds */
#define SAY_EVERY_MS	5000
#define AGAIN_MS	500	/* equal signals that wait are one */

struct stop {
	const char *path;	/* of the catalog */
	bool	 json;
	bool	 now;
	int	 pidfd;
	int64_t	 pid;		/* 0: none is running */
	double	 seconds;
};

/* Gone before the signal is gone too. */
static int
ask(const struct stop *s, struct err *err)
{
	if (pidfd_send_signal(s->pidfd, SIGTERM, NULL, 0) == 0 ||
	    errno == ESRCH)
		return 0;
	return err_errno(err, ERR_DENIED, errno, "process %jd",
	    (intmax_t)s->pid);
}

/* 1: it has ended; 0: the limit has passed. */
static int
wait_for_end(struct stop *s, struct err *err)
{
	struct pollfd fd = { .fd = s->pidfd, .events = POLLIN };
	uint64_t began = clock_mono_ms(), said = began, now = began;
	char duration[32];

	while (now - began < LIMIT_MS) {
		if (poll(&fd, 1, AGAIN_MS) == 1) {
			s->seconds = (double)(clock_mono_ms() - began) / 1000;
			return 1;
		}
		now = clock_mono_ms();
		if (s->now && ask(s, err) == -1)
			return -1;
		if (now - said < SAY_EVERY_MS)
			continue;
		said = now;
		fprintf(stderr, "datamover: stop: process %jd has not yet "
		    "ended after %s%s\n", (intmax_t)s->pid, text_duration(
		    (double)(now - began) / 1000, duration), s->now ? "" :
		    " (--now: what is on the way is broken off)");
	}
	s->seconds = (double)(now - began) / 1000;
	return 0;
}

static void
say(const struct stop *s, bool ended)
{
	char duration[32];
	struct buf b;

	if (s->json) {
		buf_init(&b, 64 * KIB);
		buf_addstr(&b, "{\"catalog\":");
		buf_add_json(&b, str_of(s->path));
		if (s->pid > 0)
			buf_addf(&b, ",\"pid\":%jd", (intmax_t)s->pid);
		buf_addf(&b, ",\"stopped\":%s,\"running\":%s,"
		    "\"seconds\":%.3f}\n", s->pid > 0 && ended ? "true" :
		    "false", ended ? "false" : "true", s->seconds);
		fputs(b.data, stdout);
		buf_release(&b);
	} else if (s->pid == 0) {
		puts("no run is going on");
	} else if (ended) {
		printf("the run of process %jd has ended after %s\n",
		    (intmax_t)s->pid, text_duration(s->seconds, duration));
	} else {
		printf("the run of process %jd has not ended after %s\n",
		    (intmax_t)s->pid, text_duration(s->seconds, duration));
	}
}

static int
stop(const struct options *o, int *ret_status, struct err *err)
{
	struct stop s = { .json = o->job.json, .now = o->now, .pidfd = -1 };
	AUTOFREE char *path = NULL;
	int rc, ended = 1;

	if (cmd_find_catalog(o, &path, err) == -1)
		return -1;
	s.path = path;
	rc = catalog_holder(path, &s.pidfd, &s.pid, err);
	if (rc == 0)
		s.pid = 0;
	if (rc == 1) {
		rc = ask(&s, err);
		if (rc == 0)
			ended = wait_for_end(&s, err);
		close_fd(&s.pidfd);
	}
	if (rc == -1 || ended == -1)
		return -1;
	say(&s, ended == 1);
	*ret_status = ended == 1 ? EXIT_DONE : EXIT_FAILED;
	return 0;
}

int
cmd_stop(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct options o;
	int status;

	if (cmd_begin(&o, VERB_STOP, argc, argv, &status) &&
	    stop(&o, &status, &err) == -1)
		status = cmd_error("stop", &err);
	options_release(&o);
	return status;
}
