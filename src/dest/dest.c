#include "base/clock.h"
#include "base/silence.h"
#include "dest/dest_internal.h"

#include <errno.h>
#include <sys/stat.h>

void
dest_init(struct dest *d, const struct dest_ops *ops)
{
	/* Only umask() can read the mask, by setting a new mask. Set 077
	 * meanwhile: files created now by another thread are then private
	 * rather than open. */
	mode_t mask = umask(077);

	umask(mask);
	d->ops = ops;
	d->file_mode = 0666 & ~mask;
	d->dir_mode = 0777 & ~mask;
}

void
dest_asks(const struct dest *d)
{
	if (d->silence != NULL)
		silence_begin(d->silence, clock_mono_ms());
}

void
dest_answered(const struct dest *d)
{
	if (d->silence != NULL)
		silence_end(d->silence, true, clock_mono_ms());
}

int
dest_in_the_way(struct err *err)
{
	return err_set(err, ERR_INVALID, EISDIR,
	    "a directory is where the file must be");
}

int
dest_taken(struct err *err)
{
	return err_set(err, ERR_RETRY, EBUSY,
	    "another process writes this file: its temporary file was taken "
	    "away");
}

void
dest_free(struct dest **dest)
{
	if (*dest != NULL)
		(*dest)->ops->free(*dest);
	*dest = NULL;
}

void
dest_stop(struct dest *d, uint64_t limit_ms)
{
	d->ops->stop(d, limit_ms);
}

int
dest_look(struct dest *d, struct str rel, struct attrs *ret_attrs,
    struct err *err)
{
	int rc;

	if (dest_path_check(rel, err) == -1)
		return -1;
	dest_asks(d);
	rc = d->ops->look(d, rel, ret_attrs, err);
	dest_answered(d);
	return rc;
}

int
dest_existing(struct dest *d, struct str rel, struct dest_file **ret_file,
    struct attrs *ret_attrs, struct err *err)
{
	struct err unused = ERR_INIT;
	int rc;

	*ret_file = NULL;
	/* A caller that needs no reason passes NULL. */
	if (err == NULL)
		err = &unused;
	if (dest_path_check(rel, err) == -1)
		return -1;
	dest_asks(d);
	rc = d->ops->existing(d, rel, ret_file, ret_attrs, err);
	dest_answered(d);
	return rc;
}

/* How a temporary file is opened: part.c. */
typedef int open_part_fn(struct dest_file *, const struct dest_want *,
    struct err *);

static int
open_file(struct dest *d, struct str rel, const struct dest_want *want,
    open_part_fn *open_part, struct dest_file **ret_file, struct err *err)
{
	struct dest_file *f = NULL;
	int rc;

	*ret_file = NULL;
	if (dest_path_check(rel, err) == -1)
		return -1;
	dest_asks(d);
	rc = d->ops->begin(d, rel, &f, err);
	if (rc == 0)
		rc = open_part(f, want, err);
	dest_answered(d);
	if (rc == 0)
		*ret_file = f;
	else
		dest_abort(&f, true);
	return rc;
}

int
dest_begin(struct dest *d, struct str rel, const struct dest_want *want,
    struct dest_file **ret_file, struct err *err)
{
	return open_file(d, rel, want, dest_part_open, ret_file, err);
}

/* ENOENT distinguishes a missing temporary file from a missing object (404). */
static int
join_part(struct dest_file *f, const struct dest_want *want, struct err *err)
{
	int rc = dest_part_join(f, want, err);

	if (rc == -1 && err->kind == ERR_GONE)
		err->code = ENOENT;
	return rc;
}

int
dest_join(struct dest *d, struct str rel, const struct dest_want *want,
    struct dest_file **ret_file, struct err *err)
{
	return open_file(d, rel, want, join_part, ret_file, err);
}

int
dest_restore(struct dest_file *f, const struct dest_meta *m, bool as_root,
    struct err *err)
{
	int rc;

	dest_asks(f->dest);
	rc = f->dest->ops->restore(f, m, as_root, err);
	dest_answered(f->dest);
	return rc;
}

int
dest_commit(struct dest_file *f, const struct dest_meta *m, bool as_root,
    bool sync, struct err *err)
{
	int rc;

	if (f->name == NULL)
		return err_set(err, ERR_BUG, 0, "commit of an existing file");
	for (uint32_t i = 0; i < f->count; i++)
		if (f->have[i] != 1)
			return err_set(err, ERR_BUG, 0,
			    "commit without range %u of %u", i, f->count);
	dest_asks(f->dest);
	rc = f->dest->ops->commit(f, m, as_root, sync, err);
	dest_answered(f->dest);
	return rc;
}

bool
dest_refused_mtime(const struct dest_file *f)
{
	return f->mtime_refused;
}

/* The smallest time stamps of known file systems have 32 bits of seconds,
 * signed. */
bool
dest_mtime_is_odd(int64_t mtime_ns)
{
	return mtime_ns < 0 || mtime_ns / 1000000000 > INT32_MAX;
}

void
dest_abort(struct dest_file **file, bool keep)
{
	struct dest_file *f = *file;
	const struct dest *d;

	if (f == NULL)
		return;
	*file = NULL;
	d = f->dest;
	free(f->have);
	dest_asks(d);
	d->ops->close(f, f->name != NULL && !f->in_place &&
	    !f->joined && !(keep && f->recorded));
	dest_answered(d);
}
