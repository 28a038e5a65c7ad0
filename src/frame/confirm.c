#include "frame/confirm.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

bool
confirm_needed(const struct job *job)
{
	return !job->yes && !job->dryrun;
}

int
confirm_possible(const struct job *job, const char *what, struct err *err)
{
	/* Input and messages are a terminal. */
	if (!confirm_needed(job) ||
	    (isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1))
		return 0;
	return err_set(err, ERR_USAGE, 0, "%s without --yes where nobody can "
	    "be asked: standard input is no terminal", what);
}

bool
confirm_yes(int signals)
{
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	char line[80];
	ssize_t n;

	while (poll(fds, ARRAY_LEN(fds), -1) == -1)
		if (errno != EINTR)
			return false;
	if (fds[1].revents != 0) {
		fputc('\n', stderr);
		return false;
	}
	/* A terminal gives a whole line at once. */
	n = read(STDIN_FILENO, line, sizeof(line));
	return n == 4 && memcmp(line, "yes\n", 4) == 0;
}
