/*
 * dest_internal.h: inside of dest.h. What doesn't depend on where the files are
 * is in dest.c, file.c (data) and part.c (the record of what is
 * whole); path.c and url.c are pure. Below is one table of
 * operations for each kind of place: dest_posix*.c for a local or mounted
 * directory, dest_nfs*.c for a server. A kind embeds struct dest and struct
 * dest_file as the first member of its own.
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
	/* Parents are made, the place is looked at; name and temp are set. */
	int	 (*begin)(struct dest *, struct str rel, struct dest_file **,
		    struct err *);
	/* The temporary file: a new one, or one that may be there. */
	int	 (*part_new)(struct dest_file *, struct err *);
	int	 (*part_shared)(struct dest_file *, struct err *);
	/* One that is there, and that others write to as well; or GONE. */
	int	 (*part_join)(struct dest_file *, struct err *);
	int	 (*flush)(struct dest_file *, struct err *);
	int	 (*size)(struct dest_file *, uint64_t *, struct err *);
	/* Nothing but zeros, so many. */
	int	 (*clear)(struct dest_file *, uint64_t size, struct err *);
	int	 (*pwrite)(struct dest_file *, uint64_t offset, const void *,
		    size_t, struct err *);
	/* How many bytes came: fewer only at the end; -1 is an error. */
	ssize_t	 (*pread)(struct dest_file *, uint64_t offset, void *, size_t,
		    struct err *);
	/* Write to the record. */
	int	 (*note)(struct dest_file *, uint64_t offset, const void *,
		    size_t, struct err *);
	int	 (*restore)(struct dest_file *, const struct dest_meta *,
		    bool as_root, struct err *);
	/* All is written; see dest_commit. */
	int	 (*commit)(struct dest_file *, const struct dest_meta *,
		    bool as_root, bool sync, struct err *);
	/* Close and free; remove: the temporary file goes if it is ours. */
	void	 (*close)(struct dest_file *, bool remove);
};

/* Doesn't change after it was opened. */
struct dest {
	const struct dest_ops *ops;
	mode_t	 file_mode;	/* of a file whose mode isn't known */
	mode_t	 dir_mode;
};

struct dest_file {
	const struct dest *dest;
	char	*name;		/* in its directory; NULL: existing */
	char	 temp[DEST_TEMP_LEN + 1];
	uint64_t size;
	uint64_t range;
	uint32_t count;
	bool	 recorded;	/* a record stands behind the data */
	bool	 joined;	/* others write to it: not ours to remove */
	bool	 in_place;	/* committed */
	bool	 mtime_refused;	/* see dest_refused_mtime */
	bool	 all_noted;	/* the record said that all are whole */
	uint8_t	*have;		/* 1 for each whole range */
};

/*
 * The record of which ranges are whole stands behind the data, on pages of
 * its own: a head that says what the file is to be and, at its end, who may
 * join; then one byte for each range, 1 when it is whole. The head is
 * compared, never read.
 */
#define DEST_HEAD_LEN	512

/* dest.c: of both kinds */
/* A file system, or a server's, may put another date in place of this mtime,
 * and tells nobody. */
bool	 dest_mtime_is_odd(int64_t mtime_ns);
void	 dest_init(struct dest *, const struct dest_ops *);
/* The error of a directory that stands where the file must be; -1. */
int	 dest_in_the_way(struct err *);
/* RETRY, EBUSY: the temporary file is not the one of that name any more; -1. */
int	 dest_taken(struct err *);

/* path.c */
void	 dest_temp_name(struct str name, char out[DEST_TEMP_LEN + 1]);

/* part.c: open the temporary file, and take up what it holds. */
int	 dest_part_open(struct dest_file *, const struct dest_want *,
	    struct err *) MUST_USE;
/* Or only one that is there, of the same wants and token. */
int	 dest_part_join(struct dest_file *, const struct dest_want *,
	    struct err *) MUST_USE;
/* Where the record begins; where it ends, and with it the file. */
uint64_t dest_record(const struct dest_file *);
uint64_t dest_part_end(const struct dest_file *);

#endif
