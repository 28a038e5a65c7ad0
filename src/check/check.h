/*
 * check.h: before a run: is everything there and allowed that it needs? Each
 * thing is tried for real, and said in a line of standard output. Nothing is
 * left behind but, where S3 keeps versions, those of the probe object.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "conf/conf.h"

/* After conf_finish; keys: where the keys of S3 come from. Returns the exit
 * status: 0, or 3 if something failed. */
int	 check_run(const struct conf *, const char *keys, bool json);
/* The settings could not be read, or no keys were found: say so in the same
 * form; returns the exit status. */
int	 check_no_conf(const struct err *, bool json);

#endif
