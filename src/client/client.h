/*
 * client.h: the client process: a small loop between the master's two
 * connections and a local crew. The client needs neither settings nor a
 * catalog: the master sends everything the client must know.
 *
 * The client ends when the master says so; when the master is lost (a
 * connection is closed, or the master was silent for too long); when standard
 * input ends, if the invitation came there; and by SIGINT or SIGTERM. Transfers
 * under way may then end within some seconds. If the master is lost, the client
 * cuts transfers off, as the master gives the work to another client.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "base/err.h"

struct client_options {
	const char *join;	/* HOST[:PORT_INDEX[:PORT_STATUS]]; NULL: the
				   invitation comes on standard input */
	const char *key_file;	/* used with join */
	unsigned port_index;	/* used where join names no port */
	unsigned port_status;
	unsigned retry_delay_s;	/* between two attempts to connect */
	unsigned give_up_s;	/* end after so long without a master */
};

/* Run the client and return the exit status. */
int	 run_client(const struct client_options *);

/* Parse the argument of --join. The caller frees the host; ports that join does
 * not name keep their values. Return -1 with USAGE on bad syntax. */
int	 client_parse_join(const char *join, char **ret_host,
	    unsigned *ret_index, unsigned *ret_status, struct err *)
	    MUST_USE;

#endif
