/*
 * base.h: the first include of every file of datamover.
 *
 * Cleanup attribute, hand-over, must-use, allocation that cannot fail.
 * tests/lint/banned.sh looks for banned calls (strcpy, strcat, sprintf, strtok,
 * atoi, gmtime, localtime).
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST_USE	__attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define UNUSED		__attribute__((unused))
/* Runs fn(&variable) when the variable goes out of scope. */
#define CLEANUP(fn)	__attribute__((cleanup(fn)))

/* Hand a pointer over: yield the pointer and leave NULL behind. */
#define STEAL(p) \
	__extension__({ __typeof__(p) steal_ = (p); (p) = NULL; steal_; })

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

/* Add numbers of any size, such as sizes of sparse files: the sum stays at the
 * largest number of SQLite. */
static inline uint64_t
add_capped(uint64_t a, uint64_t b)
{
	const uint64_t most = INT64_MAX;

	return a >= most || b >= most - a ? most : a + b;
}

#define KIB		((uint64_t)1024)
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)

/* Small allocations: abort on failure (with a message), never NULL. */
void	*xmalloc(size_t) MUST_USE;
void	*xcalloc(size_t, size_t) MUST_USE;
/* Room for n elements of the given size; aborts on overflow. */
void	*xreallocarray(void *, size_t n, size_t size) MUST_USE;
char	*xstrdup(const char *) MUST_USE;
char	*xstrndup(const char *, size_t) MUST_USE;
void	*xmemdup(const void *, size_t) MUST_USE;
/* Print into a newly allocated string; the caller frees the string. */
char	*xasprintf(const char *, ...) MUST_USE PRINTF_LIKE(1, 2);

/* free() for CLEANUP: frees the memory behind the variable. */
void	 free_ptr(void *pp);
#define AUTOFREE	CLEANUP(free_ptr)

/* close() for CLEANUP: closes the descriptor, except for -1. */
void	 close_fd(int *);

/* Overwrite a text with zeros, free it, and set the pointer to NULL. */
void	 free_secret(char **);

/* Write every byte; return -1 with errno set on an error. */
int	 write_all(int fd, const void *, size_t);

/* Return the directory of a file, or the parent of a directory: "." for a path
 * without a slash. The caller frees the string. */
char	*path_parent(const char *) MUST_USE;

#endif
