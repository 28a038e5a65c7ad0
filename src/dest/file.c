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
	int rc;

	if (f->name == NULL || f->in_place)
		return err_set(err, ERR_BUG, 0, "write to a finished file");
	/* The record stands behind the data. */
	if (offset > f->size || len > f->size - offset)
		return err_set(err, ERR_PEER, 0,
		    "more data than the %ju bytes of the object",
		    (uintmax_t)f->size);
	dest_asks(f->dest);
	rc = f->dest->ops->pwrite(f, offset, p, len, err);
	dest_answered(f->dest);
	return rc;
}

int
dest_range_done(struct dest_file *f, uint32_t index, struct err *err)
{
	static const uint8_t whole = 1;
	int rc = 0;

	assert(index < f->count);
	dest_asks(f->dest);
	if (f->recorded)
		rc = f->dest->ops->note(f, dest_record(f) + DEST_HEAD_LEN +
		    index, &whole, 1, err);
	dest_answered(f->dest);
	if (rc == 0)
		f->have[index] = whole;
	return rc;
}

int
dest_flush(struct dest_file *f, struct err *err)
{
	int rc;

	dest_asks(f->dest);
	rc = f->dest->ops->flush(f, err);
	dest_answered(f->dest);
	return rc;
}

int
dest_read(struct dest_file *f, uint64_t offset, void *p, size_t len,
    struct err *err)
{
	ssize_t n = 0;

	if (offset <= f->size && len <= f->size - offset) {
		dest_asks(f->dest);
		n = f->dest->ops->pread(f, offset, p, len, err);
		dest_answered(f->dest);
		if (n == -1)
			return -1;
		if ((size_t)n == len)
			return 0;
	}
	return err_set(err, ERR_GONE, 0, "the file is shorter than before");
}
