/*
 * judge_ops.c: keys and names, and what GET, DEL, LIST and TEST promised.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "model.h"

#define ODD	"\xef\xbf\xbd"	/* U+FFFD */

/* What TEST is about to look at. */
static struct {
	long	 matching;
	long	 differing;
	long	 doubtful;	/* what a run that was cut may have put */
	const struct run *run;
} seen;

char *
key_of(const char *rel)
{
	AUTOFREE char *prefix = key_prefix(w.conf);
	struct buf b;

	buf_init(&b, 64 * KIB);
	buf_addstr(&b, prefix);
	while (*rel != '\0') {
		size_t n = utf8_len(rel, strlen(rel));

		if (n == 0)
			buf_addf(&b, ODD "%02X", (unsigned char)*rel);
		else
			buf_add(&b, rel, n);
		rel += MAX(n, (size_t)1);
	}
	return b.data;
}

char *
rel_of(const char *key)
{
	AUTOFREE char *prefix = key_prefix(w.conf);
	char *rel, *out;

	if (strncmp(key, prefix, strlen(prefix)) != 0)
		return NULL;
	rel = out = xstrdup(key + strlen(prefix));
	for (const char *p = rel; *p != '\0'; p++) {
		char two[3] = "";

		if (strncmp(p, ODD, 3) == 0 && p[3] != '\0') {
			memcpy(two, p + 3, 2);
			if (hex_decode(two, out, 1)) {
				out++;
				p += 4;
				continue;
			}
		}
		*out++ = *p;
	}
	*out = '\0';
	return rel;
}

static bool
is_regular(const char *base, const char *rel)
{
	AUTOFREE char *path = xasprintf("%s/%s", base, rel);
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool
is_covered(const char *rel, uint64_t size)
{
	return w.set.volume != 0 && strncmp(rel, "v/", 2) == 0 &&
	    (size == STUB_SIZE) != w.away;
}

bool
file_exists(const char *rel, uint64_t size)
{
	AUTOFREE char *old = xasprintf("%s/tree.away", w.dir);
	AUTOFREE char *under = xasprintf("%s/under", w.dir);
	AUTOFREE char *volume = xasprintf("%s/vol", w.dir);

	if (is_covered(rel, size) && !w.accepted)
		return size == STUB_SIZE ? is_regular(under, rel) :
		    is_regular(volume, rel + 2);
	return is_regular(w.tree, rel) ||
	    (w.root_away && w.root_counts && is_regular(old, rel));
}

/* A link, which a run leaves out unless it follows, and all below it. */
bool
below_link(const char *rel)
{
	AUTOFREE char *path = tree_path(rel);
	struct stat st;

	for (size_t len = strlen(path); len > strlen(w.tree); len--) {
		if (path[len] != '/' && path[len] != '\0')
			continue;
		path[len] = '\0';
		if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
			return true;
	}
	return false;
}

bool
in_prefix(const struct run *r, const char *key)
{
	AUTOFREE char *prefix = key_prefix(w.conf);
	AUTOFREE char *whole = xasprintf("%s%s%s", prefix,
	    rel_dir(r->prefix), r->prefix == 0 ? "" : "/");

	return strncmp(key, whole, strlen(whole)) == 0;
}

/* --- metadata --- */

static bool
meta_value(const struct held *h, const char *name, int base, int64_t *ret)
{
	AUTOFREE char *want = xasprintf("x-amz-meta-%s: ", name);
	const char *p = strcasestr(h->meta, want);

	if (p != NULL)
		*ret = strtoll(p + strlen(want), NULL, base);
	return p != NULL;
}

/* Over NFS 3 seconds are unsigned 32-bit numbers, which a server may mean as
 * signed ones; in nanoseconds there is no year 2263. */
static bool
time_can_be_told(int64_t sec)
{
	return w.set.nfs && w.version != 1 ? sec >= 0 && sec <= INT32_MAX :
	    sec < INT64_MAX / 1000000000 && sec > INT64_MIN / 1000000000;
}

/* What there is of it is the file's. A time that can't be told is left out;
 * where the object was there before, that of then may stay. */
void
judge_meta(const struct file *f, const struct held *h)
{
	int64_t sec = f->st.st_mtim.tv_sec, v;
	bool can = time_can_be_told(sec), same;

	/* What doesn't fit in 32 bits is another date on the wire already; one
	 * that only NFS 4 tells may have been put by it. */
	if (meta_value(h, "file-mtime", 10, &v) &&
	    !(w.set.nfs && sec > UINT32_MAX) && !(w.versions && !can)) {
		same = can ? v == sec * 1000000000 + (w.set.coarse ? 0 :
		    f->st.st_mtim.tv_nsec) :
		    llabs(v / 1000000000 - time(NULL)) < 86400 ||
		    is_time_given(v / 1000000000);
		if (!same)
			breach(3, "after quiet: %s has another mtime than "
			    "its object", f->rel);
	}
	if (meta_value(h, "file-permissions", 8, &v) &&
	    v != (f->st.st_mode & 07777))
		breach(3, "after quiet: %s has another mode than its object",
		    f->rel);
	if (meta_value(h, "file-owner", 10, &v) && v != f->st.st_uid)
		breach(3, "after quiet: %s has another owner than its object",
		    f->rel);
}

/* --- GET --- */

static void
got_object(void *arg, const struct held *h)
{
	const struct run *r = arg;
	AUTOFREE char *rel = rel_of(h->key);
	AUTOFREE char *prefix = key_prefix(w.conf);
	AUTOFREE char *path = NULL;
	CLEANUP(close_fd) int fd = -1;
	AUTOFREE char *data = xmalloc(h->size + 1);
	ssize_t n;

	if (rel == NULL || !in_prefix(r, h->key) || breached())
		return;
	path = xasprintf("%s/out/%s%s", w.dir, prefix, rel);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd == -1 ? -1 : read(fd, data, h->size + 1);
	if (n != (ssize_t)h->size || bytes_hash(data, (size_t)n) != h->hash)
		breach(2, "exit status 0 of GET, and %s isn't what the "
		    "bucket has", rel);
}

/* --- DEL --- */

static void
left_object(void *arg, const struct held *h)
{
	if (in_prefix(arg, h->key))
		breach(2, "exit status 0 of DEL, and %s is there", h->key);
}

/* --- LIST --- */

struct listed {
	const struct run *run;
	const char *p;
	const char *end;
};

static void
next_key(void *arg, const struct held *h)
{
	struct listed *l = arg;

	if (!in_prefix(l->run, h->key) || breached())
		return;
	if (l->p >= l->end || strcmp(l->p, h->key) != 0) {
		breach(2, "exit status 0 of LIST, and %s isn't in its place",
		    h->key);
		return;
	}
	l->p += strlen(l->p) + 1;
}

static void
judge_list(const struct run *r)
{
	struct listed l = { r, r->out.data, r->out.data + r->out.len };

	store_each(conf_bucket(w.conf), next_key, &l);
	if (!breached() && l.p < l.end)
		breach(2, "LIST shows %s, which isn't there", l.p);
}

/* --- TEST --- */

static void
count_row(void *arg, const struct row *row)
{
	const struct run *r = arg;
	struct held h;

	if (strcmp(row->state, "stored") != 0 ||
	    strcmp(row->bucket, conf_bucket(w.conf)) != 0 ||
	    !in_prefix(r, row->key))
		return;
	if (store_find(row->bucket, row->key, &h) &&
	    strcmp(h.etag, row->etag) == 0)
		seen.matching++;
	else
		seen.differing++;
}

void
judge_count(const struct run *r)
{
	seen.matching = seen.differing = seen.doubtful = 0;
	if (r->op != OP_VERIFY || !catalog_exists())
		return;
	catalog_rows(catalog_objects, count_row, (void *)(uintptr_t)r);
	seen.doubtful = catalog_number("SELECT count(*) FROM settle");
}

static void
judge_verify(const struct run *r)
{
	AUTOFREE char *prefix = key_prefix(w.conf);
	bool all = r->mode != 2;

	if (r->status == 0 && all && seen.differing > 0)
		breach(4, "TEST passed, and %ld objects aren't what the "
		    "catalog says", seen.differing);
	else if (r->status == 0 && !store_holds_below(conf_bucket(w.conf),
	    prefix))
		breach(4, "TEST passed, and verified nothing");
	else if (r->status == 4 && !r->bent && seen.differing == 0 &&
	    seen.doubtful == 0 && !any_touched())
		breach(4, "TEST failed, and all is as the catalog says");
}

void
judge_op(const struct run *r)
{
	const char *bucket = conf_bucket(w.conf);

	if (r->op == OP_UNDO)
		undone_judge(r);
	else if (run_asks_past(r))
		past_judge(r);
	if (run_asks_past(r))
		return;
	if (r->op == OP_VERIFY && !r->killed)
		judge_verify(r);
	if (r->status != 0 || r->dry)
		return;
	if (r->op == OP_GET)
		store_each(bucket, got_object, (void *)(uintptr_t)r);
	else if (r->op == OP_DEL)
		store_each(bucket, left_object, (void *)(uintptr_t)r);
	else if (r->op == OP_LIST)
		judge_list(r);
}
