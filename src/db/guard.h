/*
 * guard.h: the checks before a catalog is opened, and the locks against a
 * second master. Any thread.
 */
#ifndef DB_GUARD_H
#define DB_GUARD_H

#include "base/err.h"

struct stat;

/* Check the place of a catalog: a directory of a local file system. */
int	 guard_place(const char *path, struct err *) MUST_USE;
/* Take the lock file, for one master; the lock goes with the descriptor. The
 * head of the file gets the process number and blanks, for stand.c; what
 * follows stays. */
#define GUARD_PID_SIZE	24
#define GUARD_HEAD_SIZE	(GUARD_PID_SIZE + 128)
int	 guard_lock(const char *path, int *ret_fd, struct err *) MUST_USE;
/* Return the name of the lock file: next to the file reached by the path,
 * through symlinks. */
char	*guard_lock_name(const char *path);
/* Lock the catalog file itself, against masters using another name of the file.
 * Close the descriptor after SQLite has closed the catalog, and not before. */
int	 guard_own(const char *path, int *ret_fd, struct err *) MUST_USE;
/* True if another process has the catalog of guard_own's descriptor open with
 * SQLite, idle or not. When its last reader closes a file, SQLite removes the
 * -wal of the name that the reader has opened, whatever has this name by
 * then. */
bool	 guard_is_read(int fd);
/* Return -1, with the error for a catalog file without content. */
int	 guard_empty(const char *path, struct err *);
int	 guard_not_empty(const char *path, const struct stat *, struct err *)
	    MUST_USE;
/* Return -1, with the error of a system call on the catalog's files. */
int	 guard_fault(struct err *, int code, const char *path);

#endif
