/*
 * posix_internal.h: inside of the destination in a local or mounted directory.
 * posix.c opens and looks, posix_part.c makes, locks and fills the temporary
 * file, posix_commit.c renames the temporary file to the final name.
 */
#ifndef DEST_POSIX_INTERNAL_H
#define DEST_POSIX_INTERNAL_H

#include <sys/stat.h>

#include "dest/dest_internal.h"
#include "tree/below.h"

struct dest_posix {
	struct dest dest;
	struct below below;
};

struct posix_file {
	struct dest_file file;
	int	 dir;		/* O_PATH of the parent; -1: existing */
	int	 fd;
};

static inline struct posix_file *
posix_file_of(struct dest_file *f)
{
	return (struct posix_file *)(void *)f;
}

/* err from errno; always -1. */
int	 dest_errno(struct err *, const char *what);

/* Does name in dir name the file with these attributes? */
bool	 posix_part_is(int dir, const char *name, const struct stat *);
/* Check that the temporary file is still ours, and get the size; RETRY if not
 * ours. Asks a mounted server anew, regardless of cached attributes. */
int	 posix_part_check(struct posix_file *, uint64_t *ret_size, struct err *)
	    MUST_USE;
int	 posix_part_new(struct dest_file *, struct err *) MUST_USE;
int	 posix_part_shared(struct dest_file *, struct err *) MUST_USE;
int	 posix_part_join(struct dest_file *, struct err *) MUST_USE;
int	 posix_flush(struct dest_file *, struct err *) MUST_USE;
int	 posix_size(struct dest_file *, uint64_t *, struct err *) MUST_USE;
int	 posix_clear(struct dest_file *, uint64_t, struct err *) MUST_USE;
int	 posix_pwrite(struct dest_file *, uint64_t, const void *, size_t,
	    struct err *) MUST_USE;
int	 posix_note(struct dest_file *, uint64_t, const void *, size_t,
	    struct err *) MUST_USE;
ssize_t	 posix_pread(struct dest_file *, uint64_t, void *, size_t,
	    struct err *) MUST_USE;

int	 posix_restore(struct dest_file *, const struct dest_meta *,
	    bool as_root, struct err *) MUST_USE;
int	 posix_commit(struct dest_file *, const struct dest_meta *,
	    bool as_root, bool sync, struct err *) MUST_USE;
void	 posix_close(struct dest_file *, bool remove);

#endif
