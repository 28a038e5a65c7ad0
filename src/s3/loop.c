/*
 * Curl's sockets and curl's timer. Curl names the sockets to wait for, and the
 * loop acts on ready sockets only: with many requests in flight and few answers
 * at a time, curl_multi_perform would visit every request each turn. The
 * sockets stand in an array for poll(2), as changing an epoll set twice for
 * each request would cost more than an epoll set saves.
 */
#include "s3/s3_internal.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

#define NEVER	UINT64_MAX
#define HELD_MS	100	/* how often the gate is looked at */

/* Return true while the gate's time is over. Requests under way must not go on
 * either: a process thawed after a freeze would now send bytes long since sent
 * anew by another client. */
bool
s3_held(const struct s3 *s)
{
	return s->gate != NULL &&
	    !s3_gate_is_valid(s->gate, clock_mono_ms());
}

static short
events_of(int what)
{
	return (short)((what & CURL_POLL_IN ? POLLIN : 0) |
	    (what & CURL_POLL_OUT ? POLLOUT : 0));
}

/* Curl keeps with each socket the socket's place in the array, counted
 * from 1. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *place)
{
	struct s3 *s = arg;
	uintptr_t at = (uintptr_t)place;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (at == 0)
			return 0;
		curl_multi_assign(s->multi, fd, NULL);
		s->loop.fds[at - 1] = s->loop.fds[--s->loop.fd_count];
		if (at - 1 < s->loop.fd_count)
			curl_multi_assign(s->multi, s->loop.fds[at - 1].fd,
			    place);
		return 0;
	}
	if (at == 0) {
		if (s->loop.fd_count == s->loop.fd_cap) {
			s->loop.fd_cap = MAX(s->loop.fd_cap * 2, 16u);
			s->loop.fds = xreallocarray(s->loop.fds,
			    s->loop.fd_cap, sizeof(*s->loop.fds));
		}
		at = ++s->loop.fd_count;
		curl_multi_assign(s->multi, fd, (void *)at);
	}
	s->loop.fds[at - 1] = (struct pollfd){ .fd = fd,
	    .events = events_of(what) };
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct s3 *s = arg;

	(void)multi;
	s->loop.timer_ms = timeout_ms < 0 ? NEVER :
	    timeout_ms == 0 ? 0 : clock_mono_ms() + (uint64_t)timeout_ms;
	return 0;
}

int
s3_loop_init(struct s3 *s, struct err *err)
{
	s->loop.timer_ms = NEVER;
	s->loop.wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->loop.wakeup_fd == -1)
		return err_errno(err, ERR_RESOURCE, errno, "eventfd");
	curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
	curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
	return 0;
}

/* Call after the end of the multi handle: closing the handle removes
 * sockets. */
void
s3_loop_release(struct s3 *s)
{
	close_fd(&s->loop.wakeup_fd);
	free(s->loop.fds);
	free(s->loop.all);
}

void
s3_loop_run_timer(struct s3 *s)
{
	int running;

	if (s->loop.timer_ms > s->now_ms || s3_held(s))
		return;
	s->loop.timer_ms = NEVER;
	curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

/* Gather the descriptors in one array: the wakeup, the caller's, and fd_count
 * of curl's. */
static unsigned
gather(struct s3 *s, const struct pollfd *extra, unsigned extra_count,
    unsigned fd_count)
{
	unsigned n = 1 + extra_count + fd_count;

	if (n > s->loop.all_cap) {
		s->loop.all_cap = n * 2;
		s->loop.all = xreallocarray(s->loop.all, s->loop.all_cap,
		    sizeof(*s->loop.all));
	}
	s->loop.all[0] = (struct pollfd){ .fd = s->loop.wakeup_fd,
	    .events = POLLIN };
	if (extra_count > 0)
		memcpy(s->loop.all + 1, extra, extra_count * sizeof(*extra));
	if (fd_count > 0)
		memcpy(s->loop.all + 1 + extra_count, s->loop.fds,
		    fd_count * sizeof(*s->loop.fds));
	return n;
}

static void
act(struct s3 *s, const struct pollfd *p)
{
	int what = 0, running;

	if (p->revents & (POLLIN | POLLHUP))
		what |= CURL_CSELECT_IN;
	if (p->revents & POLLOUT)
		what |= CURL_CSELECT_OUT;
	if (p->revents & (POLLERR | POLLNVAL))
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(s->multi, p->fd, what, &running);
}

void
s3_loop_poll(struct s3 *s, struct pollfd *extra, unsigned extra_count,
    int timeout_ms)
{
	bool wait = s3_held(s);
	unsigned n = gather(s, extra, extra_count, wait ? 0 :
	    s->loop.fd_count);
	uint64_t timer = wait ? s->now_ms + HELD_MS : s->loop.timer_ms;
	uint64_t left = timer <= s->now_ms ? 0 : timer - s->now_ms;
	eventfd_t ignored;
	int ready;

	if (left < (uint64_t)timeout_ms)
		timeout_ms = (int)left;
	ready = poll(s->loop.all, n, timeout_ms);
	for (unsigned i = 0; i < extra_count; i++)
		extra[i].revents = ready > 0 ? s->loop.all[1 + i].revents : 0;
	if (ready <= 0)
		return;
	if (s->loop.all[0].revents != 0)
		(void)eventfd_read(s->loop.wakeup_fd, &ignored);
	for (unsigned i = 1 + extra_count; i < n; i++)
		if (s->loop.all[i].revents != 0 && !s3_held(s))
			act(s, &s->loop.all[i]);
}

void
s3_wakeup(struct s3 *s)
{
	(void)eventfd_write(s->loop.wakeup_fd, 1);
}
