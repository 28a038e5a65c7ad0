#include "dest/nfs_internal.h"

static struct dest_nfs *
dest_of(const struct dnfs_file *f)
{
	return dnfs_of(f->file.dest);
}

/* Set the owner first: a change of the owner clears the set-id bits, even in
 * the same call. Without the owner, set-id bits would apply to another user. */
static int
set_owner(struct dnfs_file *f, const struct attrs *now,
    const struct dest_meta *m, struct err *err)
{
	struct attrs_set set = { .has_owner = true, .uid = m->uid,
	    .gid = m->gid };

	if (now->uid == m->uid && now->gid == m->gid)
		return 0;
	if (dnfs_setattr(dest_of(f), &f->fh, &set, err) == -1)
		return err_wrap(err, "set the owner");
	return 0;
}

/* NFSv3 has 32 bits for seconds, unsigned (RFC 1813, 2.5). */
static bool
can_carry(const struct dest_nfs *d, int64_t mtime_ns)
{
	return d->spec.access.nfs_version != 3 || (mtime_ns >= 0 &&
	    mtime_ns / 1000000000 <= UINT32_MAX);
}

/* A server whose file system can't hold the mtime may have stored the nearest
 * possible date: set the former mtime again in this case. */
static int
check_mtime(struct dnfs_file *f, int64_t mtime_ns, int64_t before_ns,
    struct err *err)
{
	struct attrs_set set = { .mtime_ns = before_ns, .has_mtime = true };
	struct attrs now;

	if (!dest_mtime_is_odd(mtime_ns))
		return 0;
	if (dnfs_getattr(dest_of(f), &f->fh, &now, err) == -1)
		return -1;
	if (now.mtime_ns == MTIME_NONE ||
	    now.mtime_ns / 1000000000 == mtime_ns / 1000000000)
		return 0;
	f->file.mtime_refused = true;
	return dnfs_setattr(dest_of(f), &f->fh, &set, err);
}

/* Set the mode and the mtime, if different or if all is set, in a single
 * call. */
static int
set_rest(struct dnfs_file *f, const struct attrs *now, uint32_t mode,
    const struct dest_meta *m, bool all, struct err *err)
{
	bool carried = can_carry(dest_of(f), m->mtime_ns);
	struct attrs_set set = {
		.mode = mode,
		.mtime_ns = m->mtime_ns,
		.has_mode = all || mode != now->mode,
		.has_mtime = m->has_mtime && carried &&
		    (all || m->mtime_ns != now->mtime_ns),
	};

	f->file.mtime_refused = m->has_mtime && !carried;
	if (!set.has_mode && !set.has_mtime)
		return 0;
	if (dnfs_setattr(dest_of(f), &f->fh, &set, err) == -1 ||
	    (set.has_mtime && check_mtime(f, m->mtime_ns, now->mtime_ns,
	    err) == -1))
		return err_wrap(err, "set mode and mtime");
	return 0;
}

int
dnfs_restore(struct dest_file *file, const struct dest_meta *m, bool as_root,
    struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	bool owner = as_root && m->has_owner;
	struct attrs now;

	if (dnfs_getattr(dest_of(f), &f->fh, &now, err) == -1 ||
	    (owner && set_owner(f, &now, m, err) == -1))
		return -1;
	/* The owner may have taken bits away. */
	if (owner && dnfs_getattr(dest_of(f), &f->fh, &now, err) == -1)
		return -1;
	return set_rest(f, &now, m->has_mode ? m->mode & (owner ? 07777U :
	    0777U) : now.mode, m, false, err);
}

/* On the server's disk. */
int
dnfs_flush(struct dest_file *file, struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);
	struct dnfs_call k = { .call.proc = NFS_COMMIT };
	bool whole;

	if (!f->locked.unstable)
		return 0;
	handle_copy(&k.call.fh, &f->fh);
	if (dnfs_run(dest_of(f), &k, err) == -1)
		return dnfs_file_fault(f, err);
	whole = !f->locked.lost && memcmp(f->locked.verf, k.reply.verf,
	    sizeof(k.reply.verf)) == 0;
	/* The COMMIT made all present bytes stable. */
	f->locked.unstable = f->locked.lost = false;
	if (whole)
		return 0;
	return err_set(err, ERR_RETRY, 0, "the server restarted, and may have "
	    "lost what was written before");
}

static int
cut(struct dnfs_file *f, struct err *err)
{
	struct attrs_set set = { .size = f->file.size, .has_size = true };

	if (!f->file.recorded)
		return 0;
	if (dnfs_setattr(dest_of(f), &f->fh, &set, err) == -1)
		return err_wrap(err, "cut to size");
	return 0;
}

static int
put_in_place(struct dnfs_file *f, struct err *err)
{
	struct dnfs_call k = { .call.proc = NFS_RENAME,
	    .call.name = str_of(f->file.temp),
	    .change.to_name = str_of(f->file.name) };
	struct err unused = ERR_INIT;
	struct dnfs_entry e;
	int rc;

	if (dnfs_part_check(f, err) == -1)
		return -1;
	handle_copy(&k.call.fh, &f->dir);
	handle_copy(&k.change.to, &f->dir);
	rc = dnfs_run(dest_of(f), &k, err);
	/* The first answer may have been lost, and the second RENAME found no
	 * temporary file. */
	if (rc == -1 && err->kind == ERR_GONE && dnfs_lookup(dest_of(f),
	    &f->dir, str_of(f->file.name), &e, &unused) == 0 &&
	    dnfs_is_file(f, &e.fh, &e.attrs, false, &unused) == 1)
		rc = 0;
	if (rc == 0) {
		f->file.in_place = true;
		return 0;
	}
	/* EXIST, ISDIR, NOTEMPTY */
	if (err->code == 17 || err->code == 21 || err->code == 66)
		return dest_in_the_way(err);
	return -1;
}

static int
finish(struct dnfs_file *f, const struct dest_meta *m, bool as_root,
    struct err *err)
{
	bool owner = as_root && m->has_owner;
	uint32_t mode = m->has_mode ? m->mode & (owner ? 07777U : 0777U) :
	    f->file.dest->file_mode;
	struct attrs now;

	/* Do the slow and failing steps first, while the record still
	 * exists. */
	if (dnfs_flush(&f->file, err) == -1 ||
	    dnfs_getattr(dest_of(f), &f->fh, &now, err) == -1 ||
	    (owner && set_owner(f, &now, m, err) == -1) || cut(f, err) == -1)
		return -1;
	if (set_rest(f, &now, mode, m, true, err) == -1)
		return -1;
	return put_in_place(f, err);
}

int
dnfs_commit(struct dest_file *file, const struct dest_meta *m, bool as_root,
    bool sync UNUSED, struct err *err)
{
	struct dnfs_file *f = dnfs_file_of(file);

	if (file->in_place || finish(f, m, as_root, err) == 0)
		return 0;
	return dnfs_file_fault(f, err);
}

/* Remove the temporary file, without patience: the next run will find a
 * left-over. */
static void
remove_part(struct dnfs_file *f)
{
	struct str name = str_of(f->file.temp);
	struct dnfs_call k = { .call.proc = NFS_LOOKUP, .call.name = name,
	    .last = true };
	struct err err = ERR_INIT;

	handle_copy(&k.call.fh, &f->dir);
	if (dnfs_run(dest_of(f), &k, &err) == -1)
		return;
	/* Another process may have made a new file of this name. */
	if (k.reply.attrs.kind != ENTRY_UNKNOWN && dnfs_is_file(f,
	    &k.reply.fh, &k.reply.attrs, true, &err) != 1)
		return;
	if (dnfs_remove(dest_of(f), &f->dir, name, true, &err) == -1)
		err_clear(&err);
}

void
dnfs_close(struct dest_file *file, bool remove)
{
	struct dnfs_file *f = dnfs_file_of(file);

	if (remove && f->fh.len > 0)
		remove_part(f);
	pthread_mutex_destroy(&f->lock);
	free(file->name);
	free(f);
}
