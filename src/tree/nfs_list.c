/*
 * List a directory over NFS: send READDIR by READDIR, hand entries on as the
 * answer is decoded. An entry without attributes or without a handle goes into
 * todo; the entries in todo are looked up, several at a time, before the next
 * READDIR.
 */
#include "tree/nfs_internal.h"

#define FILLS		16	/* LOOKUPs under way for a directory */
#define RESTARTS_MAX	3	/* by bad cookies */

struct list;

/* A slot for a look-up of an entry from todo. */
struct fill {
	struct nfs_call call;
	struct list *list;
	struct tree_entry *entry;	/* NULL: free */
	bool	 by_name;	/* the entry's handle was stale: look the entry
				   up by name */
};

struct list {
	struct nfs_call call;
	struct nfs_tree *tree;
	tree_page_fn *page;
	tree_end_fn *end;
	void	*arg;
	char	*path;
	size_t	 path_len;
	bool	*nested;	/* exports below the export, by index: true for
				   an export in this directory that has not been
				   handed on yet */
	struct attrs dir;	/* of the directory; kind UNKNOWN: not yet */
	/* Brent's cycle detection guards against cookies that go round in
	 * circles. */
	uint64_t seen_cookie;
	uint64_t steps;
	uint64_t steps_max;
	unsigned restarts;
	enum nfs_proc proc;	/* goes on after a GETATTR */
	bool	 found_again;	/* by the path, after a stale handle */
	bool	 eof;
	/* entries to look up; names holds the entry names back to back */
	struct tree_entry *todo;
	size_t	 todo_len;
	size_t	 todo_cap;
	size_t	 todo_next;
	size_t	 todo_done;
	struct buf names;
	struct fill *fills;
	struct err fill_err;
};

static void next_page(struct list *);
static void on_page(struct nfs_call *, const struct nfs_reply *,
    const struct err *);
static void fill_one(struct fill *);

static void
end_list(struct list *l, const struct err *err)
{
	tree_end_fn *end = l->end;
	void *arg = l->arg;

	buf_release(&l->names);
	free(l->nested);
	free(l->todo);
	free(l->fills);
	free(l->path);
	free(l);
	end(arg, err);
}

/* Mark the nested exports that are entries of the directory. */
static void
find_nested(struct list *l)
{
	const struct nfs *nfs = l->call.nfs;
	struct str name;

	for (size_t i = 0; i < nfs->nested_count; i++) {
		if (!tnfs_nested_is_in(&nfs->nested[i], (struct str){
		    l->path, l->path_len }, &name))
			continue;
		if (l->nested == NULL)
			l->nested = xcalloc(nfs->nested_count,
			    sizeof(*l->nested));
		l->nested[i] = true;
	}
}

static void
begin_again(struct list *l)
{
	l->call.offset = 0;
	memset(l->call.verf, 0, sizeof(l->call.verf));
	l->seen_cookie = 0;
	l->steps = 0;
	l->steps_max = 1;
	find_nested(l);
	next_page(l);
}

static void
flush_chunk(struct list *l)
{
	struct nfs_tree *t = l->tree;
	size_t n = t->chunk_len;

	t->chunk_len = 0;
	t->tree.listed = l->dir;
	if (n > 0)
		l->page(l->arg, t->chunk, n);
}

/* Add the entry of a nested export: a directory, readable if the nested export
 * could be mounted. */
static void
add_nested(struct list *l, size_t i)
{
	struct nfs_tree *t = l->tree;
	const struct nfs_nested *n = &t->nfs->nested[i];
	struct tree_entry *to;

	l->nested[i] = false;
	if (t->chunk_len == NFS_CHUNK)
		flush_chunk(l);
	to = &t->chunk[t->chunk_len++];
	memset(to, 0, sizeof(*to));
	tnfs_nested_is_in(n, (struct str){ l->path, l->path_len }, &to->name);
	to->attrs = n->attrs;
	handle_copy(&to->fh, &n->fh);
}

/* Return true if name is the name of a nested export. */
static bool
is_nested(struct list *l, struct str name)
{
	const struct nfs *nfs = l->call.nfs;
	struct str own;

	for (size_t i = 0; l->nested != NULL && i < nfs->nested_count; i++) {
		if (!tnfs_nested_is_in(&nfs->nested[i], (struct str){
		    l->path, l->path_len }, &own) || !str_eq(own, name))
			continue;
		if (l->nested[i])
			add_nested(l, i);
		return true;
	}
	return false;
}

/* Add the nested exports whose covered directories the listing did not show. */
static void
add_hidden(struct list *l)
{
	for (size_t i = 0; l->nested != NULL &&
	    i < l->call.nfs->nested_count; i++)
		if (l->nested[i])
			add_nested(l, i);
	flush_chunk(l);
}

static void
set_entry(struct tree_entry *to, const struct nfs_entry *e)
{
	to->attrs = e->attrs;
	to->fh.len = 0;
	to->err.kind = ERR_NONE;
	to->err.code = 0;
	to->err.msg[0] = '\0';
	if (e->fh_len > 0)
		tnfs_handle_set(&to->fh, e->fh, e->fh_len);
}

/* Store an entry for a later look-up. The name moves to the buffer names;
 * name.p is set in begin_todo, because the buffer may move as the buffer
 * grows. */
static void
add_todo(struct list *l, const struct nfs_entry *e)
{
	struct tree_entry *to;

	if (l->todo_len == l->todo_cap) {
		l->todo_cap = l->todo_cap == 0 ? 64 : 2 * l->todo_cap;
		l->todo = xreallocarray(l->todo, l->todo_cap,
		    sizeof(*l->todo));
	}
	to = &l->todo[l->todo_len++];
	set_entry(to, e);
	to->name = (struct str){ NULL, e->name.len };
	buf_add(&l->names, e->name.p, e->name.len);
}

static int
on_entry(struct nfs_call *call, const struct nfs_entry *e, struct err *err)
{
	struct list *l = (struct list *)call;
	struct nfs_tree *t = l->tree;
	const char *fault;
	struct tree_entry *to;

	/* Without the attributes of the directory, hand on no entry. */
	if (l->dir.kind == ENTRY_UNKNOWN)
		l->dir = call->dir;
	if (l->dir.kind == ENTRY_UNKNOWN || path_name_is_dot(e->name))
		return 0;
	fault = path_name_fault(e->name);
	if (fault != NULL)
		return err_set(err, ERR_PEER, 0, "readdir: the server gave %s",
		    fault);
	if (is_nested(l, e->name))
		return 0;
	if (e->fh_len > HANDLE_MAX)
		return err_set(err, ERR_PEER, 0,
		    "readdir: the server gave a handle of %zu bytes",
		    e->fh_len);
	if (e->status == 0 && (e->attrs.kind == ENTRY_UNKNOWN ||
	    (e->fh_len == 0 && (e->attrs.kind == ENTRY_FILE ||
	    e->attrs.kind == ENTRY_DIR)))) {
		add_todo(l, e);
		return 0;
	}
	if (t->chunk_len == NFS_CHUNK)
		flush_chunk(l);
	to = &t->chunk[t->chunk_len++];
	set_entry(to, e);
	to->name = e->name;
	if (e->status != 0)
		tnfs_status_err(&to->err, "readdir", e->status);
	return 0;
}

/* Return true if the cookies advance; a server that repeats cookies would keep
 * the listing running for ever. */
static bool
cookie_advances(struct list *l, const struct nfs_reply *reply)
{
	if (reply->cookie == l->seen_cookie ||
	    reply->cookie == l->call.offset)
		return false;
	if (++l->steps == l->steps_max) {
		l->seen_cookie = reply->cookie;
		l->steps = 0;
		l->steps_max *= 2;
	}
	return true;
}

static void
end_todo(struct list *l)
{
	size_t n = l->todo_len;

	if (l->fill_err.kind != ERR_NONE) {
		struct err err = l->fill_err;

		end_list(l, &err);
		return;
	}
	l->todo_len = 0;
	l->tree->tree.listed = l->dir;
	if (n > 0)
		l->page(l->arg, l->todo, n);
	buf_clear(&l->names);
	if (l->eof)
		add_hidden(l);
	if (l->eof)
		end_list(l, NULL);
	else
		next_page(l);
}

/* Is this an error of a single entry, or of the server? */
static bool
is_entry_error(enum err_kind kind)
{
	return kind == ERR_GONE || kind == ERR_DENIED || kind == ERR_INVALID;
}

static void
next_fill(struct fill *f)
{
	struct list *l = f->list;

	if (l->todo_next == l->todo_len || l->fill_err.kind != ERR_NONE) {
		f->entry = NULL;
		return;
	}
	f->entry = &l->todo[l->todo_next++];
	f->by_name = false;
	fill_one(f);
}

static void
on_fill(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct fill *f = (struct fill *)call;
	struct list *l = f->list;
	struct tree_entry *e = f->entry;

	if (err != NULL && call->proc == NFS_GETATTR && tnfs_is_stale(err) &&
	    !f->by_name) {
		f->by_name = true;
		e->fh.len = 0;
		fill_one(f);
		return;
	}
	if (err != NULL) {
		if (call->proc == NFS_LOOKUP && tnfs_is_stale(err))
			err_set(&l->fill_err, ERR_RETRY, err->code,
			    "readdir: the directory was replaced meanwhile");
		else if (is_entry_error(err->kind))
			e->err = *err;
		else if (l->fill_err.kind == ERR_NONE)
			l->fill_err = *err;
		e->attrs.kind = ENTRY_UNKNOWN;
	} else {
		if (call->proc == NFS_LOOKUP)
			handle_copy(&e->fh, &reply->fh);
		e->attrs = reply->attrs;
		if (e->attrs.kind == ENTRY_UNKNOWN &&
		    call->proc == NFS_LOOKUP) {
			fill_one(f);
			return;
		}
		if (e->attrs.kind == ENTRY_UNKNOWN)
			err_set(&e->err, ERR_PEER, 0,
			    "the server gave no attributes");
	}
	l->todo_done++;
	next_fill(f);
	/* After an error no new look-up begins: wait for the look-ups under
	 * way. */
	if (l->todo_done == l->todo_next && (l->todo_done == l->todo_len ||
	    l->fill_err.kind != ERR_NONE))
		end_todo(l);
}

static void
fill_one(struct fill *f)
{
	struct list *l = f->list;

	f->call.done = on_fill;
	if (f->entry->fh.len > 0) {
		f->call.proc = NFS_GETATTR;
		handle_copy(&f->call.fh, &f->entry->fh);
	} else {
		f->call.proc = NFS_LOOKUP;
		handle_copy(&f->call.fh, &l->call.fh);
		f->call.name = f->entry->name;
	}
	tnfs_begin(l->call.nfs, &f->call);
}

static void
begin_todo(struct list *l)
{
	size_t off = 0, n = MIN(l->todo_len, FILLS);

	for (size_t i = 0; i < l->todo_len; i++) {
		l->todo[i].name.p = l->names.data + off;
		off += l->todo[i].name.len;
	}
	if (l->fills == NULL)
		l->fills = xcalloc(FILLS, sizeof(*l->fills));
	l->todo_next = l->todo_done = 0;
	for (size_t i = 0; i < n; i++) {
		l->fills[i].list = l;
		next_fill(&l->fills[i]);
	}
}

static void
on_found(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct list *l = arg;

	if (err != NULL) {
		end_list(l, err);
		return;
	}
	handle_copy(&l->call.fh, &e->fh);
	l->dir.kind = ENTRY_UNKNOWN;
	begin_again(l);
}

/* The answer was an error: look the path up again, begin again, or end. */
static void
recover(struct list *l, const struct err *err)
{
	/* READDIR will bring the entries in todo again. */
	l->todo_len = 0;
	buf_clear(&l->names);
	if (tnfs_is_stale(err) && !l->found_again) {
		l->found_again = true;
		nfs_tree_lookup(&l->tree->tree,
		    (struct str){ l->path, l->path_len },
		    l->tree->tree.follow, on_found, l);
	} else if (tnfs_is_bad_cookie(err) && l->restarts < RESTARTS_MAX) {
		l->restarts++;
		begin_again(l);
	} else if (tnfs_is_unsupported(err) && l->call.proc == NFS_READDIR &&
	    l->call.nfs->version->send[NFS_READDIR_NAMES] != NULL) {
		l->call.proc = NFS_READDIR_NAMES;
		begin_again(l);
	} else {
		end_list(l, err);
	}
}

static void
on_dir(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct list *l = (struct list *)call;
	struct err fault = ERR_INIT;

	call->proc = l->proc;
	if (err != NULL) {
		fault = *err;
		recover(l, &fault);
		return;
	}
	l->dir = reply->attrs;
	if (l->dir.kind == ENTRY_DIR) {
		begin_again(l);
		return;
	}
	err_set(&fault, ERR_PEER, 0, "readdir: the server gave no attributes "
	    "of the directory");
	end_list(l, &fault);
}

/* READDIR brought no directory attributes: ask GETATTR, then send the same
 * READDIR again. */
static void
ask_dir(struct list *l)
{
	l->proc = l->call.proc;
	l->call.proc = NFS_GETATTR;
	l->call.done = on_dir;
	tnfs_begin(l->call.nfs, &l->call);
}

static void
on_page(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct list *l = (struct list *)call;

	if (err == NULL && l->dir.kind == ENTRY_UNKNOWN)
		l->dir = call->dir;
	if (err == NULL && l->dir.kind == ENTRY_UNKNOWN) {
		ask_dir(l);
		return;
	}
	flush_chunk(l);
	if (err != NULL) {
		struct err copy = *err;

		recover(l, &copy);
		return;
	}
	l->eof = reply->eof;
	if (!l->eof && !cookie_advances(l, reply)) {
		struct err repeats = ERR_INIT;

		err_set(&repeats, ERR_PEER, 0, "readdir: the server repeats "
		    "itself at cookie %llu",
		    (unsigned long long)reply->cookie);
		end_list(l, &repeats);
		return;
	}
	call->offset = reply->cookie;
	memcpy(call->verf, reply->verf, sizeof(call->verf));
	if (l->todo_len > 0)
		begin_todo(l);
	else
		end_todo(l);
}

static void
next_page(struct list *l)
{
	l->call.done = on_page;
	l->call.entry = on_entry;
	tnfs_begin(l->call.nfs, &l->call);
}

void
nfs_tree_list(struct tree *tree, const struct handle *dir, struct str path,
    tree_page_fn *page, tree_end_fn *end, void *arg)
{
	struct list *l = xcalloc(1, sizeof(*l));

	l->page = page;
	l->end = end;
	l->arg = arg;
	l->path = path_copy(path);
	l->path_len = path.len;
	l->tree = (struct nfs_tree *)tree;
	l->call.nfs = l->tree->nfs;
	l->call.proc = NFS_READDIR;
	buf_init(&l->names, 64 * MIB);
	if (dir != NULL && dir->len > 0) {
		handle_copy(&l->call.fh, dir);
		begin_again(l);
	} else {
		nfs_tree_lookup(tree, path, tree->follow, on_found, l);
	}
}
