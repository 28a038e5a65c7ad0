/*
 * Look paths up and read files over NFS. A request begins with the handle, if
 * the caller gave a handle. A path is walked component by component from the
 * root; the walk finds a file that was replaced on the server.
 */
#include <errno.h>

#include "tree/nfs_internal.h"
#include "tree/walk.h"

/* A path that is being walked. */
struct lookup {
	struct nfs_call call;
	const struct nfs_tree *tree;
	tree_lookup_fn *fn;
	void	*arg;
	char	*path;		/* as asked */
	size_t	 path_len;
	struct walk walk;
	/* The directories from the root down to the current directory. */
	struct handle *dirs;
	size_t	 dirs_len;
	size_t	 dirs_cap;
	struct handle fh;	/* of the entry reached */
	struct buf at;		/* raw path of the last directory; kept only if
				   there are exports below the export */
	const struct nfs_nested *nested; /* the nested export met last */
	bool	 follow;
	bool	 inside;	/* begins in a directory, not at the root */
	bool	 mounted_again;	/* the root was stale: no second time */
	struct nfs_waiter waiter;
};

static void step(struct lookup *);

static void
end_lookup(struct lookup *k, const struct attrs *attrs, const struct err *err)
{
	struct tree_entry e = { .err = ERR_INIT };

	if (err == NULL) {
		e.name = path_name((struct str){ k->path, k->path_len });
		e.attrs = *attrs;
		handle_copy(&e.fh, &k->fh);
	}
	k->fn(k->arg, err == NULL ? &e : NULL, err);
	walk_release(&k->walk);
	buf_release(&k->at);
	free(k->dirs);
	free(k->path);
	free(k);
}

static void
fail_lookup(struct lookup *k, enum err_kind kind, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, kind, 0, "lookup: %s", text);
	end_lookup(k, NULL, &err);
}

/* Fail: nothing can lie below the entry that was reached, except below a
 * symlink where the tree follows symlinks. */
static void
fail_below(struct lookup *k, enum entry_kind kind)
{
	struct err err = ERR_INIT;
	bool passable = kind == ENTRY_LINK && k->tree->tree.follow;

	err_set(&err, ERR_GONE, passable ? ELOOP : ENOTDIR, "lookup: %s",
	    kind == ENTRY_LINK ? "a symlink on the way" :
	    "not a directory any more");
	end_lookup(k, NULL, &err);
}

static void
push_dir(struct lookup *k, const struct handle *fh)
{
	if (k->dirs_len == k->dirs_cap) {
		k->dirs_cap = k->dirs_cap == 0 ? 8 : 2 * k->dirs_cap;
		k->dirs = xreallocarray(k->dirs, k->dirs_cap,
		    sizeof(*k->dirs));
	}
	handle_copy(&k->dirs[k->dirs_len++], fh);
}

static void
on_link(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct lookup *k = (struct lookup *)call;
	struct err fault = ERR_INIT;

	if (err != NULL)
		end_lookup(k, NULL, err);
	else if (walk_splice(&k->walk, reply->link, &fault) == -1)
		end_lookup(k, NULL, &fault);
	else
		step(k);
}

/* Append the entry's name to the path in at. */
static void
go_into(struct lookup *k, struct str name)
{
	if (k->at.len > 0)
		buf_addch(&k->at, '/');
	buf_add(&k->at, name.p, name.len);
}

static void
go_up(struct lookup *k)
{
	while (k->at.len > 0 && k->at.data[--k->at.len] != '/')
		;
}

/* The walk reached an entry with known attributes: go on below the entry, or
 * end. */
static void
reached(struct lookup *k, const struct attrs *attrs)
{
	if (attrs->kind == ENTRY_LINK && k->follow) {
		k->call.proc = NFS_READLINK;
		k->call.done = on_link;
		handle_copy(&k->call.fh, &k->fh);
		tnfs_begin(k->call.nfs, &k->call);
	} else if (walk_at_end(&k->walk)) {
		end_lookup(k, attrs, NULL);
	} else if (attrs->kind != ENTRY_DIR) {
		fail_below(k, attrs->kind);
	} else {
		push_dir(k, &k->fh);
		if (k->call.nfs->nested_count > 0)
			go_into(k, k->call.name);
		step(k);
	}
}

static void
on_mounted_again(void *arg, const struct err *err)
{
	struct lookup *k = arg;

	if (err != NULL) {
		end_lookup(k, NULL, err);
		return;
	}
	k->dirs_len = 0;
	buf_clear(&k->at);
	push_dir(k, &k->call.nfs->root.fh);
	walk_release(&k->walk);
	walk_init(&k->walk, (struct str){ k->path, k->path_len });
	step(k);
}

static bool
is_root_now(const struct lookup *k)
{
	const struct handle *a = &k->dirs[0], *b = &k->call.nfs->root.fh;

	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Begin again from the root of the export after a new mount. Another look-up
 * may have mounted the export again already. */
static void
root_stale(struct lookup *k)
{
	if (k->mounted_again) {
		fail_lookup(k, ERR_RETRY, "the root of the export is stale");
	} else if (is_root_now(k)) {
		k->mounted_again = true;
		k->waiter.fn = on_mounted_again;
		k->waiter.arg = k;
		tnfs_mount_again(k->call.nfs, &k->waiter);
	} else {
		on_mounted_again(k, NULL);
	}
}

static void
on_attrs(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct lookup *k = (struct lookup *)call;

	if (err == NULL && reply->attrs.kind != ENTRY_UNKNOWN)
		reached(k, &reply->attrs);
	else if (err == NULL)
		fail_lookup(k, ERR_PEER, "the server gave no attributes");
	else if (k->dirs_len == 1 && tnfs_is_stale(err) && k->path_len == 0)
		root_stale(k);
	else
		end_lookup(k, NULL, err);
}

static void
ask_attrs(struct lookup *k)
{
	k->call.proc = NFS_GETATTR;
	k->call.done = on_attrs;
	handle_copy(&k->call.fh, &k->fh);
	tnfs_begin(k->call.nfs, &k->call);
}

static void
on_component(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct lookup *k = (struct lookup *)call;

	if (err != NULL && tnfs_is_stale(err)) {
		/* The stale handle is not the entry's: the directory found a
		 * moment ago is stale, or the whole export. */
		if (k->dirs_len == 1 && !k->inside)
			root_stale(k);
		else
			fail_lookup(k, ERR_RETRY,
			    "a directory was replaced meanwhile");
	} else if (err != NULL) {
		end_lookup(k, NULL, err);
	} else {
		handle_copy(&k->fh, &reply->fh);
		if (reply->attrs.kind == ENTRY_UNKNOWN)
			ask_attrs(k);
		else
			reached(k, &reply->attrs);
	}
}

static void
on_refused(struct nfs_call *call, const struct nfs_reply *reply UNUSED,
    const struct err *err)
{
	struct lookup *k = (struct lookup *)call;

	end_lookup(k, NULL, err->kind == ERR_STOPPED ? err : &k->nested->err);
}

/* Return true if the next component is an export nested in this export. If the
 * nested export has been mounted, go on from the root of the nested export; if
 * not, the look-up fails. */
static bool
nested_step(struct lookup *k, struct str name)
{
	struct nfs *nfs = k->call.nfs;
	size_t len = k->at.len;

	if (nfs->nested_count == 0)
		return false;
	go_into(k, name);
	k->nested = tnfs_nested_at(nfs, buf_str(&k->at));
	k->at.len = len;
	if (k->nested == NULL)
		return false;
	k->call.name = name;
	if (k->nested->fh.len > 0) {
		handle_copy(&k->fh, &k->nested->fh);
		ask_attrs(k);
		return true;
	}
	/* Queue a failed call: the callback must not run inside the caller's
	 * call. */
	k->call.proc = NFS_LOOKUP;
	k->call.done = on_refused;
	k->call.fail_kind = k->nested->err.kind;
	k->call.fail_text = "it can't be mounted";
	TAILQ_INSERT_TAIL(&nfs->failed, &k->call, link);
	return true;
}

static void
step(struct lookup *k)
{
	struct str name;

	switch (walk_next(&k->walk, &name)) {
	case WALK_END:
		handle_copy(&k->fh, &k->dirs[k->dirs_len - 1]);
		ask_attrs(k);
		return;
	case WALK_UP:
		k->dirs_len--;
		go_up(k);
		handle_copy(&k->fh, &k->dirs[k->dirs_len - 1]);
		step(k);
		return;
	case WALK_OUTSIDE:
		fail_lookup(k, ERR_GONE, "a symlink leads out of the tree");
		return;
	case WALK_NAME:
		break;
	}
	if (name.len > PATH_NAME_MAX) {
		fail_lookup(k, ERR_INVALID, "name too long");
		return;
	}
	if (nested_step(k, name))
		return;
	k->call.proc = NFS_LOOKUP;
	k->call.done = on_component;
	k->call.name = name;
	handle_copy(&k->call.fh, &k->dirs[k->dirs_len - 1]);
	tnfs_begin(k->call.nfs, &k->call);
}

static void
on_invalid(struct nfs_call *call, const struct nfs_reply *reply UNUSED,
    const struct err *err)
{
	struct lookup *k = (struct lookup *)call;

	if (err->kind == ERR_STOPPED)
		end_lookup(k, NULL, err);
	else
		fail_lookup(k, ERR_INVALID, "not a path inside of the tree");
}

static struct lookup *
new_lookup(struct tree *tree, struct str path, tree_lookup_fn *fn, void *arg)
{
	struct lookup *k = xcalloc(1, sizeof(*k));

	k->fn = fn;
	k->arg = arg;
	k->path = path_copy(path);
	k->path_len = path.len;
	k->tree = (struct nfs_tree *)tree;
	k->call.nfs = k->tree->nfs;
	buf_init(&k->at, WALK_PATH_MAX);
	return k;
}

static void
begin_lookup(struct lookup *k, const struct handle *at)
{
	struct str path = { k->path, k->path_len };

	push_dir(k, at);
	if (path_valid(path)) {
		step(k);
		return;
	}
	/* Queue a failed call: the callback must not run inside this call. */
	k->call.proc = NFS_LOOKUP;
	k->call.done = on_invalid;
	k->call.fail_kind = ERR_INVALID;
	k->call.fail_text = "not a path inside of the tree";
	TAILQ_INSERT_TAIL(&k->call.nfs->failed, &k->call, link);
}

void
nfs_tree_lookup(struct tree *tree, struct str path, bool follow,
    tree_lookup_fn *fn, void *arg)
{
	struct lookup *k = new_lookup(tree, path, fn, arg);

	k->follow = follow;
	walk_init(&k->walk, path);
	begin_lookup(k, &tree->root->fh);
}

void
nfs_tree_lookup_in(struct tree *tree, const struct handle *dir, struct str path,
    tree_lookup_fn *fn, void *arg)
{
	struct lookup *k = new_lookup(tree, path, fn, arg);

	k->inside = true;
	buf_add(&k->at, path.p, path.len);
	go_up(k);
	walk_init(&k->walk, path_name(path));
	begin_lookup(k, dir);
}

struct nfs_file {
	struct tree_file file;
	struct handle fh;
	size_t	 path_len;
	char	 path[];
};

struct tree_file *
nfs_tree_file_open(struct tree *tree UNUSED, const struct handle *fh,
    struct str path)
{
	struct nfs_file *f = xmalloc(sizeof(*f) + path.len + 1);

	f->fh.len = 0;
	if (fh != NULL)
		handle_copy(&f->fh, fh);
	f->path_len = path.len;
	if (path.len > 0)
		memcpy(f->path, path.p, path.len);
	f->path[path.len] = '\0';
	return &f->file;
}

void
nfs_tree_file_close(struct tree_file *file)
{
	free(file);
}

/* A tree_file_read or, with stat set, a tree_file_stat. */
struct access {
	struct nfs_call call;
	struct nfs_file *file;
	tree_read_fn *read;
	tree_lookup_fn *stat;
	void	*arg;
	uint64_t offset;
	uint32_t len;
	uint32_t got;
	char	*buf;
	struct attrs attrs;
	bool	 found_again;
};

static void begin_access(struct access *);

static void
end_access(struct access *a, bool eof, const struct err *err)
{
	struct nfs_file *f = a->file;
	tree_read_fn *read = a->read;
	tree_lookup_fn *stat = a->stat;
	void *arg = a->arg;
	struct tree_read res = { .len = a->got, .eof = eof,
	    .attrs = a->attrs };

	free(a);
	f->file.outstanding--;
	if (stat == NULL) {
		read(arg, err == NULL ? &res : NULL, err);
	} else {
		struct tree_entry e = { .err = ERR_INIT };

		e.name = path_name((struct str){ f->path, f->path_len });
		e.attrs = res.attrs;
		handle_copy(&e.fh, &f->fh);
		stat(arg, err == NULL ? &e : NULL, err);
	}
}

static void
on_file_found(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct access *a = arg;
	struct err not_file = ERR_INIT;

	if (err != NULL) {
		end_access(a, false, err);
		return;
	}
	handle_copy(&a->file->fh, &e->fh);
	if (a->stat != NULL) {
		a->attrs = e->attrs;
		end_access(a, false, NULL);
	} else if (e->attrs.kind != ENTRY_FILE) {
		err_set(&not_file, ERR_GONE, 0, "read: a %s, not a file "
		    "any more", entry_kind_name(e->attrs.kind));
		end_access(a, false, &not_file);
	} else {
		/* Read from the beginning again: the bytes read so far came
		 * from another file. */
		a->got = 0;
		begin_access(a);
	}
}

static void
find_file(struct access *a)
{
	struct nfs_file *f = a->file;

	a->found_again = true;
	nfs_tree_lookup(f->file.tree, (struct str){ f->path, f->path_len },
	    f->file.tree->follow,
	    on_file_found, a);
}

static void
on_access(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct access *a = (struct access *)call;
	struct err fault = ERR_INIT;

	if (err != NULL) {
		if (tnfs_is_stale(err) && !a->found_again &&
		    a->file->path_len > 0)
			find_file(a);
		else
			end_access(a, false, err);
		return;
	}
	a->attrs = reply->attrs;
	if (call->proc == NFS_GETATTR) {
		end_access(a, false, NULL);
		return;
	}
	a->got += reply->len;
	if (reply->eof || a->got == a->len) {
		end_access(a, reply->eof, NULL);
	} else if (reply->len == 0) {
		err_set(&fault, ERR_PEER, 0, "read: the server gave no bytes "
		    "before the end of the file");
		end_access(a, false, &fault);
	} else {
		begin_access(a);
	}
}

static void
begin_access(struct access *a)
{
	struct nfs_call *call = &a->call;

	call->proc = a->stat != NULL ? NFS_GETATTR : NFS_READ;
	call->done = on_access;
	handle_copy(&call->fh, &a->file->fh);
	call->offset = a->offset + a->got;
	call->len = a->len - a->got;
	call->buf = a->buf + a->got;
	tnfs_begin(((struct nfs_tree *)a->file->file.tree)->nfs, call);
}

static struct access *
new_access(struct tree_file *file, void *arg)
{
	struct access *a = xmalloc(sizeof(*a));

	a->file = (struct nfs_file *)file;
	a->read = NULL;
	a->stat = NULL;
	a->arg = arg;
	a->offset = 0;
	a->len = a->got = 0;
	a->buf = NULL;
	a->attrs.kind = ENTRY_UNKNOWN;
	a->found_again = false;
	return a;
}

static void
start_access(struct access *a)
{
	if (a->file->fh.len == 0)
		find_file(a);
	else
		begin_access(a);
}

void
nfs_tree_file_read(struct tree_file *file, uint64_t offset, uint32_t len,
    void *buf, tree_read_fn *fn, void *arg)
{
	struct access *a = new_access(file, arg);

	a->read = fn;
	a->offset = offset;
	a->len = len;
	a->buf = buf;
	start_access(a);
}

void
nfs_tree_file_stat(struct tree_file *file, tree_lookup_fn *fn, void *arg)
{
	struct access *a = new_access(file, arg);

	a->stat = fn;
	start_access(a);
}
