/*
 * stored.h: the objects held by the target, for GET, DEL and TEST: a single
 * file, pages of files in the order of their paths, pages with the longest
 * unverified first, and keys to cut a prefix into equal parts.
 *
 * A target holds at most a single version of each path: the newest version or,
 * if the newest was not moved yet (or failed), the newest version moved. Every
 * question is about the target of the present run (or the target of
 * catalog_look).
 *
 * A prefix is the beginning of catalog paths: "server/share/dir/", or "" for
 * the whole catalog. If server_as_prefix is no, keys are paths without the
 * server: catalog_find_key tries the exports known to the catalog.
 *
 * Use a reader in a single thread. Memory does not grow with the catalog.
 */
#ifndef READER_STORED_H
#define READER_STORED_H

#include "base/strlist.h"
#include "model/outcome.h"
#include "reader/reader.h"

/* Return 1 if found (release with stored_release), 0 if not stored, -1 on
 * error. */
int	 catalog_find_stored(struct catalog_reader *, struct str path,
	    struct stored *, struct err *) MUST_USE;
int	 catalog_find_key(struct catalog_reader *, struct str key,
	    struct stored *, struct err *) MUST_USE;

/* Call fn for each catalog path that may have the key, or the prefix of keys;
 * fn must not use the reader. */
int	 catalog_names_of_key(struct catalog_reader *, struct str key,
	    void (*fn)(void *, struct str path), void *arg, struct err *)
	    MUST_USE;

/* Read the next n objects at most under the prefix, after the path given ("":
 * from the beginning). *ret_count less than n means the end. The caller
 * releases the entries. */
int	 catalog_stored_page(struct catalog_reader *, struct str prefix,
	    struct str after, struct stored *, size_t n, size_t *ret_count,
	    struct err *) MUST_USE;

/* As catalog_stored_page, of objects called missing or corrupt by a verdict and
 * not put again since. */
int	 catalog_lost_page(struct catalog_reader *, struct str prefix,
	    struct str after, struct stored *, size_t n, size_t *ret_count,
	    struct err *) MUST_USE;

/* Count the objects under the prefix and their bytes; stop after enough objects
 * (0: count without a limit). Reads an index entry and a row for each object:
 * turn (or NULL) is called after every few thousand rows, and a result of false
 * ends the count with ERR_STOPPED. */
struct count_turn {
	bool	 (*turn)(void *arg);
	void	*arg;
};
int	 catalog_count_stored(struct catalog_reader *, struct str prefix,
	    uint64_t enough, const struct count_turn *, uint64_t *ret_count,
	    uint64_t *ret_bytes, struct err *) MUST_USE;

/* As catalog_stored_page, but in another order: first the objects never
 * verified (in the order of storing), then the objects with the oldest
 * verification. An object verified while the cursor is used does not come
 * again. Start with a cursor of zeros. */
struct sample_cursor {
	bool	 second;	/* the never verified are done */
	int64_t	 started_ns;
	int64_t	 last;		/* result id, then time of verification */
	int64_t	 last_object;
};
int	 catalog_sample_page(struct catalog_reader *, struct str prefix,
	    struct sample_cursor *, struct stored *, size_t n,
	    size_t *ret_count, struct err *) MUST_USE;

/* Fill an empty list with up to n - 1 keys, ascending, that cut the keys under
 * the prefix into about equal ranges, by a sample: the time does not grow with
 * large prefixes. The list stays empty where there is not much to cut. */
int	 catalog_key_cuts(struct catalog_reader *, struct str prefix,
	    size_t n, struct strlist *ret, struct err *) MUST_USE;

/* 1 if the target may hold another version of the path than is recorded: a
 * run was cut, or an answer lost; else 0. */
int	 catalog_in_doubt(struct catalog_reader *, struct str path,
	    struct err *) MUST_USE;

#endif
