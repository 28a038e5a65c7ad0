/*
 * reader_internal.h: the inside of a reader; included only by the files of this
 * folder.
 */
#ifndef READER_READER_INTERNAL_H
#define READER_READER_INTERNAL_H

#include <pthread.h>

#include "db/db.h"
#include "reader/reader.h"
#include "reader/rows.h"

struct readers {
	char	*path;
	pthread_mutex_t lock;
	struct {
		struct reader_run run;
		struct catalog_reader *idle; /* used by nobody; or NULL */
	} locked;
};

struct catalog_reader {
	struct readers *all;	/* NULL: without a master */
	struct db db;
	struct reader_run run;	/* if so */
	bool	 held;		/* a transaction is open */
	bool	 has_fresh;	/* fresh is read */
	struct idset fresh;	/* objects whose result is fresh: few */
};

/* Copy what is known of the run. */
struct reader_run reader_run(const struct catalog_reader *);

#endif
