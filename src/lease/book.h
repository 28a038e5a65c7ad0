/*
 * book.h: which leases are out, to whom, until when; and how large the next
 * one should be. Pure: no I/O, no clock of its own (now_ms is the caller's).
 *
 * A lease aims at some seconds of work, within a limit of items and bytes. It
 * is renewed whenever its holder is heard. It ends when all its items have
 * results, when its holder is lost (at once), or at its deadline; the last
 * two take it back: its epoch goes up by one, and a result that names the old
 * epoch is not accepted any more.
 */
#ifndef LEASE_BOOK_H
#define LEASE_BOOK_H

#include "base/base.h"

struct lease_limits {
	size_t	 max_count;	/* items */
	uint64_t max_bytes;
	uint64_t target_ms;	/* work that one lease should be */
	uint64_t silence_ms;	/* a holder not heard for so long is lost */
};

struct lease_book;

struct lease_book *lease_book_new(const struct lease_limits *);
void	 lease_book_free(struct lease_book **);

/* How much the next lease of this holder should have. */
void	 lease_book_size(const struct lease_book *, unsigned holder,
	    size_t *ret_count, uint64_t *ret_bytes);
void	 lease_book_grant(struct lease_book *, int64_t lease, uint32_t epoch,
	    unsigned holder, size_t items, uint64_t now_ms);
/* count results came, of bytes in all. False: the lease is not out under this
 * epoch; they count nowhere. */
bool	 lease_book_results(struct lease_book *, int64_t lease,
	    uint32_t epoch, size_t count, uint64_t bytes, uint64_t now_ms)
	    MUST_USE;
/* The holder was heard: all of its leases go on. */
void	 lease_book_heard(struct lease_book *, unsigned holder,
	    uint64_t now_ms);
/* Calls fn for each lease that is taken back: those of a lost holder, or
 * those whose deadline has passed; epoch is the new one. */
typedef void lease_back_fn(void *arg, int64_t lease, uint32_t epoch);
void	 lease_book_lost(struct lease_book *, unsigned holder,
	    lease_back_fn *, void *arg);
void	 lease_book_expire(struct lease_book *, uint64_t now_ms,
	    lease_back_fn *, void *arg);
/* Leases that are out, and their items without result. */
size_t	 lease_book_count(const struct lease_book *);
size_t	 lease_book_items(const struct lease_book *);

#endif
