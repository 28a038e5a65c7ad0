/*
 * ssh.h: one command on another host over SSH (libssh). Calls wait, each
 * within the limits given; one connection belongs to one thread.
 *
 * ~/.ssh/config is not read: it can name commands. Host keys are checked
 * against known_hosts, strictly: an unknown or changed key is DENIED, with
 * what to do about it in the message.
 *
 * Errors: UNREACHABLE (no answer, refused, no such host), DENIED (host key;
 * login refused, with the methods that the server offers and what was tried),
 * CONFIG (identity_file), RETRY (the server closed the connection before the
 * login, as it does when too many come at once; a limit is over), PEER (no
 * common algorithm), STOPPED. None of them names the host.
 */
#ifndef SSH_SSH_H
#define SSH_SSH_H

#include "base/buf.h"
#include "base/err.h"

struct ssh;

struct ssh_config {
	const char *host;		/* name or address, without "user@" */
	unsigned port;			/* 0: 22 */
	const char *user;		/* NULL: the user of this process */
	const char *password;		/* NULL: keys */
	const char *identity_file;	/* NULL: agent, then the usual files */
	const char *known_hosts;	/* NULL: ~/.ssh/known_hosts, then
					   /etc/ssh/ssh_known_hosts */
	unsigned timeout_ms;		/* of connect and login together, and of
					   each later call; 0: 30 s */
	const _Atomic bool *stop;	/* or NULL; true ends waiting soon */
};

/* Connect, check the host key, log in. */
int	 ssh_open(struct ssh **, const struct ssh_config *, struct err *)
	    MUST_USE;
/* Does not wait for the program. */
void	 ssh_close(struct ssh **);
/* From now on this flag, when true, ends the waits of every call. */
void	 ssh_set_stop(struct ssh *, const _Atomic bool *);
/* Return our own address on this connection, as seen by the remote host
 * (without NAT between); "" if unknown. */
const char *ssh_local_address(const struct ssh *);

/* Quote argv, ended by NULL, word by word as a line for the remote shell. sh,
 * csh and fish expand nothing in the line. */
void	 ssh_quote(struct buf *, const char *const *argv);

/* Start a program; argv as for ssh_quote. Only a single program may run at a
 * time; after its end callers may start the next. */
int	 ssh_exec(struct ssh *, const char *const *argv, struct err *)
	    MUST_USE;
/* To its standard input; secrets go here. */
int	 ssh_send(struct ssh *, struct str, struct err *) MUST_USE;
int	 ssh_send_eof(struct ssh *, struct err *) MUST_USE;
/* Read output, up to timeout_ms: appends standard output to out and standard
 * error to errs (either may be NULL: dropped), each kept to at most max bytes
 * (the last bytes); returns as soon as any output came. 1: the program goes on;
 * 0: the program has ended, with its exit status in *ret_status (128 + signal;
 * -1 unknown); -1: error. */
int	 ssh_wait(struct ssh *, unsigned timeout_ms, struct buf *out,
	    struct buf *errs, size_t max, int *ret_status, struct err *)
	    MUST_USE;

#endif
