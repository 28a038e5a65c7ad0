/*
 * past.h: what a target held at a moment of the past, by the journal of events
 * (schema: event). A question for a moment before the journal began has no
 * answer.
 *
 * A version of a file was there at a moment if the newest of its events until
 * then that tells whether the target has it says so.
 */
#ifndef READER_PAST_H
#define READER_PAST_H

#include "reader/reader.h"
#include "model/outcome.h"

/* The events until a moment: those of all runs up to one, and of another run
 * those of its first ms. What a killed run has done may be found out later: the
 * event has the number of that run, and an id above those of later runs. */
struct moment {
	int64_t	 run;
	int64_t	 part;		/* the other run; 0: none */
	int64_t	 ms;
};

/* Find the moment that a text names: the number of a run (when it had ended),
 * or a time in UTC, such as 2026-11-30T12:00:00Z; a day alone is its end.
 * USAGE: it is neither, there was no such run, or the journal began later. */
int	 past_moment(struct db *, const char *text, struct moment *,
	    struct err *) MUST_USE;

struct past_row {
	/* The version as it was put; of etag and parts only what is known of
	 * the object of that moment. version_id: the store's, or NULL. */
	struct stored stored;
	bool	 held;		/* the target has these bytes still */
	int64_t	 ended_run;	/* the run in which the target lost them; or
				   0 */
};
void	 past_row_release(struct past_row *);

/* Read the next n objects at most of that moment under the prefix, after the
 * path given ("": from the beginning), in the order of their paths. *ret_count
 * less than n means the end. The caller releases the rows. */
int	 past_page(struct catalog_reader *, const struct moment *,
	    struct str prefix, struct str after, struct past_row *, size_t n,
	    size_t *ret_count, struct err *) MUST_USE;

/* In a target without the server in the keys: does another path of that moment
 * have the same key, and tell later what the object is? */
int	 past_is_shadowed(struct catalog_reader *, const struct moment *,
	    const struct past_row *, bool *ret, struct err *) MUST_USE;

/* An object that a run has deleted, if nothing else became of the version
 * since. */
struct deleted_row {
	int64_t	 number;	/* of the row, in its order */
	struct stored stored;	/* as in past_row, just before the deletion */
	char	*marker;	/* version id of the delete marker; or NULL */
	bool	 doubted;	/* the run has only noted that it was about to
				   delete the object, or an undo that it was
				   about to bring it back */
	bool	 deleted;	/* for the caller */
};
void	 deleted_row_release(struct deleted_row *);

/* The deletions of a run are recorded, and the run went to the target of the
 * reader; else USAGE. */
int	 past_recorded(struct catalog_reader *, int64_t run, struct err *)
	    MUST_USE;
/* Read the next n of them at most, after a row (0: from the first). */
typedef int past_page_fn(struct catalog_reader *, int64_t run, int64_t after,
	    struct deleted_row *, size_t n, size_t *ret_count, struct err *);
past_page_fn past_deleted_page MUST_USE;
/* The same of what the run was about to delete when it was killed. */
past_page_fn past_doubted_page MUST_USE;
/* Count the deletions of the run, whatever became of the versions since; and
 * the objects that it has deleted, and that the catalog did not know. */
int	 past_deletions(struct catalog_reader *, int64_t run,
	    uint64_t *ret_count, uint64_t *ret_unknown, struct err *)
	    MUST_USE;

/* Is the text the file of a catalog, and not the name of anything else? */
bool	 past_is_file(const char *text);
/* Find what a text names in the catalog of the reader: a run or a time (the
 * objects of then), or a target ("ENDPOINT/BUCKET": its objects of now). Return
 * the target in ret_target, 0 if the text names none. USAGE: it is none of
 * these. */
int	 past_find(struct catalog_reader *, const char *text, struct moment *,
	    int64_t *ret_target, struct err *) MUST_USE;
/* Find the target with this name, or the only one of the catalog if name is
 * NULL; 0: the catalog has none at all. USAGE: there is none of this name, or
 * there are several. */
int	 past_target(struct catalog_reader *, const char *name,
	    int64_t *ret_target, struct err *) MUST_USE;
/* The target's name, for the caller to free; NULL: there is no target. */
char	*past_target_name(struct catalog_reader *, int64_t target);

/* Make the view as_of for the statements of users: the objects of all targets
 * at that moment. */
struct catalog_view;
int	 past_view(struct catalog_view *, const char *text, struct err *)
	    MUST_USE;

#endif
