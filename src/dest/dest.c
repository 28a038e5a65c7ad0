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
	if (dest_path_check(rel, err) == -1)
		return -1;
	return d->ops->look(d, rel, ret_attrs, err);
}

int
dest_existing(struct dest *d, struct str rel, struct dest_file **ret_file,
    struct attrs *ret_attrs, struct err *err)
{
	struct err unused = ERR_INIT;

	*ret_file = NULL;
	/* A caller that needs no reason passes NULL. */
	if (err == NULL)
		err = &unused;
	if (dest_path_check(rel, err) == -1)
		return -1;
	return d->ops->existing(d, rel, ret_file, ret_attrs, err);
}

int
dest_begin(struct dest *d, struct str rel, const struct dest_want *want,
    struct dest_file **ret_file, struct err *err)
{
	struct dest_file *f;

	*ret_file = NULL;
	if (dest_path_check(rel, err) == -1 ||
	    d->ops->begin(d, rel, &f, err) == -1)
		return -1;
	if (dest_part_open(f, want, err) == -1) {
		dest_abort(&f, true);
		return -1;
	}
	*ret_file = f;
	return 0;
}

int
dest_join(struct dest *d, struct str rel, const struct dest_want *want,
    struct dest_file **ret_file, struct err *err)
{
	struct dest_file *f;

	*ret_file = NULL;
	if (dest_path_check(rel, err) == -1 ||
	    d->ops->begin(d, rel, &f, err) == -1)
		return -1;
	if (dest_part_join(f, want, err) == -1) {
		/* ENOENT distinguishes a missing temporary file from a missing
		 * object (404). */
		if (err->kind == ERR_GONE)
			err->code = ENOENT;
		dest_abort(&f, true);
		return -1;
	}
	*ret_file = f;
	return 0;
}

int
dest_restore(struct dest_file *f, const struct dest_meta *m, bool as_root,
    struct err *err)
{
	return f->dest->ops->restore(f, m, as_root, err);
}

int
dest_commit(struct dest_file *f, const struct dest_meta *m, bool as_root,
    bool sync, struct err *err)
{
	if (f->name == NULL)
		return err_set(err, ERR_BUG, 0, "commit of an existing file");
	for (uint32_t i = 0; i < f->count; i++)
		if (f->have[i] != 1)
			return err_set(err, ERR_BUG, 0,
			    "commit without range %u of %u", i, f->count);
	return f->dest->ops->commit(f, m, as_root, sync, err);
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

	if (f == NULL)
		return;
	*file = NULL;
	free(f->have);
	f->dest->ops->close(f, f->name != NULL && !f->in_place &&
	    !f->joined && !(keep && f->recorded));
}
