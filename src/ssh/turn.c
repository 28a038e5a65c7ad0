/* A turn of a call on an open session: wait for input, report a fault. And the
 * user's home directory, for the files of SSH. */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include "base/clock.h"
#include "ssh/ssh_internal.h"

#define SLICE_MS	200	/* how soon a stop is seen */

/* Return -1 when the time is over: STOPPED, or RETRY naming the missing
 * answer. */
static int
in_time(const struct ssh *s, const char *what, struct err *err)
{
	if (s->stop != NULL && *s->stop)
		return err_set(err, ERR_STOPPED, 0, "stopped");
	if (clock_mono_ms() >= s->deadline_ms)
		return err_set(err, ERR_RETRY, ETIMEDOUT,
		    "%s: no answer within %llu s", what,
		    (unsigned long long)((s->limit_ms + 999) / 1000));
	return 0;
}

int
ssh_turn(const struct ssh *s, const char *what, struct err *err)
{
	struct pollfd p = { .fd = ssh_get_fd(s->session), .events = POLLIN };
	uint64_t now = clock_mono_ms();
	uint64_t left;

	if (in_time(s, what, err) == -1)
		return -1;
	left = s->deadline_ms > now ? s->deadline_ms - now : 0;
	if (ssh_get_poll_flags(s->session) & SSH_WRITE_PENDING)
		p.events |= POLLOUT;
	/* A signal ends the wait early, without harm to the caller. */
	(void)poll(&p, 1, (int)MIN(left, (uint64_t)SLICE_MS));
	return 0;
}

int
ssh_fault(const struct ssh *s, enum err_kind kind, const char *what,
    struct err *err)
{
	char text[160];

	return err_set(err, kind, 0, "%s: %s", what,
	    str_escape(str_of(ssh_get_error(s->session)), text, sizeof(text)));
}

void
ssh_home(char *out, size_t len)
{
	struct passwd entry, *found = NULL;
	char room[4096];

	out[0] = '\0';
	if (getpwuid_r(geteuid(), &entry, room, sizeof(room), &found) == 0 &&
	    found != NULL)
		snprintf(out, len, "%s", found->pw_dir);
}
