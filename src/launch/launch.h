/*
 * launch.h: brings up the clients of a run on their hosts over SSH, and
 * watches over them until they end. Threads of its own; joined by mail.
 *
 * Starts are staggered, so that one sshd is not asked for too many logins at
 * once (MaxStartups), nor the master's processor; a host that closes the
 * connection before the login is asked again for a while. Each client gets
 * its invitation on standard input, which stays open: its end is the end of
 * the client, also when the master is killed. What clients write on standard
 * error goes to the log.
 */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include "base/err.h"
#include "base/mailbox.h"
#include "crypto/tls.h"
#include "model/mail.h"
#include "ssh/ssh.h"

struct launch;

enum launch_event {
	LAUNCH_STARTED = 0,	/* the program was started and has its
				   invitation; the client's join shows success,
				   an ENDED mail shows failure */
	LAUNCH_FAILED,		/* err says why; the launcher will not try this
				   client again */
	LAUNCH_ENDED		/* exit status, and the last of stderr in err */
};
/* Each client ends with a single FAILED, or with STARTED and then a single
 * ENDED; err names no host. Of ENDED: NONE with status 0, CONFIG when the
 * program is missing on the host, PEER with another status, RETRY when the
 * connection was lost. */
struct launch_mail {
	struct mail mail;
	enum launch_event event;
	unsigned client;	/* 1 + index into hosts */
	int	 status;	/* ENDED: exit status; -1: not known */
	struct err err;
};

struct launch_config {
	const char *const *hosts;	/* HOST, HOST:PORT, [ADDRESS]:PORT */
	size_t	 host_count;
	struct ssh_config ssh;		/* host and port are filled in */
	const char *path;		/* of datamover there; runs
					   "path client" */
	/* Append the invitation of a client, given our address on its
	 * connection, to the buffer; the launcher wipes the buffer after
	 * sending. Any thread. */
	void	(*invite)(void *arg, unsigned client, const char *local_address,
		    struct buf *);
	void	*arg;
	struct mailbox *up;		/* without a limit */
};

/* Objects pointed to by the config must live until launch_free. */
int	 launch_start(struct launch **, const struct launch_config *,
	    struct err *) MUST_USE;
/* Start no more clients, and close the standard input of every running client:
 * the clients end. */
void	 launch_stop(struct launch *);
/* Includes launch_stop. Wait until every client has ended, at most limit_ms;
 * then close the connections (the end of standard input ends the remaining
 * clients). No mail comes after this call. */
void	 launch_free(struct launch **, uint64_t limit_ms);

/*
 * The invitation: lines "name value", ending with an empty line:
 *	datamover-invite 1
 *	address 10.0.0.1
 *	port_index 6000
 *	port_status 6001
 *	client 3
 *	key BASE64
 *	retry_delay 2
 *	give_up 300
 * Values are escaped as paths are in listings (buf_add_escaped).
 */
struct invite {
	char	*address;
	unsigned port_index;
	unsigned port_status;
	unsigned client;
	uint8_t	 key[TLS_KEY_LEN];
	unsigned retry_delay_s;	/* of connecting; 0: no line for it */
	unsigned give_up_s;
};
void	 invite_write(struct buf *, const struct invite *);
/* text: the whole invitation, with the empty line. CONFIG: the message names
 * the fault. */
int	 invite_read(struct invite *, struct str text, struct err *) MUST_USE;
void	 invite_release(struct invite *);	/* wipes */
/* "HOST", "HOST:PORT", "[ADDRESS]:PORT" or an IPv6 address; port 0 if none
 * is given. */
int	 launch_parse_host(const char *text, char *host, size_t len,
	    unsigned *ret_port, struct err *) MUST_USE;

/* A key file: the key in base64, one line; must be readable for its owner only.
 * read: CONFIG, DENIED. make: create a missing file with a new key, mode 0600;
 * then read the file. */
int	 key_file_read(const char *path, uint8_t key[TLS_KEY_LEN], struct err *)
	    MUST_USE;
int	 key_file_make(const char *path, uint8_t key[TLS_KEY_LEN], struct err *)
	    MUST_USE;

#endif
