/*
 * cmd.h: a function for each verb. argv[0] is the verb as the user wrote the
 * verb; each function returns the exit status.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "base/version.h"
#include "cmd/options.h"

int	 cmd_put(int argc, char **argv);
int	 cmd_list(int argc, char **argv);
int	 cmd_del(int argc, char **argv);
int	 cmd_get(int argc, char **argv);
int	 cmd_test(int argc, char **argv);
int	 cmd_undo(int argc, char **argv);
int	 cmd_diff(int argc, char **argv);
int	 cmd_status(int argc, char **argv);
int	 cmd_sql(int argc, char **argv);
int	 cmd_check(int argc, char **argv);
int	 cmd_report(int argc, char **argv);
int	 cmd_stop(int argc, char **argv);
int	 cmd_catalog(int argc, char **argv);
int	 cmd_client(int argc, char **argv);

/* --- for the verbs --- */

/* Parse; true if the verb is to go on. Else *ret_status is the exit status:
 * help or the version were shown, or a mistake was named. */
bool	 cmd_begin(struct options *, enum verb, int argc, char **argv,
	    int *ret_status);
/* A whole verb of those that look at the catalog: done, or the error. */
int	 cmd_look(enum verb, int (*)(const struct options *, struct err *),
	    int argc, char **argv);
/* Open the log that the settings ask for. The default directory need not be
 * writable: then there is a warning and no log file. */
int	 cmd_open_log(const struct conf *, const struct job *, struct err *)
	    MUST_USE;
/* Find the catalog for the verbs that look at it, and catalog. */
int	 cmd_find_catalog(const struct options *, char **ret_path,
	    struct err *) MUST_USE;
/* Print "datamover: sql: what" to standard error; return the exit status. */
int	 cmd_error(const char *verb, const struct err *);

#endif
