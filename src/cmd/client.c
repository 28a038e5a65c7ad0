/*
 * client: the verb that a master starts on its hosts. Standard error goes over
 * SSH into the log that the master keeps of this client.
 */
#include "base/log.h"
#include "client/client.h"
#include "cmd/cmd.h"

static int
client(const struct options *o)
{
	struct log_config lc = {
		.stderr_level = o->job.debug ? LOG_DEBUG : LOG_INFO,
	};
	CLEANUP(conf_release) struct conf c;
	struct client_options co;
	struct err err = ERR_INIT;
	int status;

	/* Read no settings file: the client needs only the defaults of these
	 * settings. */
	conf_init(&c);
	co = (struct client_options){
		.join = o->join,
		.key_file = o->key_file,
		.port_index = c.message.port_index,
		.port_status = c.message.port_status,
		.retry_delay_s = c.socket_options.connection_retry_delay,
		.give_up_s = c.socket_options.max_connection_time_threshold,
	};
	if (o->key_file != NULL && o->join == NULL) {
		err_set(&err, ERR_USAGE, 0, "--key-file needs --join");
		return cmd_error("client", &err);
	}
	if (log_open(&lc, &err) == -1)
		return cmd_error("client", &err);
	status = run_client(&co);
	log_close();
	return status;
}

int
cmd_client(int argc, char **argv)
{
	struct options o;
	int status;

	if (cmd_begin(&o, VERB_CLIENT, argc, argv, &status))
		status = client(&o);
	options_release(&o);
	return status;
}
