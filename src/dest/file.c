#include <assert.h>

#include "dest/dest_internal.h"

bool
dest_have(const struct dest_file *f, uint32_t index)
{
	assert(index < f->count);
	return f->have[index] == 1;
}

bool
dest_is_recorded(const struct dest_file *f)
{
	return f->all_noted;
}

int
dest_write(struct dest_file *f, uint64_t offset, const void *p, size_t len,
    struct err *err)
{
	if (f->name == NULL || f->in_place)
		return err_set(err, ERR_BUG, 0, "write to a finished file");
	/* The record stands behind the data. */
	if (offset > f->size || len > f->size - offset)
		return err_set(err, ERR_PEER, 0,
		    "more data than the %ju bytes of the object",
		    (uintmax_t)f->size);
	return f->dest->ops->pwrite(f, offset, p, len, err);
}

int
dest_range_done(struct dest_file *f, uint32_t index, struct err *err)
{
	static const uint8_t whole = 1;

	assert(index < f->count);
	if (f->recorded && f->dest->ops->note(f,
	    dest_record(f) + DEST_HEAD_LEN + index, &whole, 1, err) == -1)
		return -1;
	f->have[index] = whole;
	return 0;
}

int
dest_flush(struct dest_file *f, struct err *err)
{
	return f->dest->ops->flush(f, err);
}

int
dest_read(struct dest_file *f, uint64_t offset, void *p, size_t len,
    struct err *err)
{
	ssize_t n = 0;

	if (offset <= f->size && len <= f->size - offset) {
		n = f->dest->ops->pread(f, offset, p, len, err);
		if (n == -1)
			return -1;
		if ((size_t)n == len)
			return 0;
	}
	return err_set(err, ERR_GONE, 0, "the file is shorter than before");
}
