/*
 * A destination on an NFS server: find the export, directories and files.
 */
#include "dest/nfs_internal.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/clock.h"

/* --- directories --- */

static int
make_dir(struct dest_nfs *d, const struct handle *dir, struct str name,
    struct dnfs_entry *e, struct err *err)
{
	struct dnfs_call k = { .call.proc = NFS_MKDIR, .call.name = name };

	handle_copy(&k.call.fh, dir);
	k.change.set.has_mode = true;
	k.change.set.mode = d->dest.dir_mode;
	/* EXIST: another thread was faster, or an answer was lost. */
	if (dnfs_run(d, &k, err) == -1 && err->code != 17)
		return err_wrap(err, "make directory");
	return dnfs_lookup(d, dir, name, e, err);
}

/* Enter the directory name in the directory dir; make the directory if make is
 * set. */
static int
enter(struct dest_nfs *d, struct handle *dir, struct str name,
    struct str shown, bool make, struct err *err)
{
	struct dnfs_entry e;
	char text[128];
	int rc = dnfs_lookup(d, dir, name, &e, err);

	if (rc == -1 && err->kind == ERR_GONE && make)
		rc = make_dir(d, dir, name, &e, err);
	if (rc == -1)
		return -1;
	if (e.attrs.kind != ENTRY_DIR)
		return err_set(err, ERR_INVALID, 0,
		    e.attrs.kind == ENTRY_LINK ?
		    "%s is a symlink: nothing is written through it" :
		    "%s is a file where a directory must be",
		    str_escape(shown, text, sizeof(text)));
	handle_copy(dir, &e.fh);
	return 0;
}

/* Get the parent directory of the file below root, and the file's name. */
static int
parent(struct dest_nfs *d, const struct handle *root, struct str rel,
    bool make, struct handle *dir, struct str *ret_name, struct err *err)
{
	size_t at = 0;

	handle_copy(dir, root);
	for (;;) {
		const char *slash = memchr(rel.p + at, '/', rel.len - at);
		struct str name = { rel.p + at, rel.len - at };

		if (slash == NULL) {
			*ret_name = name;
			return 0;
		}
		name.len = (size_t)(slash - name.p);
		if (enter(d, dir, name, (struct str){ rel.p, at + name.len },
		    make, err) == -1)
			return -1;
		at += name.len + 1;
	}
}

/* Walk from the export's root down to our root. */
static int
find_root(struct dest_nfs *d, struct handle *root, struct err *err)
{
	const char *rest = d->rest;
	size_t skip = strlen(d->path) - strlen(d->rest);

	for (;;) {
		struct str name;

		rest += strspn(rest, "/");
		if (*rest == '\0')
			return 0;
		name = (struct str){ rest, strcspn(rest, "/") };
		rest += name.len;
		if (enter(d, root, name, (struct str){ d->path, skip +
		    (size_t)(rest - d->rest) }, false, err) == -1)
			return -1;
	}
}

/* A thread's handle of the root is stale, as after a failover: find the root by
 * path. Another thread may have found the root already. */
static int
root_again(struct dest_nfs *d, struct handle *root, struct err *err)
{
	struct handle now;
	int rc = 0;

	pthread_mutex_lock(&d->again_lock);
	dnfs_root(d, &now);
	if (handle_same(&now, root)) {
		rc = dnfs_export_again(d, &now, err);
		if (rc == 0)
			rc = find_root(d, &now, err);
		if (rc == 0)
			dnfs_set_root(d, &now);
	}
	pthread_mutex_unlock(&d->again_lock);
	if (rc == 0)
		handle_copy(root, &now);
	return rc;
}

/* --- looking --- */

/* Find the place of the file: the directory, the name, and the existing entry.
 * GONE: no entry exists, or, with len 0 of dir, not even the directory
 * exists. */
static int
find(struct dest_nfs *d, struct str rel, bool make, struct handle *dir,
    struct str *ret_name, struct dnfs_entry *e, struct err *err)
{
	struct handle root;

	dnfs_root(d, &root);
	for (int tries = 0;; tries++) {
		if (parent(d, &root, rel, make, dir, ret_name, err) == -1)
			dir->len = 0;
		else if (dnfs_lookup(d, dir, *ret_name, e, err) == 0)
			return 0;
		if (err->code != ESTALE || tries > 0 ||
		    root_again(d, &root, err) == -1)
			return -1;
	}
}

static int
look(struct dest *dest, struct str rel, struct attrs *ret, struct err *err)
{
	struct handle dir;
	struct dnfs_entry e;
	struct str name;

	if (find(dnfs_of(dest), rel, false, &dir, &name, &e, err) == -1)
		return -1;
	*ret = e.attrs;
	return 0;
}

static struct dnfs_file *
new_file(struct dest *dest)
{
	struct dnfs_file *f = xcalloc(1, sizeof(*f));

	f->file.dest = dest;
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

static int
existing(struct dest *dest, struct str rel, struct dest_file **ret_file,
    struct attrs *ret_attrs, struct err *err)
{
	struct dnfs_file *f;
	struct handle dir;
	struct dnfs_entry e;
	struct str name;

	if (find(dnfs_of(dest), rel, false, &dir, &name, &e, err) == -1)
		return -1;
	if (e.attrs.kind != ENTRY_FILE)
		return err_set(err, ERR_INVALID, 0, "not a regular file");
	f = new_file(dest);
	handle_copy(&f->fh, &e.fh);
	f->attrs = *ret_attrs = e.attrs;
	f->file.size = e.attrs.size;
	*ret_file = &f->file;
	return 0;
}

static int
begin(struct dest *dest, struct str rel, struct dest_file **ret_file,
    struct err *err)
{
	struct dnfs_file *f;
	struct handle dir;
	struct dnfs_entry e;
	struct str name;

	/* Fail before the data is fetched rather than at the rename. */
	if (find(dnfs_of(dest), rel, true, &dir, &name, &e, err) == 0) {
		if (e.attrs.kind == ENTRY_DIR)
			return dest_in_the_way(err);
	} else if (err->kind != ERR_GONE || dir.len == 0) {
		return -1;
	}
	err_clear(err);
	f = new_file(dest);
	handle_copy(&f->dir, &dir);
	f->file.name = xstrndup(name.p, name.len);
	dest_temp_name(name, f->file.temp);
	*ret_file = &f->file;
	return 0;
}

/* --- opening --- */

static void
stop(struct dest *dest, uint64_t limit_ms)
{
	struct dest_nfs *d = dnfs_of(dest);
	uint64_t at = clock_mono_ms() + limit_ms;

	/* A second stop may set an earlier time. */
	if (at < atomic_load(&d->stop_at_ms))
		atomic_store(&d->stop_at_ms, at);
	/* Open no further connections. */
	atomic_store(&d->stopping, true);
}

static void
free_nfs(struct dest *dest)
{
	struct dest_nfs *d = dnfs_of(dest);

	dnfs_drop_idle(d);
	pthread_mutex_destroy(&d->lock);
	pthread_mutex_destroy(&d->again_lock);
	free(d->server);
	free(d->share);
	free(d->path);
	free(d->rest);
	free(d);
}

static bool
no_such_export(const struct err *err)
{
	/* PERM, NOENT, ACCES, NOTDIR, INVAL, NAMETOOLONG */
	return err->code == 1 || err->code == 2 || err->code == 13 ||
	    err->code == 20 || err->code == 22 || err->code == 63;
}

static void
set_share(struct dest_nfs *d, const char *path, size_t len)
{
	free(d->share);
	d->share = len == 0 ? xstrdup("/") : xstrndup(path, len);
	d->spec.share = d->share;
}

/* Find the longest beginning of path that mounts; ret_rest is the rest of the
 * path. */
static int
find_export(struct dest_nfs *d, const char *path, const char **ret_rest,
    struct err *err)
{
	size_t len = strlen(path);

	for (;;) {
		set_share(d, path, len);
		*ret_rest = path + len;
		if (dnfs_first(d, err) == 0)
			return 0;
		if (!no_such_export(err))
			return -1;
		if (len == 0)
			return err_set(err, ERR_UNREACHABLE, 0,
			    "%s exports nothing that holds %.120s to us",
			    d->server, path);
		while (len > 0 && path[len - 1] != '/')
			len--;
		while (len > 0 && path[len - 1] == '/')
			len--;
	}
}

/* NFSv4 has a single tree with all exports below a common root: mount "/". */
static int
mount_version(struct dest_nfs *d, const struct tree_spec *spec,
    const char *path, unsigned version, const char **ret_rest,
    struct err *err)
{
	size_t len;

	d->spec.access.nfs_version = version;
	if (spec->share != NULL) {
		len = strlen(spec->share);
		set_share(d, spec->share, len);
		*ret_rest = path + (len == 1 ? 0 : len);
		return dnfs_first(d, err);
	}
	if (version == 3)
		return find_export(d, path, ret_rest, err);
	set_share(d, "/", 1);
	*ret_rest = path;
	return dnfs_first(d, err);
}

static int
mount_any(struct dest_nfs *d, const struct tree_spec *spec, const char *path,
    const char **ret_rest, struct err *err)
{
	struct err err3 = ERR_INIT;

	if (spec->access.nfs_version != 0)
		return mount_version(d, spec, path, spec->access.nfs_version,
		    ret_rest, err);
	if (mount_version(d, spec, path, 3, ret_rest, &err3) == 0 ||
	    mount_version(d, spec, path, 4, ret_rest, err) == 0)
		return 0;
	return err_wrap(err, "NFSv3: %.90s; NFSv4", err3.msg);
}

/* At the first look-up, a missing path is a wrong option (USAGE). */
static int
first_root(struct dest_nfs *d, struct err *err)
{
	struct handle root;

	dnfs_root(d, &root);
	if (find_root(d, &root, err) == 0) {
		dnfs_set_root(d, &root);
		return 0;
	}
	if (err->kind == ERR_GONE || err->kind == ERR_INVALID) {
		err->kind = ERR_USAGE;
		err_wrap(err, "the destination must be a directory");
	}
	return -1;
}

int
dest_open_nfs(struct dest **ret_dest, const struct tree_spec *spec,
    const char *path, uint64_t retry_for_ms, struct err *err)
{
	static const struct dest_ops ops = {
		.free = free_nfs,
		.stop = stop,
		.look = look,
		.existing = existing,
		.begin = begin,
		.part_new = dnfs_part_new,
		.part_shared = dnfs_part_shared,
		.part_join = dnfs_part_join,
		.flush = dnfs_flush,
		.size = dnfs_size,
		.clear = dnfs_clear,
		.pwrite = dnfs_pwrite,
		.pread = dnfs_pread,
		.note = dnfs_note,
		.restore = dnfs_restore,
		.commit = dnfs_commit,
		.close = dnfs_close,
	};
	struct dest_nfs *d = xcalloc(1, sizeof(*d));
	const char *rest;
	int rc;

	*ret_dest = NULL;
	dest_init(&d->dest, &ops);
	pthread_mutex_init(&d->lock, NULL);
	pthread_mutex_init(&d->again_lock, NULL);
	d->server = xstrdup(spec->server);
	d->spec = *spec;
	d->spec.server = d->server;
	d->spec.stop = &d->stopping;
	atomic_store(&d->stop_at_ms, UINT64_MAX);
	d->path = xstrdup(path);
	rc = mount_any(d, spec, path, &rest, err);
	if (rc == 0) {
		d->rest = xstrdup(rest);
		rc = first_root(d, err);
	}
	if (rc == -1) {
		free_nfs(&d->dest);
		return err_wrap(err, "destination %s:%.100s", spec->server,
		    path);
	}
	/* Be patient from now on; while opening, a wrong name must fail at
	 * once. */
	d->retry_for_ms = retry_for_ms;
	*ret_dest = &d->dest;
	return 0;
}
