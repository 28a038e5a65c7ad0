/*
 * The temporary file on a server: make or take up the file, write and read
 * bytes.
 */
#include "dest/nfs_internal.h"

#include <errno.h>

#define TRIES_MAX 8
#define AT_ONCE	64	/* WRITEs on the way */
#define EXIST	17

static struct dest_nfs *
dest_of(const struct dnfs_file *f)
{
	return dnfs_of(f->file.dest);
}

static void
keep(struct dnfs_file *f, const struct dnfs_entry *e)
{
	handle_copy(&f->fh, &e->fh);
	f->attrs = e->attrs;
	f->locked.unstable = f->locked.lost = false;
}

static int
clear_name(struct dnfs_file *f, struct err *err)
{
	if (dnfs_remove(dest_of(f), &f->dir, str_of(f->file.temp), false,
	    err) == -1)
		return err_wrap(err, "remove an old temporary file");
	return 0;
}

int
dnfs_part_new(struct dest_file *file, struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	struct dnfs_entry e;

	for (int i = 0; i < TRIES_MAX; i++) {
		if (dnfs_create(dest_of(f), &f->dir, str_of(file->temp), &e,
		    err) == 0) {
			keep(f, &e);
			f->fresh = true;
			return 0;
		}
		if (err->code != EXIST || clear_name(f, err) == -1)
			return -1;
	}
	return err_set(err, ERR_RETRY, 0, "another process writes this file");
}

/* Is uid the owner of files that we create? Servers may map root to another
 * user. */
static bool
is_our_owner(struct dnfs_file *f, uint32_t uid)
{
	struct dest_nfs *d = dest_of(f);
	char name[DEST_TEMP_LEN + 1];
	struct dnfs_entry e;
	struct err unused = ERR_INIT;
	int rc;

	if (uid == d->spec.access.uid)
		return true;
	/* No fetched file can have this probe name: dest_path refuses the
	 * name. */
	dest_temp_name(str_of(f->file.temp), name);
	rc = dnfs_remove(d, &f->dir, str_of(name), false, &unused);
	if (rc == 0)
		rc = dnfs_create(d, &f->dir, str_of(name), &e, &unused);
	if (rc == -1)
		return false;
	rc = dnfs_remove(d, &f->dir, str_of(name), false, &unused);
	return rc == 0 && e.attrs.uid == uid;
}

/* Bytes written by another process may exist only in the server's memory.
 * Commit before the caller reads the record and trusts the ranges: a later
 * COMMIT would not reveal a restart of the server in between, and may never
 * come. */
static int
make_stable(struct dnfs_file *f, struct err *err)
{
	struct dnfs_call k = { .call.proc = NFS_COMMIT };

	handle_copy(&k.call.fh, &f->fh);
	return dnfs_run(dest_of(f), &k, err);
}

int
dnfs_part_shared(struct dest_file *file, struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	struct dnfs_entry e;

	if (dnfs_lookup(dest_of(f), &f->dir, str_of(file->temp), &e, err) ==
	    -1) {
		if (err->kind != ERR_GONE)
			return -1;
		err_clear(err);
		return dnfs_part_new(file, err);
	}
	/* Take up only a file made by us and without a second name. */
	if (e.attrs.kind != ENTRY_FILE || e.nlink != 1 ||
	    !is_our_owner(f, e.attrs.uid))
		return dnfs_part_new(file, err);
	keep(f, &e);
	return make_stable(f, err);
}

int
dnfs_part_join(struct dest_file *file, struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	struct dnfs_entry e;

	if (dnfs_lookup(dest_of(f), &f->dir, str_of(file->temp), &e, err) ==
	    -1)
		return -1;
	/* Do not check the owner; the token identifies the file. */
	if (e.attrs.kind != ENTRY_FILE || e.nlink != 1)
		return err_set(err, ERR_GONE, 0,
		    "the temporary file is another");
	keep(f, &e);
	return 0;
}

int
dnfs_is_file(struct dnfs_file *f, const struct handle *fh,
    const struct attrs *a, bool last, struct err *err)
{
	struct dnfs_call k = { .call.proc = NFS_GETATTR, .last = last };

	if (handle_same(fh, &f->fh))
		return 1;
	if (a->ino != f->attrs.ino || a->fsid != f->attrs.fsid)
		return 0;
	handle_copy(&k.call.fh, &f->fh);
	if (dnfs_run(dest_of(f), &k, err) == 0)
		return 1;
	return err->code == ESTALE ? 0 : -1;
}

int
dnfs_part_check(struct dnfs_file *f, struct err *err)
{
	struct dnfs_entry e;
	int rc = dnfs_lookup(dest_of(f), &f->dir, str_of(f->file.temp), &e,
	    err);

	if (rc == -1 && err->kind != ERR_GONE)
		return -1;
	if (rc == 0)
		rc = dnfs_is_file(f, &e.fh, &e.attrs, false, err);
	else
		rc = 0;
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	return dest_taken(err);
}

int
dnfs_file_fault(struct dnfs_file *f, struct err *err)
{
	struct err why = ERR_INIT;

	if (err->code == ESTALE && dnfs_part_check(f, &why) == -1)
		*err = why;
	return -1;
}

int
dnfs_size(struct dest_file *file, uint64_t *ret_size, struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	struct attrs a;

	if (dnfs_getattr(dest_of(f), &f->fh, &a, err) == -1)
		return -1;
	*ret_size = a.size;
	return 0;
}

/* Make a new file: another process may still write to the old file. */
int
dnfs_clear(struct dest_file *file, uint64_t size, struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	struct attrs_set set = { .size = size, .has_size = true };

	if (!f->fresh && (clear_name(f, err) == -1 ||
	    dnfs_part_new(file, err) == -1))
		return -1;
	f->fresh = false;
	if (dnfs_setattr(dest_of(f), &f->fh, &set, err) == 0)
		return 0;
	err_wrap(err, "make room");
	return dnfs_file_fault(f, err);
}

/* --- bytes --- */

/* The verifier identifies a run of the server: after a change, bytes sent with
 * the former verifier may be lost. */
static void
take_answer(struct dnfs_file *f, const struct nfs_reply *r)
{
	pthread_mutex_lock(&f->lock);
	if (!r->stable) {
		if (f->locked.unstable && memcmp(f->locked.verf, r->verf,
		    sizeof(r->verf)) != 0)
			f->locked.lost = true;
		f->locked.unstable = true;
		memcpy(f->locked.verf, r->verf, sizeof(r->verf));
	}
	pthread_mutex_unlock(&f->lock);
}

/* Send a round of WRITEs side by side; *ret_went is the number of bytes written
 * without a gap. */
static int
write_round(struct dnfs_file *f, struct dnfs_call *calls, uint64_t offset,
    const uint8_t *p, size_t len, size_t *ret_went, struct err *err)
{
	struct dest_nfs *d = dest_of(f);
	size_t n = 0, at = 0;

	for (; n < AT_ONCE && at < len; n++) {
		struct dnfs_call *k = &calls[n];

		memset(k, 0, sizeof(*k));
		k->call.proc = NFS_WRITE;
		handle_copy(&k->call.fh, &f->fh);
		k->call.offset = offset + at;
		k->call.len = (uint32_t)MIN(len - at,
		    (size_t)d->write_max);
		k->change.data = p + at;
		/* A single WRITE for a small file is stable: no COMMIT is
		 * needed. */
		k->change.stable = k->call.len == f->file.size;
		at += k->call.len;
	}
	if (dnfs_run_all(d, calls, n, err) == -1)
		return -1;
	*ret_went = 0;
	for (size_t i = 0; i < n; i++)
		take_answer(f, &calls[i].reply);
	for (size_t i = 0; i < n; i++) {
		*ret_went += calls[i].reply.len;
		/* A server may write fewer bytes than the client sent. */
		if (calls[i].reply.len < calls[i].call.len)
			break;
	}
	return 0;
}

int
dnfs_pwrite(struct dest_file *file, uint64_t offset, const void *p,
    size_t len, struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	size_t at_once = MIN(len / dest_of(f)->write_max + 1, (size_t)AT_ONCE);
	AUTOFREE struct dnfs_call *calls = xcalloc(at_once, sizeof(*calls));
	const uint8_t *from = p;
	size_t went;

	while (len > 0) {
		if (write_round(f, calls, offset, from, len, &went, err) == -1)
			return dnfs_file_fault(f, err);
		from += went;
		offset += went;
		len -= went;
	}
	return 0;
}

int
dnfs_note(struct dest_file *file, uint64_t offset, const void *p, size_t len,
    struct err *err)
{
	if (dnfs_part_check(dnfs_file_of(file), err) == -1)
		return -1;
	return dnfs_pwrite(file, offset, p, len, err);
}

ssize_t
dnfs_pread(struct dest_file *file, uint64_t offset, void *p, size_t len,
    struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	struct dest_nfs *d = dest_of(f);
	uint8_t *to = p;
	size_t got = 0;

	while (got < len) {
		struct dnfs_call k = { .call.proc = NFS_READ,
		    .call.offset = offset + got, .call.buf = to + got };

		k.call.len = (uint32_t)MIN(len - got, (size_t)d->read_max);
		handle_copy(&k.call.fh, &f->fh);
		if (dnfs_run(d, &k, err) == -1)
			return -1;
		got += k.reply.len;
		if (k.reply.len == 0 || k.reply.eof)
			break;
	}
	return (ssize_t)got;
}
