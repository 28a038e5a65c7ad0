/*
 * conf.h: the verb conf. argv[0] is the verb; returns the exit status.
 */
#ifndef CMD_CONF_H
#define CMD_CONF_H

int	 cmd_conf(int argc, char **argv);

#endif
