/*
 * span.h: all of the journal at one target, for reports: for how long the
 * target had each version of each file, and what a run has done. Memory does
 * not grow with the catalog. The functions read each event once.
 */
#ifndef READER_SPAN_H
#define READER_SPAN_H

#include "base/err.h"
#include "db/db.h"
#include "model/event.h"
#include "model/outcome.h"

struct span_run {
	int64_t	 target;	/* 0: the run ended before it was known */
	int64_t	 first;		/* the events of the run have larger ids */
	bool	 recorded;	/* the journal tells what the run has done: it
				   had begun, and this has not been pruned */
	bool	 held;		/* and what the target held when it ended: so
				   too for the last run before the journal */
};
void	 span_run(struct db *, int64_t run, struct span_run *);

/* A time for which the target had a version with the same bytes. */
struct span {
	int64_t	 run;		/* run at which the time began */
	int64_t	 end;		/* run at which the time ended; INT64_MAX: the
				   target has the version still */
	uint64_t size;
	enum verdict then;	/* the last verdict by the run asked for */
	enum verdict now;	/* the last verdict of all */
};
/* Call fn for each span at the target. */
int	 span_each(struct db *, int64_t target, int64_t run,
	    void (*fn)(void *, const struct span *), void *arg, struct err *)
	    MUST_USE;
/* True if the target had the version when the run had ended. */
bool	 span_covers(const struct span *, int64_t run);

/* What became true in a run. */
struct deed {
	enum event_kind kind;
	int64_t	 object;
	uint64_t size;
	int64_t	 ms;		/* after the run began */
};
int	 span_deeds(struct db *, int64_t run,
	    void (*fn)(void *, const struct deed *), void *arg, struct err *)
	    MUST_USE;
/* Call fn for the slowest transfers of a run, the slowest first. */
struct slow_file {
	const char *path;	/* "": the catalog no longer has it */
	uint64_t size;
	int64_t	 took_ms;
	uint64_t attempts;
};
int	 span_slowest(struct db *, int64_t run,
	    void (*fn)(void *, const struct slow_file *), void *arg,
	    struct err *) MUST_USE;
/* Call fn for each object that failed in a run, ms after the run began. */
int	 span_failures(struct db *, int64_t run, void (*fn)(void *, int64_t ms),
	    void *arg, struct err *) MUST_USE;
/* The path of a version; "" if the catalog no longer has it. The caller frees
 * it. */
char	*span_path(struct db *, int64_t object) MUST_USE;

/* A verdict that a run has given, ms after it began. size is 0 if the catalog
 * does not know the object. */
struct judgement {
	enum verdict verdict;
	int64_t	 ms;
	uint64_t size;
};
int	 span_judgements(struct db *, int64_t run,
	    void (*fn)(void *, const struct judgement *), void *arg,
	    struct err *) MUST_USE;

#endif
