/*
 * The whole ranges of the temporary file. A file of a single range is made anew
 * each time; a file of several ranges has a record, which dest_begin reads.
 */
#include <errno.h>

#include "dest/dest_internal.h"

#define RANGES_MAX (1U << 24)

/* The token stands behind the text, at the end of the head. */
#define TEXT_LEN (DEST_HEAD_LEN - DEST_TOKEN_LEN)
#define ETAG_MAX 256

static void
make_head(const struct dest_file *f, const struct dest_want *want,
    char head[DEST_HEAD_LEN])
{
	memset(head, 0, DEST_HEAD_LEN);
	snprintf(head, TEXT_LEN,
	    "datamover part 2\nsize %ju\nrange %ju\netag %s\n",
	    (uintmax_t)f->size, (uintmax_t)f->range, want->etag);
	if (want->token != NULL)
		memcpy(head + TEXT_LEN, want->token, DEST_TOKEN_LEN);
}

uint64_t
dest_record(const struct dest_file *f)
{
	return (f->size + DEST_ALIGN - 1) / DEST_ALIGN * DEST_ALIGN;
}

uint64_t
dest_part_end(const struct dest_file *f)
{
	return dest_record(f) + DEST_HEAD_LEN + f->count;
}

/* Read the record. Return 1 if the record's head equals head in the first same
 * bytes, 0 if the file has no such record, -1 on error. */
static int
read_record(struct dest_file *f, const char head[DEST_HEAD_LEN], size_t same,
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
	n = ops->pread(f, dest_record(f), old, sizeof(old), err);
	if (n == -1)
		return -1;
	if (n != DEST_HEAD_LEN || memcmp(old, head, same) != 0)
		return 0;
	n = ops->pread(f, dest_record(f) + DEST_HEAD_LEN, f->have, f->count,
	    err);
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
	return ops->note(f, dest_record(f), head, DEST_HEAD_LEN, err);
}

/* Write the new token: processes that joined with the old token can't join any
 * more, and holders of the new token can. EBUSY: the process that wrote this
 * file has finished the file meanwhile. Our file is not begun yet, so report
 * ESTALE: begin again. */
static int
write_token(struct dest_file *f, const char head[DEST_HEAD_LEN],
    struct err *err)
{
	int rc = f->dest->ops->note(f, dest_record(f) + TEXT_LEN,
	    head + TEXT_LEN, DEST_TOKEN_LEN, err);

	if (rc == -1 && err->code == EBUSY)
		err->code = ESTALE;
	return rc;
}

static int
take_up(struct dest_file *f, const struct dest_want *want, struct err *err)
{
	char head[DEST_HEAD_LEN];
	int rc;

	if (f->dest->ops->part_shared(f, err) == -1)
		return -1;
	f->recorded = true;
	make_head(f, want, head);
	rc = read_record(f, head, TEXT_LEN, err);
	if (rc == 1)
		rc = write_token(f, head, err) == -1 ? -1 : 1;
	if (rc != 0)
		return rc == -1 ? -1 : 0;
	f->recorded = false;
	if (write_record(f, head, err) == -1)
		return -1;
	f->recorded = true;
	return 0;
}

static int
set_ranges(struct dest_file *f, const struct dest_want *want, struct err *err)
{
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
	return 0;
}

/* Has the file several ranges, and an ETag by which a later run can recognize
 * the object? */
static bool
has_record(const struct dest_file *f, const struct dest_want *want)
{
	return f->count > 1 && want->etag != NULL && *want->etag != '\0' &&
	    strlen(want->etag) <= ETAG_MAX;
}

int
dest_part_open(struct dest_file *f, const struct dest_want *want,
    struct err *err)
{
	if (set_ranges(f, want, err) == -1)
		return -1;
	return has_record(f, want) ? take_up(f, want, err) :
	    f->dest->ops->part_new(f, err);
}

int
dest_part_join(struct dest_file *f, const struct dest_want *want,
    struct err *err)
{
	char head[DEST_HEAD_LEN];
	int rc;

	if (set_ranges(f, want, err) == -1)
		return -1;
	if (!has_record(f, want) || want->token == NULL)
		return err_set(err, ERR_BUG, 0, "nothing to join");
	f->recorded = true;
	f->joined = true;
	if (f->dest->ops->part_join(f, err) == -1)
		return -1;
	make_head(f, want, head);
	rc = read_record(f, head, DEST_HEAD_LEN, err);
	if (rc == 0)
		err_set(err, ERR_GONE, 0, "the temporary file is another");
	if (rc != 1)
		return -1;
	if (want->whole) {
		f->all_noted = true;
		for (uint32_t i = 0; i < f->count; i++)
			f->all_noted = f->all_noted && f->have[i] == 1;
		/* The joined processes have ended: this process removes the
		 * file after a fault. */
		memset(f->have, 1, f->count);
		f->joined = false;
	}
	return 0;
}
