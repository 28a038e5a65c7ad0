/*
 * judge.c: what must hold, said a second time, and simply. The numbers are
 * those of the invariants:
 *
 *	0	a run ends, by itself, with a status that the manual knows
 *	1	no object of a file that exists is removed, nor replaced by
 *		bytes that the file didn't have in this run, unless it was
 *		asked for by name
 *	2	exit status 0: each file that was there, unchanged, all the
 *		time, and isn't excluded is in the bucket with its bytes
 *	3	after quiet, one PUT --delete: bucket equals tree, no upload
 *		is open; one more PUT: no request but those that look at the
 *		bucket, nothing written but the run's row
 *	4	totals close; each row agrees with the bucket; each failure
 *		has its reason; TEST says what is
 *	5	the catalog is whole
 *	6	the journal: journal.c
 *	7	the past, and what comes back of it: past.c, undone.c
 */
#include <pthread.h>

#include "model.h"

#define DAY_S	86400L

struct content {
	char	*rel;
	uint64_t hash;
};

/* An object of a file that a mount hides, or that isn't mounted. */
struct covered {
	char	*key;
	uint64_t hash;
};

/* A run that crawled, and the files when it began; or (0) the files at a
 * moment. */
struct past {
	long	 run;
	long	 at_s;		/* by the clock that it saw */
	struct files *files;
};

static struct {
	const struct run *run;
	struct files *before;
	bool	 away;		/* the volume was, when it began ... */
	bool	 unsent;	/* ... and some of its files are known and not
				   stored */
	struct covered *covered;
	size_t	 covered_count;
	struct content *unasked; /* when the run began; see remember_unasked */
	size_t	 unasked_count;
	long	 at_s;
	long	 last_run;	/* in the catalog, when it began */
	pthread_mutex_t lock;	/* of what the store's threads ask too */
	struct {
		struct content *contents;
		size_t	 content_count;
	} locked;
	struct past past[2 * STEPS_MAX + 32];
	size_t	 past_count;
} j = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
forget_covered(void)
{
	for (size_t i = 0; i < j.covered_count; i++)
		free(j.covered[i].key);
	j.covered_count = 0;
}

void
judge_reset(void)
{
	for (size_t i = 0; i < j.locked.content_count; i++)
		free(j.locked.contents[i].rel);
	for (size_t i = 0; i < j.past_count; i++)
		free(j.past[i].files);
	forget_covered();
	journal_forget();
	touched_forget();
	past_forget();
	j.locked.content_count = j.past_count = 0;
	if (j.before == NULL)
		j.before = xcalloc(1, sizeof(*j.before));
	j.before->count = 0;
}

const struct files *
judge_before(void)
{
	return j.before;
}

/* --- while the run goes on --- */

static void
remember_contents_locked(const struct files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct content c = { xstrdup(f->f[i].rel), f->f[i].hash };

		j.locked.contents = xreallocarray(j.locked.contents,
		    j.locked.content_count + 1, sizeof(c));
		j.locked.contents[j.locked.content_count++] = c;
	}
}

static void
remember_contents(void)
{
	struct files *now = xcalloc(1, sizeof(*now));

	world_look(now, true);
	pthread_mutex_lock(&j.lock);
	remember_contents_locked(now);
	pthread_mutex_unlock(&j.lock);
	free(now);
}

static void
remember_covered(void *arg UNUSED, const struct held *h)
{
	AUTOFREE char *rel = rel_of(h->key);
	struct covered c = { NULL, h->hash };

	if (rel == NULL || h->foreign || !is_covered(rel, h->size) ||
	    w.accepted || !file_exists(rel, h->size) ||
	    is_touched(conf_bucket(w.conf), h->key))
		return;
	c.key = xstrdup(h->key);
	j.covered = xreallocarray(j.covered, j.covered_count + 1, sizeof(c));
	j.covered[j.covered_count++] = c;
}

/* The place of the volume belongs to a share of its own. */
static bool
is_inner_volume(void)
{
	return rel_dir(w.inner)[0] == 'v';
}

/* No other tree in their place has an effect on their objects. Files of a share
 * whose root is another file system are sent as ever, the manual says. */
static void
judge_covered(const struct run *r)
{
	struct held h;

	for (size_t i = 0; i < j.covered_count && r->op != OP_DEL; i++)
		if (!store_find(conf_bucket(w.conf), j.covered[i].key, &h) ||
		    (h.hash != j.covered[i].hash && !is_inner_volume()))
			breach(1, "%s: its file exists, hidden by another "
			    "tree, and the object was replaced",
			    j.covered[i].key);
}

/* Does the catalog know a file of v that is still to be sent? */
static bool
knows_unsent(void)
{
	AUTOFREE char *prefix = key_prefix(w.conf);
	AUTOFREE char *sql = xasprintf("SELECT count(*) FROM objects "
	    "WHERE bucket = '%s' AND substr(key, 1, length('%sv/')) = '%sv/' "
	    "AND state IN ('pending', 'leased', 'failed') AND size <> %d",
	    conf_bucket(w.conf), prefix, prefix, STUB_SIZE);

	return catalog_exists() && catalog_number(sql) > 0;
}

/* Has a run seen the file with other bytes, which no time or size tells? */
static bool
is_same_but_bytes(const struct file *f)
{
	for (size_t i = 0; i < j.past_count; i++) {
		const struct file *g = files_find(j.past[i].files, f->rel);

		if (g != NULL && g->hash != f->hash &&
		    g->st.st_ino == f->st.st_ino &&
		    g->st.st_size == f->st.st_size &&
		    g->st.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
		    (w.set.coarse ||
		    g->st.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec))
			return true;
	}
	return false;
}

/* With ctime = ignore such a change is not seen. */
static void
touch_unseen(void)
{
	for (size_t i = 0; i < j.before->count; i++) {
		AUTOFREE char *key = key_of(j.before->f[i].rel);
		AUTOFREE char *name = xasprintf("%s/%s",
		    conf_bucket(w.conf), key);

		if (is_same_but_bytes(&j.before->f[i]))
			judge_touched(name);
	}
}

static void
remember_asked(void *arg UNUSED, const struct held *h)
{
	j.unasked = xreallocarray(j.unasked, j.unasked_count + 1,
	    sizeof(*j.unasked));
	j.unasked[j.unasked_count++] = (struct content){ xstrdup(h->key),
	    h->hash };
}

/* What the bucket holds when a restored catalog is used first is sent by nobody
 * again. */
static void
remember_unasked(void)
{
	for (size_t i = 0; i < j.unasked_count; i++)
		free(j.unasked[i].rel);
	j.unasked_count = 0;
	if (w.unasked)
		store_each(conf_bucket(w.conf), remember_asked, NULL);
}

static bool
is_sent_twice(const char *key, uint64_t hash)
{
	for (size_t i = 0; i < j.unasked_count; i++)
		if (strcmp(j.unasked[i].rel, key) == 0 &&
		    j.unasked[i].hash == hash)
			return true;
	return false;
}

void
judge_begin(const struct run *r)
{
	struct timespec t;

	j.run = r;
	for (size_t i = 0; i < j.locked.content_count; i++)
		free(j.locked.contents[i].rel);
	j.locked.content_count = 0;
	world_look(j.before, true);
	pthread_mutex_lock(&j.lock);
	remember_contents_locked(j.before);
	pthread_mutex_unlock(&j.lock);
	files_drop_links(j.before);
	if (w.ctime)
		touch_unseen();
	forget_covered();
	store_each(conf_bucket(w.conf), remember_covered, NULL);
	remember_unasked();
	past_begin();
	undone_begin(r);
	j.away = w.away;
	j.unsent = j.away && knows_unsent();
	clock_gettime(CLOCK_REALTIME, &t);
	j.at_s = t.tv_sec + w.clock_s;
	j.last_run = catalog_exists() ? catalog_number("SELECT "
	    "coalesce(max(run), 0) FROM runs") : 0;
	judge_count(r);
}

static void
add_past(long run)
{
	struct past *p = &j.past[j.past_count];

	if (j.past_count == ARRAY_LEN(j.past))
		return;
	p->run = run;
	p->at_s = j.at_s;
	p->files = xmemdup(j.before, sizeof(*j.before));
	j.past_count++;
}

void
judge_tree_changed(void)
{
	remember_contents();
}

static bool
had_content(const char *rel, uint64_t hash)
{
	bool found = false;

	pthread_mutex_lock(&j.lock);
	for (size_t i = 0; i < j.locked.content_count && !found; i++)
		found = j.locked.contents[i].hash == hash &&
		    strcmp(j.locked.contents[i].rel, rel) == 0;
	pthread_mutex_unlock(&j.lock);
	return found;
}

static bool
may_store(const struct run *r)
{
	return !r->dry && (r->op == OP_PUT || r->op == OP_MIRROR ||
	    r->op == OP_TEST);
}

void
judge_stored(const char *bucket, const char *key, uint64_t hash, bool copied)
{
	AUTOFREE char *name = xasprintf("%s/%s", bucket, key);
	AUTOFREE char *rel = rel_of(key);

	judge_changed(name);
	if (j.run->op == OP_UNDO)
		past_came(name, hash);
	else if (!may_store(j.run))
		breach(1, "%s was stored", key);
	else if (rel == NULL || strcmp(bucket, conf_bucket(w.conf)) != 0)
		breach(1, "%s/%s was stored, which is no file's", bucket, key);
	else if (!had_content(rel, hash))
		breach(1, "%s was stored with bytes that the file hasn't",
		    rel);
	else if (!j.run->bent && !copied && is_sent_twice(key, hash))
		breach(3, "%s was sent again after the catalog was restored",
		    rel);
}

static void
judge_mirrored(const char *key, uint64_t size, bool foreign)
{
	AUTOFREE char *rel = rel_of(key);

	if (rel == NULL)
		breach(1, "%s was deleted, which is no file's", key);
	else if (file_exists(rel, size))
		breach(1, "%s was deleted, and its file exists", rel);
	else if (!j.run->excluded && filter_hides(j.run->filter, rel, size))
		breach(1, "%s was deleted, which the filter leaves out", rel);
	else if (!in_prefix(j.run, key))
		breach(1, "%s was deleted, outside of the prefix", rel);
	else if (foreign && !w.adopted)
		breach(1, "%s was deleted, which another tool put", rel);
}

void
judge_removed(const char *bucket, const char *key, uint64_t size,
    bool foreign)
{
	AUTOFREE char *name = xasprintf("%s/%s", bucket, key);

	foreign = foreign && !ever_ours(name);
	judge_changed(name);
	if (strcmp(bucket, conf_bucket(w.conf)) != 0)
		breach(1, "%s/%s was deleted, in another bucket", bucket,
		    key);
	else if (j.run->dry || (j.run->op != OP_MIRROR &&
	    j.run->op != OP_DEL))
		breach(1, "%s was deleted", key);
	else if (j.run->op == OP_MIRROR)
		judge_mirrored(key, size, foreign);
	else if (!in_prefix(j.run, key))
		breach(1, "%s was deleted, outside of the prefix", key);
}

/* --- at its end --- */

static void
judge_status(const struct run *r)
{
	static const int known[] = { 0, 1, 3, 4, 5 };

	if (r->killed)
		return;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (r->status == known[i])
			return;
	/* The catalog can't be opened; or past.c knows whether there must be an
	 * answer. */
	if (r->status == 2 && (r->bent || run_asks_past(r)))
		return;
	breach(0, "exit status %d: %.*s", r->status,
	    (int)MIN(r->err.len, (size_t)200),
	    r->err.len == 0 ? "" : r->err.data);
}

static void
judge_totals(const struct run *r)
{
	const struct totals *t = &r->totals;
	long sum = t->moved + t->unchanged + t->failed + t->excluded;

	if (!t->given || r->op == OP_LIST)
		return;
	if (t->found != sum + t->pending)
		breach(4, "the totals don't close: found %ld, sum %ld, "
		    "pending %ld", t->found, sum, t->pending);
	if (r->status == 0 && (t->failed > 0 || t->pending > 0))
		breach(4, "exit status 0 with %ld failed, %ld pending",
		    t->failed, t->pending);
}

/* Of a PUT that failed: so many rows, each with a reason. */
static void
judge_reasons(const struct run *r)
{
	AUTOFREE char *sql = xasprintf("SELECT count(*) FROM failure_log "
	    "WHERE run = %ld AND length(reason) > 0", r->totals.run);

	if (r->dry || r->killed || !r->totals.given || r->totals.run == 0 ||
	    r->totals.failed == 0)
		return;
	if (catalog_number(sql) < r->totals.failed)
		breach(4, "%ld failed, and %ld have a reason",
		    r->totals.failed, catalog_number(sql));
}

/* Each attempt that got the catalog has one row, a TEST one more for its PUT,
 * and a PUT one more if it asks the bucket first; the last row says what the
 * process said. */
static void
judge_attempt(const struct run *r)
{
	AUTOFREE char *count = xasprintf("SELECT count(*) FROM runs WHERE "
	    "run > %ld", j.last_run);
	AUTOFREE char *last = xasprintf("SELECT coalesce(exit_status, -1) "
	    "FROM runs WHERE run > %ld ORDER BY run DESC LIMIT 1", j.last_run);
	long rows = catalog_number(count), status;
	long most = r->dry || r->op == OP_LIST || r->op == OP_ASK ? 0 :
	    r->op == OP_TEST ? 2 : 1;

	most += !r->dry && r->err.len > 0 &&
	    strstr(r->err.data, "restored_catalog") != NULL;
	if (rows > most || (rows == 0 && most > 0 && !r->full &&
	    r->status != 2 && r->status < 256))
		breach(5, "%ld rows of a run", rows);
	if (rows <= 0 || r->full || r->status >= 256)
		return;
	status = catalog_number(last);
	if (status != r->status)
		breach(5, "exit status %d, and %ld in its row", r->status,
		    status);
}

static void
judge_row(void *arg UNUSED, const struct row *row)
{
	struct held h;

	if (strcmp(row->state, "stored") != 0 ||
	    is_touched(row->bucket, row->key))
		return;
	if (!store_find(row->bucket, row->key, &h))
		breach(4, "the catalog says stored, the bucket hasn't %s",
		    row->key);
	else if (row->etag[0] != '\0' && strcmp(row->etag, h.etag) != 0)
		breach(4, "the catalog says stored, the bucket has "
		    "something else: %s", row->key);
}

static bool
same_file(const struct file *a, const struct file *b)
{
	return a->st.st_ino == b->st.st_ino && a->hash == b->hash &&
	    a->st.st_ctim.tv_sec == b->st.st_ctim.tv_sec &&
	    a->st.st_ctim.tv_nsec == b->st.st_ctim.tv_nsec &&
	    a->hidden == b->hidden;
}

static bool
in_scope(const struct run *r, const struct file *f)
{
	AUTOFREE char *dir = xasprintf("%s%s", r->from != 0 ?
	    rel_dir(r->from) : r->prefix != 0 ? rel_dir(r->prefix) : "",
	    r->from != 0 || r->prefix != 0 ? "/" : "");

	if (strncmp(f->rel, dir, strlen(dir)) != 0)
		return false;
	if (r->from != 0 && strchr(f->rel + strlen(dir), '/') != NULL)
		return false;
	return !filter_hides(r->filter, f->rel, (uint64_t)f->st.st_size);
}

/*
 * A run that goes on where a cut one was may believe what that read within a
 * day. The files as of the first of those runs.
 */
static const struct files *
believed(void)
{
	long run = catalog_number("SELECT max(run) FROM runs "
	    "WHERE operation = 'PUT'");
	AUTOFREE char *sql = xasprintf("SELECT crawl FROM runs WHERE run = "
	    "%ld", run);
	long crawl = catalog_number(sql);

	for (size_t i = 0; i < j.past_count; i++)
		if (j.past[i].run >= crawl && j.past[i].run < run &&
		    j.past[i].at_s <= j.at_s &&
		    j.past[i].at_s > j.at_s - DAY_S)
			return j.past[i].files;
	return j.before;
}

static void
judge_file(const struct file *f)
{
	AUTOFREE char *key = key_of(f->rel);
	struct held h;

	if (is_touched(conf_bucket(w.conf), key))
		return;
	if (!store_find(conf_bucket(w.conf), key, &h)) {
		if (!f->hidden || (!w.away && !w.root_away))
			breach(2, "exit status 0, and %s isn't in the bucket",
			    f->rel);
	} else if (h.hash != f->hash) {
		breach(2, "exit status 0, and the bucket has other bytes of "
		    "%s", f->rel);
	}
}

/* What is in the place of an object's file is another tree, all the time. */
static void
judge_absent(void *arg UNUSED, const struct held *h)
{
	AUTOFREE char *rel = rel_of(h->key);

	if (rel != NULL && !h->foreign && j.away == w.away && !w.accepted &&
	    is_covered(rel, h->size) &&
	    !is_touched(conf_bucket(w.conf), h->key))
		breach(2, "exit status 0, and the file system of %s isn't "
		    "there", rel);
}

static void
judge_success(const struct run *r)
{
	struct files *now = xcalloc(1, sizeof(*now));
	const struct files *then = believed();
	AUTOFREE char *prefix = key_prefix(w.conf);
	AUTOFREE char *inner = tree_path(rel_dir(w.inner));
	struct stat st;

	world_look(now, false);
	for (size_t i = 0; i < then->count && !breached(); i++) {
		const struct file *f = files_find(now, then->f[i].rel);
		const struct file *b = files_find(j.before, then->f[i].rel);

		if (f != NULL && b != NULL && same_file(f, &then->f[i]) &&
		    same_file(f, b) && in_scope(r, f))
			judge_file(f);
	}
	free(now);
	if (r->prefix != 0 || r->from != 0 || r->filter != 0 || r->bent)
		return;
	if (!is_inner_volume() || !w.stubs)
		store_each(conf_bucket(w.conf), judge_absent, NULL);
	if (stat(inner, &st) == -1 || !S_ISDIR(st.st_mode))
		breach(2, "exit status 0, and the inner share isn't there");
	if (j.unsent)
		breach(2, "exit status 0, and files of v are still to be sent, "
		    "which isn't mounted");
	if (w.root_away && w.root_empty &&
	    store_holds_below(conf_bucket(w.conf), prefix))
		breach(2, "exit status 0, and the share isn't mounted");
}

/* As they are at its end, too: what changed meanwhile may have been seen. */
static void
remember_past(void)
{
	add_past(catalog_number("SELECT max(run) FROM runs "
	    "WHERE operation = 'PUT'"));
	world_look(j.before, false);
	add_past(0);
}

void
judge_end(struct run *r)
{
	judge_status(r);
	judge_totals(r);
	if (!breached() && catalog_exists()) {
		catalog_check();
		judge_reasons(r);
		judge_attempt(r);
		catalog_rows(catalog_objects, judge_row, NULL);
		judge_journal(r);
	}
	if (!breached() && may_store(r) && !r->retry && !r->lied_to &&
	    r->status == 0)
		judge_success(r);
	if (!breached())
		judge_op(r);
	if (!breached())
		judge_covered(r);
	past_remember(r);
	if (may_store(r) && catalog_exists())
		remember_past();
	w.unasked &= !may_store(r);
	w.root_counts &= w.root_empty || w.root_fs;
}

/* --- after quiet --- */

/* With other settings the key is a file's that the last run with those settings
 * has seen: its object is kept. */
static bool
is_of_other_settings(const char *key)
{
	struct buf hex CLEANUP(buf_release);
	AUTOFREE char *sql = NULL;

	if (!w.moved || !catalog_exists())
		return false;
	buf_init(&hex, 8 * KIB);
	for (const char *p = key; *p != '\0'; p++)
		buf_addf(&hex, "%02X", (unsigned char)*p);
	sql = xasprintf("SELECT count(*) FROM object WHERE gone_run IS NULL "
	    "AND '%s' IN (hex(CAST(path AS BLOB)), hex(CAST(substr(path, "
	    "instr(path, '/') + 1) AS BLOB)))", hex.data);
	return catalog_number(sql) > 0;
}

static void
judge_object(void *arg, const struct held *h)
{
	const struct files *now = arg;
	AUTOFREE char *rel = rel_of(h->key);
	const struct file *f;

	if (rel == NULL || breached())
		return;
	f = files_find(now, rel);
	if (f == NULL && !h->foreign &&
	    !is_touched(conf_bucket(w.conf), h->key) &&
	    !file_exists(rel, h->size) && !below_link(rel) &&
	    !is_of_other_settings(h->key))
		breach(3, "after quiet: the object of %s is there, the file "
		    "isn't", rel);
}

static void
judge_quiet_status(const struct run *r)
{
	if (r->status != 0)
		breach(3, "after quiet: exit status %d: %.*s", r->status,
		    (int)MIN(r->err.len, (size_t)200),
		    r->err.len == 0 ? "" : r->err.data);
}

void
judge_no_more(const struct run *r)
{
	struct files *now = xcalloc(1, sizeof(*now));

	judge_quiet_status(r);
	world_look(now, false);
	store_each(conf_bucket(w.conf), judge_object, now);
	free(now);
}

void
judge_equal(const struct run *r)
{
	struct files *now = xcalloc(1, sizeof(*now));
	size_t open;

	judge_quiet_status(r);
	world_look(now, false);
	for (size_t i = 0; i < now->count && !breached(); i++) {
		AUTOFREE char *key = key_of(now->f[i].rel);
		struct held h;

		judge_file(&now->f[i]);
		if (!is_touched(conf_bucket(w.conf), key) &&
		    store_find(conf_bucket(w.conf), key, &h))
			judge_meta(&now->f[i], &h);
	}
	store_each(conf_bucket(w.conf), judge_object, now);
	open = store_uploads(conf_bucket(w.conf));
	if (!breached() && !w.restored && open > 0)
		breach(3, "after quiet: %zu uploads are open", open);
	free(now);
}

/* What a run keeps for the next one, where it was cut. */
static const char left_over[] = "SELECT (SELECT count(*) FROM frontier) + "
    "(SELECT count(*) FROM settle) + (SELECT count(*) FROM upload) + "
    "(SELECT count(*) FROM lease WHERE closed = 0)";

void
judge_idle(const struct run *r, uint64_t hash_before)
{
	if (catalog_number(left_over) > 0 && !w.restored && !w.moved)
		breach(5, "after quiet: %ld rows of cut runs are left",
		    catalog_number(left_over));
	if (r->status != 0 || r->totals.moved != 0)
		breach(3, "once more: exit status %d, %ld moved", r->status,
		    r->totals.moved);
	else if (store_requests() != store_bucket_requests() ||
	    store_requests() > 2)
		breach(3, "once more: %lu requests", store_requests());
	else if (hash_before != 0 && catalog_hash() != hash_before)
		breach(3, "once more: the catalog was written to");
}
