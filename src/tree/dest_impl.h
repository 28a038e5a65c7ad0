/*
 * dest_impl.h: inside of dest.h, for a local or mounted directory. dest.c
 * opens and looks, dest_part.c makes or takes up the temporary file,
 * dest_file.c fills it and dest_commit.c puts it in its place. dest_path.c
 * is pure.
 */
#ifndef TREE_DEST_IMPL_H
#define TREE_DEST_IMPL_H

#include <sys/stat.h>

#include "tree/below.h"
#include "tree/dest.h"

/* ".datamover-" + 16 hex digits + ".part" */
#define DEST_TEMP_LEN	32

/* Doesn't change after dest_open. */
struct dest {
	struct below below;
	mode_t	 file_mode;	/* of a file whose mode isn't known */
};

struct dest_file {
	const struct dest *dest;
	int	 dir;		/* O_PATH of the parent; -1: existing */
	int	 fd;
	char	*name;		/* in dir; NULL: existing */
	char	 temp[DEST_TEMP_LEN + 1];
	uint64_t size;
	uint64_t range;
	uint32_t count;
	bool	 recorded;	/* a record stands behind the data */
	bool	 in_place;	/* committed */
	uint8_t	*have;		/* 1 for each whole range */
};

/*
 * The record of which ranges are whole stands behind the data, from offset
 * size on: a head that says what the file is to be, then one byte for each
 * range, 1 when it is whole. The head is compared, never read.
 */
#define DEST_HEAD_LEN	512

/* dest_path.c */
void	 dest_temp_name(struct str name, char out[DEST_TEMP_LEN + 1]);

/* dest_part.c: open the temporary file, and take up what it holds. */
int	 dest_part_open(struct dest_file *, const struct dest_want *,
	    struct err *) MUST_USE;
/* Does the name in dir stand for this open file? */
bool	 dest_part_is(int dir, const char *name, const struct stat *);

/* dest.c: err from errno; always -1. */
int	 dest_errno(struct err *, const char *what);
/* dest_file.c */
int	 dest_pwrite(int fd, uint64_t offset, const void *, size_t,
	    struct err *) MUST_USE;
/* How many bytes came: fewer than len only at the end; -1 is an error. */
ssize_t	 dest_pread(int fd, uint64_t offset, void *, size_t, struct err *)
	    MUST_USE;

#endif
