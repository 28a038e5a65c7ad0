/*
 * options.h: the command line. One table (options_table.c) holds every option
 * of every verb: --help, the parser and the lint of datamover(1) follow it.
 *
 * Names may be written with '_' for '-'. A value follows as "--name value" or
 * "--name=value". The original's short forms have one dash and several
 * letters (-ns, -dp). "--" ends the options.
 *
 * Life cycle: options_parse, conf_load, options_apply, conf_finish,
 * options_check, then use job; options_release.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "conf/conf.h"
#include "model/job.h"

enum verb {
	VERB_PUT = 1,		/* bits: an option belongs to several */
	VERB_LIST = 2,
	VERB_STATUS = 4,
	VERB_SQL = 8,
	VERB_CHECK = 16,
	VERB_REPORT = 32,
	VERB_GET = 64,
	VERB_DEL = 128,
	VERB_TEST = 256,
	VERB_CLIENT = 512,
	VERB_STOP = 1024,
	VERB_UNDO = 2048,
	VERB_CATALOG = 4096,
	VERB_DIFF = 8192
};

/* A setting that an option overrides. */
struct override {
	const char *section;
	const char *key;
	char	*value;
	char	*where;		/* "--nfs-port" */
};

struct options {
	enum verb verb;
	struct job job;
	bool	 help;
	bool	 version;
	char	*config;	/* or NULL: the default places */
	char	*catalog;	/* status, sql, report, stop, catalog; or
				   NULL */
	char	*format;	/* sql, report; or NULL */
	char	*file;		/* sql: of the query; or NULL */
	char	*attach;	/* sql: another catalog; or NULL */
	char	*target;	/* diff; or NULL */
	char	*output;	/* report; or NULL */
	char	*join;		/* client; or NULL */
	char	*key_file;	/* client; or NULL */
	uint64_t run;		/* report; 0: the last one */
	bool	 now;		/* stop */
	uint64_t max_age;	/* status: seconds; 0: not given */
	char	*operation;	/* status; or NULL: all */
	bool	 replace;	/* catalog */
	char	*keep;		/* catalog; or NULL */
	bool	 max_delete_given;
	char	*nfs_server;
	char	*nfs_share;
	struct override *overrides;
	size_t	 override_count;
	char	**words;	/* what is no option; not copied */
	size_t	 word_count;
};

struct option {
	const char *name;
	const char *brief;	/* without its dash; or NULL */
	const char *arg;	/* what its value is called; NULL: none */
	unsigned verbs;
	int	 (*set)(struct options *, const struct option *,
		    const char *value, struct err *);
	size_t	 offset;	/* into struct options, if set uses it */
	const char *section;	/* of the setting that it overrides */
	const char *key;
	const char *help;
};
extern const struct option options_table[];
extern const size_t options_count;

/* The number of a run; -1: it is none. */
int	 options_parse_run(const char *text, uint64_t *ret);
/* argv[0] is the verb. Errors are ERR_USAGE; options_release is due after
 * them too. */
int	 options_parse(struct options *, enum verb, int argc, char **argv,
	    struct err *) MUST_USE;
void	 options_release(struct options *);
/* Put what overrides settings into them. */
int	 options_apply(const struct options *, struct conf *, struct err *)
	    MUST_USE;
/* Call after conf_finish. Refuses options that the settings don't allow or
 * that this version lacks, and a --prefix outside of every share. */
int	 options_check(const struct options *, const struct conf *,
	    struct err *) MUST_USE;
/* The verb's options, two columns, at most 80 wide. */
void	 options_help(FILE *, enum verb);

#endif
