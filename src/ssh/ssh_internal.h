/*
 * ssh_internal.h: what the files of ssh/ share. The session never blocks in
 * libssh: a call says SSH_AGAIN, and ssh_turn waits, within the limit.
 */
#ifndef SSH_SSH_INTERNAL_H
#define SSH_SSH_INTERNAL_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include "ssh/ssh.h"

struct ssh {
	ssh_session session;
	ssh_channel channel;	/* of the program, or NULL */
	struct ssh_channel_callbacks_struct calls;
	const _Atomic bool *stop;
	uint64_t limit_ms;	/* of one call */
	uint64_t deadline_ms;	/* of the call that waits now */
	char	 address[64];	/* ours */
	char	 host[256];
	unsigned port;
	bool	 exited;	/* the server said how */
	int	 status;
	uint64_t exited_ms;	/* when */
};

/* A connected socket that does not block. */
int	 ssh_dial(const char *host, unsigned port, uint64_t deadline_ms,
	    const _Atomic bool *stop, int *ret_fd, struct err *) MUST_USE;

/* Wait until the connection has something for us, or a moment. */
int	 ssh_turn(const struct ssh *, const char *what, struct err *) MUST_USE;
/* err from libssh's own words. */
int	 ssh_fault(const struct ssh *, enum err_kind, const char *what,
	    struct err *);

/* Return the home directory of the user running this process; "" if the user
 * has none. */
void	 ssh_home(char *out, size_t len);

int	 ssh_check_host_key(struct ssh *, const char *known_hosts,
	    struct err *) MUST_USE;
int	 ssh_login(struct ssh *, const struct ssh_config *, struct err *)
	    MUST_USE;

#endif
