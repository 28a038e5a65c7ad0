#include "kit/catalog.h"

const struct run_export kit_exports[1] = {
	{ "srv", "vol", "srv/vol", "srv/vol", NULL },
};

struct run_spec
kit_spec(const char *bucket, const char *scope)
{
	return (struct run_spec){ .op = OP_PUT, .endpoint = "http://s3",
		.bucket = bucket, .server_as_prefix = true, .scope = scope,
		.command_line = "datamover PUT", .exports = kit_exports,
		.export_count = 1,
		.resume_within_ns = (int64_t)86400 * 1000000000 };
}

void
kit_open(struct kit *k)
{
	struct err err = ERR_INIT;

	if (catalog_open(&k->c, k->path, k->events, &err) == -1)
		fail_msg("%s", err.msg);
}

void
kit_close(struct kit *k)
{
	catalog_reader_close(&k->reader);
	catalog_close(&k->c);
}

int
kit_setup(void **state)
{
	struct kit *k = xcalloc(1, sizeof(*k));

	snprintf(k->dir, sizeof(k->dir), "/tmp/test-catalog-XXXXXX");
	assert_non_null(mkdtemp(k->dir));
	snprintf(k->path, sizeof(k->path), "%s/catalog.db", k->dir);
	k->events = mailbox_new(0);
	k->mail = mailbox_new(0);
	*state = k;
	return 0;
}

int
kit_teardown(void **state)
{
	static const char *const suffix[] = { "", "-wal", "-shm", ".lock" };
	struct kit *k = *state;
	struct mail *m;
	char name[128];

	kit_close(k);
	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", k->path, suffix[i]);
		unlink(name);
	}
	rmdir(k->dir);
	m = mailbox_take(k->events);
	free(m);
	mailbox_free(&k->events);
	mailbox_free(&k->mail);
	free(k);
	return 0;
}

void
kit_begin_spec(struct kit *k, const struct run_spec *spec)
{
	struct err err = ERR_INIT;

	if (catalog_begin_run(k->c, spec, &k->info, &err) == -1)
		fail_msg("%s", err.msg);
	catalog_reader_close(&k->reader);
	if (catalog_reader_open(k->c, &k->reader, &err) == -1)
		fail_msg("%s", err.msg);
}

void
kit_begin(struct kit *k)
{
	struct run_spec spec = kit_spec("bucket", "all");

	kit_begin_spec(k, &spec);
}

struct totals *
kit_end(struct kit *k, enum run_end how)
{
	struct err err = ERR_INIT;

	if (catalog_end_run(k->c, how, NULL, NULL, &k->closing, &err) == -1)
		fail_msg("%s", err.msg);
	return &k->closing.totals;
}

struct mail *
kit_mail(struct kit *k, int type)
{
	struct mail *m = mailbox_wait(k->mail, 20000);

	assert_non_null(m);
	assert_null(m->next);
	assert_int_equal(m->type, type);
	return m;
}

struct dir_batch *
kit_dirs(struct kit *k, size_t max)
{
	catalog_want_dirs(k->c, max, k->mail);
	return (struct dir_batch *)kit_mail(k, MAIL_DIRS);
}

struct lease *
kit_lease(struct kit *k, size_t max)
{
	catalog_want_lease(k->c, max, UINT64_MAX, k->mail);
	return (struct lease *)kit_mail(k, MAIL_LEASE);
}

struct attrs
kit_attrs(uint64_t size, int64_t mtime)
{
	return (struct attrs){ .kind = ENTRY_FILE, .mode = 0644, .uid = 7,
		.gid = 8, .size = size, .mtime_ns = mtime, .ctime_ns = mtime,
		.ino = 9 };
}

uint32_t
kit_flags(const struct item *it)
{
	return it->flags & ~(uint32_t)ITEM_ANY_FS;
}

struct dir_page *
kit_page(int64_t dir, bool last)
{
	struct dir_page *p = xcalloc(1, sizeof(*p));

	p->dir = dir;
	p->last = last;
	return p;
}

struct page_entry *
kit_entry(struct dir_page *p, enum page_action action, int64_t object,
    const char *path, struct attrs attrs)
{
	struct page_entry *e;

	/* In powers of two: a sanitizer copies all with each growth. */
	if ((p->entry_count & (p->entry_count - 1)) == 0)
		p->entries = xreallocarray(p->entries,
		    MAX(p->entry_count * 2, 1U), sizeof(*p->entries));
	e = &p->entries[p->entry_count++];
	memset(e, 0, sizeof(*e));
	e->action = action;
	e->object = object;
	e->path = xstrdup(path);
	e->attrs = attrs;
	return e;
}

void
kit_subdir(struct dir_page *p, const char *path)
{
	p->dirs = xreallocarray(p->dirs, p->dir_count + 1, sizeof(*p->dirs));
	memset(&p->dirs[p->dir_count], 0, sizeof(*p->dirs));
	p->dirs[p->dir_count++].path = xstrdup(path);
}

void
kit_gone(struct dir_page *p, int64_t object)
{
	p->gone = xreallocarray(p->gone, p->gone_count + 1, sizeof(*p->gone));
	p->gone[p->gone_count++] = object;
}

int64_t
kit_take(struct kit *k, const char *path)
{
	struct dir_batch *b = kit_dirs(k, 1);
	int64_t id;

	assert_int_equal(b->count, 1);
	assert_string_equal(b->v[0].path, path);
	id = b->v[0].dir;
	dir_batch_free(&b);
	return id;
}

struct results *
kit_results(const struct lease *l)
{
	struct results *r = xcalloc(1, sizeof(*r));

	r->lease = l->id;
	r->v = xcalloc(l->count, sizeof(*r->v));
	return r;
}

struct result *
kit_result(struct results *r, const struct item *it, enum outcome outcome)
{
	struct result *v = &r->v[r->count++];

	v->object = it->object;
	v->outcome = outcome;
	v->attrs = it->attrs;
	v->attempts = 1;
	if (outcome == OUTCOME_MOVED || outcome == OUTCOME_UNCHANGED) {
		v->has_md5 = true;
		memset(v->md5, (int)(it->object & 0xff), sizeof(v->md5));
		snprintf(v->etag, sizeof(v->etag), "etag-%lld",
		    (long long)it->object);
	} else {
		err_set(&v->err, ERR_DENIED, 403, "no access");
	}
	return v;
}

size_t
kit_settle(struct kit *k, size_t max, enum outcome outcome)
{
	struct lease *l = kit_lease(k, max);
	struct results *r = kit_results(l);
	size_t n = l->count;

	for (size_t i = 0; i < n; i++)
		kit_result(r, &l->items[i], outcome);
	catalog_put_results(k->c, r);
	lease_free(&l);
	return n;
}

void
kit_flush(struct kit *k, int64_t object)
{
	struct upload_note *n = xcalloc(1, sizeof(*n));

	n->object = object;
	n->event = UPLOAD_INTENT;
	catalog_put_upload(k->c, n, k->mail);
	n = (struct upload_note *)kit_mail(k, MAIL_UPLOAD_NOTED);
	n->event = UPLOAD_ENDED;
	catalog_put_upload(k->c, n, NULL);
}

int
kit_find(struct kit *k, const char *path, struct known *ret)
{
	struct err err = ERR_INIT;
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = catalog_find(k->reader, str_of(path), ret, &err);
	if (rc == -1)
		fail_msg("%s", err.msg);
	return rc;
}

/* --- answers --- */

static bool
add_row(void *arg, size_t columns, const char *const *n UNUSED,
    const struct value *row)
{
	char *all = arg;

	for (size_t i = 0; row != NULL && i < columns; i++) {
		size_t len = strlen(all);

		if (row[i].type == VALUE_INTEGER)
			snprintf(all + len, 4000 - len, " %jd",
			    (intmax_t)row[i].integer);
		else
			snprintf(all + len, 4000 - len, " %.*s",
			    (int)row[i].bytes.len, row[i].bytes.p == NULL ?
			    "-" : row[i].bytes.p);
	}
	return true;
}

void
kit_answer(const struct kit *k, const char *sql, char all[4000])
{
	struct catalog_view *view;
	struct err err = ERR_INIT;

	all[0] = '\0';
	if (catalog_view_open(&view, k->path, &err) == -1 ||
	    catalog_query(view, sql, add_row, all, &err) == -1)
		fail_msg("%s", err.msg);
	catalog_view_close(&view);
}

void
kit_check_answer(const struct kit *k, const char *sql, const char *expected)
{
	char all[4000];

	kit_answer(k, sql, all);
	assert_string_equal(all, expected);
}
