#include "base/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Signals belong to the process, and so does the descriptor. */
static int signals_fd = -1;

int
signals_block(struct err *err)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a file too large is an error */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd == -1)
		return err_errno(err, ERR_RESOURCE, errno, "signalfd");
	signals_fd = fd;
	return fd;
}

bool
signals_wait(int timeout_ms)
{
	struct pollfd fd = { .fd = signals_fd, .events = POLLIN };

	return poll(&fd, 1, timeout_ms) == 1;
}

bool
signals_waiting(void)
{
	return signals_wait(0);
}

int
signals_next(int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return 0;
	return (int)si.ssi_signo;
}
