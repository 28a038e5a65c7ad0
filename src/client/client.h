/*
 * client.h: the client process: a small loop between the master's two
 * connections and a local crew. It needs neither settings nor a catalog: what
 * it must know, the master tells it.
 *
 * It ends when the master says so; when the master is lost (a connection is
 * closed, or nothing was heard for some time); when standard input ends, if
 * the invitation came there; and by SIGINT or SIGTERM. What is on its way may
 * end within some seconds, unless the master is lost: then it is cut off, as
 * the master gives it to somebody else.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "base/err.h"

struct client_options {
	const char *join;	/* HOST[:PORT_INDEX[:PORT_STATUS]]; NULL: the
				   invitation comes on standard input */
	const char *key_file;	/* with join */
	unsigned port_index;	/* where join names none */
	unsigned port_status;
	unsigned retry_delay_s;	/* between two attempts to connect */
	unsigned give_up_s;	/* no master for so long: the end */
};

/* The exit status. */
int	 run_client(const struct client_options *);

/* The parts of --join; the host is the caller's, ports that are not named
 * stay as they are. USAGE. */
int	 client_parse_join(const char *join, char **ret_host,
	    unsigned *ret_index, unsigned *ret_status, struct err *)
	    MUST_USE;

#endif
