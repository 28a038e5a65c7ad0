/*
 * dest_internal.h: inside of dest.h. The code common to all kinds of
 * destination is in dest.c, file.c (data) and part.c (the record of whole
 * ranges); path.c and url.c are pure. Below is a table of operations for each
 * kind of destination: posix*.c for a local or mounted directory, nfs*.c for a
 * server. A kind embeds struct dest and struct dest_file as the first member of
 * its own structures.
 */
#ifndef DEST_DEST_INTERNAL_H
#define DEST_DEST_INTERNAL_H

#include <sys/types.h>

#include "dest/dest.h"

/* ".datamover-" + 16 hex digits + ".part" */
#define DEST_TEMP_LEN	32

/* Paths have been checked. */
struct dest_ops {
	void	 (*free)(struct dest *);
	void	 (*stop)(struct dest *, uint64_t limit_ms);
	int	 (*look)(struct dest *, struct str rel, struct attrs *,
		    struct err *);
	int	 (*existing)(struct dest *, struct str rel,
		    struct dest_file **, struct attrs *, struct err *);
	/* Make the parents, look at the place of the file; set name and
	 * temp. */
	int	 (*begin)(struct dest *, struct str rel, struct dest_file **,
		    struct err *);
	/* Make a new temporary file (part_new), or open or make a temporary
	 * file to be shared (part_shared). */
	int	 (*part_new)(struct dest_file *, struct err *);
	int	 (*part_shared)(struct dest_file *, struct err *);
	/* Open an existing temporary file, written to by several processes; or
	 * GONE. */
	int	 (*part_join)(struct dest_file *, struct err *);
	int	 (*flush)(struct dest_file *, struct err *);
	int	 (*size)(struct dest_file *, uint64_t *, struct err *);
	/* Make the file size zero bytes long. */
	int	 (*clear)(struct dest_file *, uint64_t size, struct err *);
	int	 (*pwrite)(struct dest_file *, uint64_t offset, const void *,
		    size_t, struct err *);
	/* Return the number of bytes read, fewer only at the end; -1 is an
	 * error. */
	ssize_t	 (*pread)(struct dest_file *, uint64_t offset, void *, size_t,
		    struct err *);
	/* Write to the record. */
	int	 (*note)(struct dest_file *, uint64_t offset, const void *,
		    size_t, struct err *);
	int	 (*restore)(struct dest_file *, const struct dest_meta *,
		    bool as_root, struct err *);
	/* All ranges are written; see dest_commit. */
	int	 (*commit)(struct dest_file *, const struct dest_meta *,
		    bool as_root, bool sync, struct err *);
	/* Close and free; remove: remove the temporary file, if the file is
	 * ours. */
	void	 (*close)(struct dest_file *, bool remove);
};

/* Constant after dest_open. */
struct dest {
	const struct dest_ops *ops;
	mode_t	 file_mode;	/* of a file whose mode isn't known */
	mode_t	 dir_mode;
	struct silence *silence; /* of a directory; NULL: nfs/ names a silent
				    server */
};

struct dest_file {
	const struct dest *dest;
	char	*name;		/* in the directory; NULL: existing */
	char	 temp[DEST_TEMP_LEN + 1];
	uint64_t size;
	uint64_t range;
	uint32_t count;
	bool	 recorded;	/* a record stands behind the data */
	bool	 joined;	/* shared with more processes: not ours to
				   remove */
	bool	 in_place;	/* committed */
	bool	 mtime_refused;	/* see dest_refused_mtime */
	bool	 all_noted;	/* the record said: all ranges whole */
	uint8_t	*have;		/* 1 for each whole range */
};

/*
 * The record of whole ranges stands behind the data, on pages of its own: first
 * a head that describes the wanted file and, at its end, holds the token for
 * joining; then a byte for each range, 1 when the range is whole. The head is
 * compared, never parsed.
 */
#define DEST_HEAD_LEN	512

/* dest.c: of both kinds */
/* True if a file system or a server may silently replace this mtime by another
 * date. */
bool	 dest_mtime_is_odd(int64_t mtime_ns);
void	 dest_init(struct dest *, const struct dest_ops *);
/* Set the error for a directory in the place of the file; return -1. */
int	 dest_in_the_way(struct err *);
/* Set RETRY, EBUSY: the temporary name now names another file; return -1. */
int	 dest_taken(struct err *);

/* A call of the kind begins, and is over: an error is an answer, too. */
void	 dest_asks(const struct dest *);
void	 dest_answered(const struct dest *);

/* path.c */
void	 dest_temp_name(struct str name, char out[DEST_TEMP_LEN + 1]);

/* part.c: open the temporary file, and take up the recorded ranges. */
int	 dest_part_open(struct dest_file *, const struct dest_want *,
	    struct err *) MUST_USE;
/* Open only an existing temporary file of the same wants and token. */
int	 dest_part_join(struct dest_file *, const struct dest_want *,
	    struct err *) MUST_USE;
/* Offsets of the beginning of the record, and of the end of the record, which
 * is the end of the file. */
uint64_t dest_record(const struct dest_file *);
uint64_t dest_part_end(const struct dest_file *);

#endif
