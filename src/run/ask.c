#include "run/ask.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

bool
ask_can(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

bool
ask_yes(const char *text, int signals)
{
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	char line[80];
	ssize_t n;

	fputs(text, stderr);
	fflush(stderr);
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
