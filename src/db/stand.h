/*
 * stand.h: how far a catalog has come, remembered in the lock file beside it.
 * An older copy that another program has put in the place of the catalog, or
 * the catalog of another place, has not come as far: it does not know what the
 * runs of here have put and deleted, and must count as restored
 * (schema/014_asked.sql).
 *
 * Nothing remembered (the first run at this place), a catalog that has come
 * further, and a new one without runs are believed. Only what is on the disk in
 * the catalog is remembered, so neither a kill nor a loss of power makes a
 * catalog older than what is remembered.
 */
#ifndef DB_STAND_H
#define DB_STAND_H

#include "base/err.h"

struct db;

/* --- the master, with the descriptor of its lock (guard.h) --- */

/* In the transaction at whose end the state is remembered: a copy that was made
 * before it is told from all later ones, whatever the transaction writes. */
void	 stand_count(struct db *);
/* Remember the state of now. The caller has synced the catalog. */
void	 stand_remember(struct db *, int lock_fd);
/* Remember nothing: another catalog is to take the place, and is believed. */
void	 stand_forget(int lock_fd);
/* Remember at another place what is remembered here. */
void	 stand_carry(int lock_fd, int other_fd);
/* If the catalog is older than what is remembered, note in the catalog that it
 * counts as restored. *ret_run is the last run that is remembered then, or 0:
 * the catalog is believed. */
int	 stand_check(struct db *, int lock_fd, int64_t *ret_run, struct err *)
	    MUST_USE;
/* The last act on a catalog: SQLite has closed the file, open as fd. While
 * nobody touches the file, stand_may_be_older needs no look at the catalog. */
void	 stand_sign(int lock_fd, int fd);

/* --- before a run --- */

/* False if the catalog is certainly not older than what is remembered. Cheap:
 * two system calls on the files. */
bool	 stand_may_be_older(const char *path);
/* The same, asked in earnest. */
bool	 stand_is_older(struct db *);

#endif
