#include "run/integrity.h"

#include "absence/asker.h"
#include "base/log.h"
#include "base/strlist.h"
#include "catalog/doubt.h"
#include "lister/lister.h"
#include "model/key.h"
#include "model/path.h"
#include "source/list_cuts.h"
#include "verify/verdict.h"

#define PAGE		1000

/* Catalog rows under one prefix, in order, a page at a time. */
typedef int page_fn(struct catalog_reader *, struct str prefix,
	    struct str after, struct stored *, size_t n, size_t *ret_count,
	    struct err *);
struct pager {
	page_fn	*read;
	char	*prefix;	/* of catalog paths; owned */
	size_t	 skip;		/* bytes of the paths before the key */
	bool	 unlisted;	/* true: an object that the listing does not
				   have is missing */
	struct stored *v;
	size_t	 count;
	size_t	 at;		/* those before it were taken */
	bool	 last;
	struct buf after;
};

/* The objects that the target must hold below a prefix of keys, in the order of
 * keys. Keys without a server may have several names in the catalog, of which
 * one at most is in use: of rows with the same key the first pager's counts. */
struct claims {
	struct integrity *t;
	struct pager *v;
	size_t	 count;
};

/* One export's listing. */
struct walk {
	struct integrity *t;
	unsigned export;
	size_t	 skip;		/* bytes of the catalog path before the key */
	struct claims claims;
	const char *own;	/* prefix of the export's catalog paths */
	const char *prefix;	/* of keys */
	struct buf path;	/* of the key at hand */
	struct buf last;	/* key */
	struct s3_lister *lister;
	bool	 paused;
	bool	 done;
};

/* The listing of an outer share also has the objects of a share inside it. */
static unsigned
export_of(const struct integrity *t, const char *path, unsigned otherwise)
{
	unsigned export;
	const char *rest;

	return absence_export_of((const char *const *)t->r.plan.roots,
	    t->r.plan.count, path, &export, &rest) ? export : otherwise;
}

/* --- verdicts --- */

/* The object differs from the record: does the catalog know which version
 * was sent last? */
static bool
is_in_doubt(struct integrity *t, const char *path, const struct judged *j,
    struct judged *ret_doubt)
{
	struct err err = ERR_INIT;
	int rc;

	/* Only the record could call the object unreadable: the ETag of the
	 * object is the ETag of different parts. */
	if (!j->lost && (j->verdict != VERDICT_UNREADABLE ||
	    j->err.kind != ERR_CORRUPT))
		return false;
	rc = catalog_in_doubt(t->r.reader, str_of(path), &err);
	if (rc == -1)
		run_fail(&t->r, &err);
	*ret_doubt = *j;
	verdict_doubt(ret_doubt);
	return rc == 1;
}

/* The verdict becomes a row. Path: catalog path, or key with is_key; object
 * 0: not known. */
static void
say_verdict(struct integrity *t, unsigned export, const char *path,
    bool is_key, int64_t object, uint64_t size, enum verify_method method,
    const struct judged *j)
{
	struct judged doubt;

	if (object != 0 && is_in_doubt(t, path, j, &doubt))
		j = &doubt;
	t->verdicts[j->verdict]++;
	if (j->verdict != VERDICT_NONE && j->verdict != VERDICT_UNREADABLE &&
	    j->verdict != VERDICT_DOUBT)
		t->verified[export]++;
	if (j->verdict != VERDICT_NONE && j->verdict != VERDICT_OK) {
		char shown[400];

		log_event(LOG_DEBUG, EVENT_VERDICT,
		    LOG_WITH(LOG_TEXT("path", path),
			LOG_TEXT("verdict", verdict_name(j->verdict)),
			LOG_TEXT("reason", j->err.msg)),
		    "%s: %s: %s", verdict_name(j->verdict),
		    str_escape(str_of(path), shown, sizeof(shown)), j->err.msg);
	}
	run_outcome(&t->r, &(struct outcome_row){
		.path = xstrdup(path),
		.is_key = is_key,
		.object = object,
		.outcome = j->outcome,
		.size = size,
		.attempts = 1,
		.verdict = j->verdict,
		.method = method,
		.lost = j->lost,
		.err = j->err,
	});
}

/* Tell in which file system the crawl saw the file, for the comparison with
 * what is found now. */
static void
place(struct integrity *t, struct fetch_item *it)
{
	struct str dir = path_dir(str_of(it->stored.path));
	struct err err = ERR_INIT;
	int rc;

	if (t->dir.path == NULL || t->dir.export != it->export ||
	    !str_eq(dir, str_of(t->dir.path))) {
		free(t->dir.path);
		t->dir.path = xstrndup(dir.p, dir.len);
		t->dir.export = it->export;
		rc = catalog_dir_fs(t->r.reader, dir,
		    t->r.plan.roots[it->export], &t->dir.fsid, &err);
		if (rc == -1)
			run_fail(&t->r, &err);
		t->dir.known = rc == 1;
	}
	it->any_fs = !t->dir.known;
	it->fsid = t->dir.known ? t->dir.fsid : 0;
}

/* Read an object. Takes what stored owns; stored->path NULL: the catalog
 * does not know the key. listed: the entry of S3's listing, or NULL: the object
 * must be as the catalog recorded. */
static void
read_object(struct integrity *t, unsigned export, struct str key,
    struct stored *s, const struct s3_listed *listed)
{
	struct fetch_item *it = xcalloc(1, sizeof(*it));

	it->key = xstrndup(key.p, key.len);
	it->export = export;
	it->has_stored = s->path != NULL;
	it->stored = *s;
	memset(s, 0, sizeof(*s));
	it->size = listed != NULL ? listed->size : it->stored.attrs.size;
	memcpy(it->etag, listed != NULL ? listed->etag : it->stored.etag,
	    sizeof(it->etag));
	it->modified_sec = listed != NULL ? listed->modified_sec : 0;
	if (!t->r.job->skip_upload || !it->has_stored)
		it->raw = key_name_below(key_of_path(t->r.plan.roots[export],
		    t->r.conf->fs_config.server_as_prefix), key);
	it->any_fs = true;
	if (it->raw != NULL && it->has_stored)
		place(t, it);
	t->r.out++;
	crew_fetch(t->r.crew, it);
}

/* Say once of each export why its files can't be compared. */
static void
tell_unread(struct integrity *t, const struct fetch_item *it)
{
	if (t->told[it->export] || it->result.file_err.kind == ERR_NONE ||
	    it->result.file_err.kind == ERR_GONE)
		return;
	t->told[it->export] = true;
	log_event(LOG_WARN, EVENT_EXPORT,
	    LOG_WITH(LOG_TEXT("path", t->r.plan.roots[it->export]),
		LOG_TEXT("reason", it->result.file_err.msg)),
	    "%s: not all its files can be compared: "
	    "%s",
	    t->r.plan.roots[it->export], it->result.file_err.msg);
}

void
integrity_take(struct integrity *t, struct fetch_item *it)
{
	struct judged j;

	t->r.out--;
	/* S3 was tried again for as long as the settings say. */
	if (it->result.outcome == OUTCOME_FAILED &&
	    (it->result.err.kind == ERR_RETRY ||
	    it->result.err.kind == ERR_UNREACHABLE ||
	    it->result.err.kind == ERR_REFUSED))
		run_fail(&t->r, &it->result.err);
	if (!t->r.failed) {
		verdict_read(it, conf_ignored(t->r.conf), &j);
		if (j.verdict == VERDICT_UNREADABLE)
			tell_unread(t, it);
		if (j.outcome == OUTCOME_EXCLUDED)
			t->not_ours++;
		say_verdict(t, it->export, it->has_stored ?
		    it->stored.path : it->key, !it->has_stored,
		    it->stored.object, it->size,
		    t->r.job->sample_percent > 0 ? METHOD_SAMPLE :
		    METHOD_FULL, &j);
	}
	fetch_item_free(&it);
}

/* The readers have enough to do. */
static bool
is_full(const struct integrity *t)
{
	return run_room(&t->r) == 0 || t->heads >= PAGE;
}

/* --- claims --- */

static void
add_pager(struct claims *c, page_fn *read, struct str prefix, bool unlisted)
{
	bool server_as_prefix = c->t->r.conf->fs_config.server_as_prefix;
	struct pager *p;

	c->v = xreallocarray(c->v, c->count + 1, sizeof(*c->v));
	p = &c->v[c->count++];
	*p = (struct pager){ .read = read, .unlisted = unlisted,
	    .prefix = xstrndup(prefix.p, prefix.len),
	    .v = xcalloc(PAGE, sizeof(*p->v)) };
	p->skip = (size_t)(key_of_path(p->prefix, server_as_prefix) -
	    p->prefix);
	buf_init(&p->after, 64 * KIB);
}

static void
pager_release(struct pager *p)
{
	for (size_t i = p->at; i < p->count; i++)
		stored_release(&p->v[i]);
	free(p->v);
	free(p->prefix);
	buf_release(&p->after);
}

static struct stored *
pager_peek(struct integrity *t, struct pager *p)
{
	struct err err = ERR_INIT;

	if (p->at < p->count)
		return &p->v[p->at];
	if (p->last)
		return NULL;
	p->at = p->count = 0;
	if (p->read(t->r.reader, str_of(p->prefix), buf_str(&p->after), p->v,
	    PAGE, &p->count, &err) == -1) {
		run_fail(&t->r, &err);
		p->last = true;
		return NULL;
	}
	p->last = p->count < PAGE;
	if (p->count == 0)
		return NULL;
	buf_clear(&p->after);
	buf_addstr(&p->after, p->v[p->count - 1].path);
	return &p->v[0];
}

struct naming {
	struct claims *claims;
	const char *own;	/* prefix of catalog paths */
	bool	 lost;
};

/* Objects put under a further name of the key must be in the bucket, too. Of
 * the objects that TEST has found lost, those of a further name count only if
 * S3 lists the key: no PUT under that name will come and put the object
 * again. */
static void
add_name(void *arg, struct str prefix)
{
	struct naming *n = arg;

	if (str_eq(prefix, str_of(n->own)))
		return;
	add_pager(n->claims, n->lost ? catalog_lost_page :
	    catalog_stored_page, prefix, !n->lost);
}

static void
claims_init(struct claims *c, struct integrity *t, const char *own)
{
	struct naming n = { .claims = c, .own = own };
	struct str key = str_of(key_of_path(own,
	    t->r.conf->fs_config.server_as_prefix));
	struct err err = ERR_INIT;

	*c = (struct claims){ .t = t };
	add_pager(c, catalog_stored_page, str_of(own), true);
	if (catalog_names_of_key(t->r.reader, key, add_name, &n, &err) == -1)
		run_fail(&t->r, &err);
	add_pager(c, catalog_lost_page, str_of(own), true);
	n.lost = true;
	if (catalog_names_of_key(t->r.reader, key, add_name, &n, &err) == -1)
		run_fail(&t->r, &err);
}

static void
claims_release(struct claims *c)
{
	for (size_t i = 0; i < c->count; i++)
		pager_release(&c->v[i]);
	free(c->v);
}

/* The pager with the next row by key; NULL at the end. */
static struct pager *
claims_peek(struct claims *c, const char **ret_key)
{
	struct pager *first = NULL;

	for (size_t i = 0; i < c->count; i++) {
		struct stored *s = pager_peek(c->t, &c->v[i]);

		if (s == NULL || (first != NULL &&
		    strcmp(s->path + c->v[i].skip, *ret_key) >= 0))
			continue;
		first = &c->v[i];
		*ret_key = s->path + first->skip;
	}
	return first;
}

/* Take the next row, which is the caller's then; the other rows of its key
 * go. */
static void
claims_take(struct claims *c, struct pager *p, struct stored *ret)
{
	*ret = p->v[p->at++];
	for (size_t i = 0; i < c->count; i++) {
		struct pager *o = &c->v[i];
		struct stored *s = pager_peek(c->t, o);

		if (s == NULL || strcmp(s->path + o->skip,
		    ret->path + p->skip) != 0)
			continue;
		stored_release(s);
		o->at++;
	}
}

/* --- a listing merged with claims --- */

/* The file is gone, and so was its object when a verdict found another: what
 * has not the recorded ETag is nobody's, and nobody misses the object. */
static bool
is_over(const struct pager *p, const struct stored *s)
{
	return p->read == catalog_lost_page && s->gone;
}

/* An object that the listing shows without an ETag: HEAD tells it. */
struct headed {
	struct integrity *t;
	unsigned export;
	bool	 over;		/* see is_over */
	struct stored stored;
};

static void
on_head(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct headed *h = arg;
	struct stored *s = &h->stored;
	struct judged j;

	h->t->heads--;
	if (err == NULL)
		verdict_listed(s, r->size, r->etag, &j);
	else
		verdict_missing(s, &j);
	if (h->over && (err == NULL || err->kind == ERR_GONE) &&
	    j.verdict != VERDICT_OK)
		h->t->not_ours += err == NULL;
	else if (err == NULL || err->kind == ERR_GONE)
		say_verdict(h->t, h->export, s->path, false, s->object,
		    r->size, METHOD_HEAD, &j);
	else if (err->kind != ERR_STOPPED)
		run_fail(&h->t->r, err);
	stored_release(s);
	free(h);
}

/* The catalog does not have this path. */
static void
foreign(struct walk *w, const struct s3_listed *k)
{
	struct judged j = { .outcome = OUTCOME_EXCLUDED };
	struct integrity *t = w->t;
	struct stored none;

	memset(&none, 0, sizeof(none));
	if (t->r.crew != NULL && t->r.job->skip_upload) {
		read_object(t, w->export, k->key, &none, k);
		return;
	}
	t->not_ours++;
	say_verdict(t, w->export, w->path.data, false, 0, k->size,
	    METHOD_HEAD, &j);
}

static void
listed(struct walk *w, const struct s3_listed *k, struct stored *s, bool over)
{
	struct integrity *t = w->t;
	struct judged j;

	if (t->r.crew == NULL && k->etag[0] == '\0') {
		t->heads++;
		s3_head(t->r.s3, k->key, on_head, xmemdup(&(struct headed){ t,
		    w->export, over, *s }, sizeof(struct headed)));
		memset(s, 0, sizeof(*s));
		return;
	}
	verdict_listed(s, k->size, k->etag, &j);
	if (over && j.verdict != VERDICT_OK)
		foreign(w, k);
	else if (t->r.crew != NULL && k->size == s->attrs.size)
		read_object(t, w->export, k->key, s, k);
	else
		say_verdict(t, w->export, s->path, false, s->object,
		    k->size, METHOD_HEAD, &j);
}

/* Take the next claim: the listing does not have its key. */
static void
missing(struct walk *w, struct pager *p)
{
	struct stored s;
	struct judged j;

	claims_take(&w->claims, p, &s);
	verdict_missing(&s, &j);
	if (p->unlisted && !is_over(p, &s))
		say_verdict(w->t, export_of(w->t, s.path, w->export), s.path,
		    false, s.object, s.attrs.size, METHOD_HEAD, &j);
	stored_release(&s);
}

static void
take_key(struct walk *w, const struct s3_listed *k)
{
	const char *key = NULL;
	struct pager *p;
	struct stored s;
	int order = -1;

	buf_clear(&w->path);
	buf_add(&w->path, w->own, w->skip);
	buf_add(&w->path, k->key.p, k->key.len);
	w->export = export_of(w->t, w->path.data, w->export);
	for (p = claims_peek(&w->claims, &key); p != NULL;
	    p = claims_peek(&w->claims, &key)) {
		order = strcmp(key, w->path.data + w->skip);
		if (order >= 0)
			break;
		missing(w, p);
	}
	/* No file has a name with a NUL byte in it. */
	if (p == NULL || order != 0 || strlen(w->path.data) != w->path.len) {
		foreign(w, k);
		return;
	}
	claims_take(&w->claims, p, &s);
	listed(w, k, &s, is_over(p, &s));
	stored_release(&s);
}

/* Without order a merge would call objects missing that the target holds. */
static bool
in_order(struct walk *w, struct str key)
{
	size_t n = MIN(key.len, w->last.len);
	int order = memcmp(w->last.data == NULL ? "" : w->last.data, key.p, n);
	struct err err = ERR_INIT;

	if (order > 0 || (order == 0 && w->last.len > key.len)) {
		err_set(&err, ERR_PEER, 0, "the S3 server does not list keys "
		    "in the order of their bytes");
		run_fail(&w->t->r, &err);
		return false;
	}
	buf_clear(&w->last);
	buf_add(&w->last, key.p, key.len);
	return true;
}

static void
on_page(void *arg, const struct s3_listed *keys, size_t count)
{
	struct walk *w = arg;

	/* Draw no conclusion from a page that is out of order. */
	for (size_t i = 0; i < count; i++)
		if (!in_order(w, keys[i].key))
			return;
	for (size_t i = 0; i < count && !run_stopped(&w->t->r); i++)
		take_key(w, &keys[i]);
	if (!w->paused && is_full(w->t)) {
		w->paused = true;
		s3_lister_pause(w->lister);
	}
}

static void
on_done(void *arg, const struct err *err)
{
	struct walk *w = arg;

	w->done = true;
	if (err != NULL)
		run_fail(&w->t->r, err);
}

static void
list(struct walk *w)
{
	struct s3_lister_plan plan = { .prefix = str_of(w->prefix),
	    .ordered = true };
	struct integrity *t = w->t;

	plan.cuts = list_cuts(t->r.conf, w->prefix);
	s3_lister_new(&w->lister, t->r.s3, &plan, on_page, on_done, w);
	while (!w->done && !run_stopped(&t->r)) {
		run_turn(&t->r, RUN_TICK_MS);
		if (w->paused && !is_full(t)) {
			w->paused = false;
			s3_lister_resume(w->lister);
		}
	}
	s3_lister_free(&w->lister);
	strlist_clear(&plan.cuts);
}

static void
walk_export(struct integrity *t, unsigned export)
{
	struct walk w = { .t = t, .export = export };
	AUTOFREE char *own = xasprintf("%s/", t->r.plan.starts[export]);
	const char *key = NULL;
	struct pager *p;

	claims_init(&w.claims, t, own);
	w.own = own;
	w.prefix = key_of_path(own, t->r.conf->fs_config.server_as_prefix);
	w.skip = (size_t)(w.prefix - own);
	buf_init(&w.path, 64 * KIB);
	buf_init(&w.last, 64 * KIB);
	list(&w);
	while (w.done && !run_stopped(&t->r)) {
		p = claims_peek(&w.claims, &key);
		if (p == NULL)
			break;
		missing(&w, p);
	}
	claims_release(&w.claims);
	buf_release(&w.path);
	buf_release(&w.last);
}

/* The objects of an inner export come with the listing of the outer export. */
static bool
is_inside(const struct integrity *t, size_t i)
{
	struct str start = str_of(t->r.plan.starts[i]);

	for (size_t k = 0; k < t->r.plan.count; k++) {
		struct str other = str_of(t->r.plan.starts[k]);

		if (start.len > other.len && path_lies_in(start, other))
			return true;
	}
	return false;
}

void
integrity_walk(struct integrity *t)
{
	for (size_t i = 0; i < t->r.plan.count && !run_stopped(&t->r); i++)
		if (!is_inside(t, i))
			walk_export(t, (unsigned)i);
	while (t->heads > 0 && !run_stopped(&t->r))
		run_turn(&t->r, RUN_TICK_MS);
}

/* --- a sample --- */

/* Below which paths a sample is taken: the keys of export, under one of the
 * names that the export has in the catalog. */
struct sampled {
	struct integrity *t;
	unsigned export;
	const char *own;	/* name of today, with a slash at its end */
	size_t	 skip;		/* bytes of own before the key */
};

/* Is the object in the sample of another export, or stored under another name
 * of the key? */
static bool
is_elsewhere(struct sampled *x, const struct stored *s, const char *key)
{
	AUTOFREE char *path = xasprintf("%.*s%s", (int)x->skip, x->own, key);
	struct integrity *t = x->t;
	struct err err = ERR_INIT;
	struct stored last;
	bool other;

	if (export_of(t, path, x->export) != x->export)
		return true;
	if (t->r.conf->fs_config.server_as_prefix)
		return false;
	switch (catalog_find_key(t->r.reader, str_of(key), &last, &err)) {
	case -1:
		run_fail(&t->r, &err);
		return true;
	case 0:
		return false;	/* it was lost */
	}
	other = last.object != s->object;
	stored_release(&last);
	return other;
}

/* Takes what the row owns. Return false if the object was not taken. */
static bool
read_stored(struct sampled *x, struct stored *s)
{
	struct integrity *t = x->t;
	const char *key = key_of_path(s->path,
	    t->r.conf->fs_config.server_as_prefix);

	if (is_elsewhere(x, s, key)) {
		stored_release(s);
		return false;
	}
	while (is_full(t) && !run_stopped(&t->r))
		run_turn(&t->r, RUN_TICK_MS);
	read_object(t, x->export, str_of(key), s, NULL);
	stored_release(s);
	return true;
}

static void
read_lost(struct sampled *x)
{
	struct integrity *t = x->t;
	struct claims c = { .t = t };

	add_pager(&c, catalog_lost_page, str_of(x->own), true);
	while (!run_stopped(&t->r) && pager_peek(t, &c.v[0]) != NULL) {
		struct pager *p = &c.v[0];
		struct stored one = p->v[p->at++];

		if (is_over(p, &one))
			stored_release(&one);
		else
			(void)read_stored(x, &one);
	}
	claims_release(&c);
}

static void
sample_below(struct sampled *x, struct str prefix)
{
	AUTOFREE struct stored *v = xcalloc(PAGE, sizeof(*v));
	struct integrity *t = x->t;
	struct sample_cursor cursor = { .second = false };
	struct err err = ERR_INIT;
	uint64_t left, count, bytes;
	size_t n = 0;

	if (catalog_count_stored(t->r.reader, prefix, 0, NULL, &count,
	    &bytes, &err) == -1) {
		run_fail(&t->r, &err);
		return;
	}
	left = (uint64_t)((double)count * t->r.job->sample_percent / 100 +
	    0.999999);
	left = MIN(MAX(left, (uint64_t)1), count);
	while (left > 0 && !run_stopped(&t->r)) {
		if (catalog_sample_page(t->r.reader, prefix, &cursor, v,
		    (size_t)MIN(left, (uint64_t)PAGE), &n, &err) == -1)
			run_fail(&t->r, &err);
		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++)
			left -= read_stored(x, &v[i]) ? 1 : 0;
	}
}

static void
add_prefix(void *arg, struct str prefix)
{
	strlist_take(arg, xstrndup(prefix.p, prefix.len));
}

static void
sample_export(struct integrity *t, unsigned export)
{
	AUTOFREE char *own = xasprintf("%s/", t->r.plan.starts[export]);
	const char *key = key_of_path(own,
	    t->r.conf->fs_config.server_as_prefix);
	struct sampled x = { .t = t, .export = export, .own = own,
	    .skip = (size_t)(key - own) };
	struct strlist names CLEANUP(strlist_clear) = { .n = 0 };
	struct err err = ERR_INIT;

	if (catalog_names_of_key(t->r.reader, str_of(key), add_prefix, &names,
	    &err) == -1)
		run_fail(&t->r, &err);
	read_lost(&x);
	for (size_t i = 0; i < names.n && !run_stopped(&t->r); i++)
		sample_below(&x, str_of(names.v[i]));
}

void
integrity_sample(struct integrity *t)
{
	for (size_t i = 0; i < t->r.plan.count && !run_stopped(&t->r); i++)
		sample_export(t, (unsigned)i);
}
