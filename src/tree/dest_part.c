/*
 * What of the temporary file is whole. One of a single range is made anew
 * each time; one of several has a record, which is read.
 */
#include "tree/dest_impl.h"

#define RANGES_MAX (1U << 24)

static void
make_head(const struct dest_file *f, const char *etag,
    char head[DEST_HEAD_LEN])
{
	memset(head, 0, DEST_HEAD_LEN);
	snprintf(head, DEST_HEAD_LEN,
	    "datamover part 1\nsize %ju\nrange %ju\netag %s\n",
	    (uintmax_t)f->size, (uintmax_t)f->range, etag);
}

uint64_t
dest_part_end(const struct dest_file *f)
{
	return f->size + DEST_HEAD_LEN + f->count;
}

/* 1: the record is of the same file and is read; 0: it isn't. */
static int
read_record(struct dest_file *f, const char head[DEST_HEAD_LEN],
    struct err *err)
{
	char old[DEST_HEAD_LEN];
	const struct dest_ops *ops = f->dest->ops;
	uint64_t size;
	ssize_t n;

	if (ops->size(f, &size, err) == -1)
		return -1;
	if (size != dest_part_end(f))
		return 0;
	n = ops->pread(f, f->size, old, sizeof(old), err);
	if (n == -1)
		return -1;
	if (n != DEST_HEAD_LEN || memcmp(old, head, sizeof(old)) != 0)
		return 0;
	n = ops->pread(f, f->size + DEST_HEAD_LEN, f->have, f->count, err);
	if (n == -1)
		return -1;
	return n == (ssize_t)f->count;
}

/* The head comes last: killed before, the next run starts anew. */
static int
write_record(struct dest_file *f, const char head[DEST_HEAD_LEN],
    struct err *err)
{
	const struct dest_ops *ops = f->dest->ops;

	memset(f->have, 0, f->count);
	if (ops->clear(f, dest_part_end(f), err) == -1)
		return -1;
	return ops->note(f, f->size, head, DEST_HEAD_LEN, err);
}

static int
take_up(struct dest_file *f, const char *etag, struct err *err)
{
	char head[DEST_HEAD_LEN];
	int rc;

	if (f->dest->ops->part_shared(f, err) == -1)
		return -1;
	f->recorded = true;
	make_head(f, etag, head);
	rc = read_record(f, head, err);
	if (rc != 0)
		return rc == -1 ? -1 : 0;
	f->recorded = false;
	if (write_record(f, head, err) == -1)
		return -1;
	f->recorded = true;
	return 0;
}

int
dest_part_open(struct dest_file *f, const struct dest_want *want,
    struct err *err)
{
	const char *etag = want->etag == NULL ? "" : want->etag;
	uint64_t count;

	f->size = want->size;
	f->range = want->range == 0 || want->range > want->size ?
	    want->size : want->range;
	count = f->size == 0 ? 0 : (f->size - 1) / f->range + 1;
	if (count > RANGES_MAX || f->size > INT64_MAX / 2)
		return err_set(err, ERR_INVALID, 0,
		    "%ju bytes in ranges of %ju are too many",
		    (uintmax_t)f->size, (uintmax_t)f->range);
	f->count = (uint32_t)count;
	f->have = xcalloc(f->count, 1);
	/* The head has room for it, if it is an ETag. */
	if (f->count < 2 || *etag == '\0' || strlen(etag) > 256)
		return f->dest->ops->part_new(f, err);
	return take_up(f, etag, err);
}
