#include "kit/fetch.h"

char *
bytes(size_t size, unsigned seed)
{
	char *data = xmalloc(size + 1);

	for (size_t at = 0; at < size; at++)
		data[at] = (char)(at * 31 + at / 251 + seed);
	return data;
}

void
put_object(struct fixture *x, const char *key, size_t size, unsigned seed,
    size_t part, const char *meta, uint8_t *md5s)
{
	AUTOFREE char *data = bytes(size, seed);
	uint8_t own[64 * MD5_LEN];
	struct fake_object *o;
	unsigned n = 0;

	pthread_mutex_lock(&x->f.lock);
	o = fake_store_locked(&x->f, key);
	if (size > 0)
		buf_add(&o->data, data, size);
	buf_release(&o->meta);
	buf_init(&o->meta, MIB);
	buf_addstr(&o->meta, meta);
	for (size_t at = 0; at < size || n == 0; at += part) {
		struct md5 md5;

		md5_init(&md5);
		md5_update(&md5, data + at, part == 0 ? size :
		    MIN(part, size - at));
		md5_final(&md5, own + MD5_LEN * n++);
		if (part == 0)
			break;
	}
	if (part == 0)
		etag_single(own, o->etag);
	else
		etag_multipart(own, n, o->etag);
	if (md5s != NULL)
		memcpy(md5s, own, n * (size_t)MD5_LEN);
	pthread_mutex_unlock(&x->f.lock);
}

struct fetch_item *
item(struct fixture *x, const char *key)
{
	struct fetch_item *it = xcalloc(1, sizeof(*it));
	struct fake_object *o;

	it->key = xstrdup(key);
	if (x->dest != NULL)
		it->path = xstrdup(key);
	pthread_mutex_lock(&x->f.lock);
	o = fake_find_locked(&x->f, key);
	if (o != NULL) {
		it->size = o->data.len;
		memcpy(it->etag, o->etag, sizeof(it->etag));
	}
	pthread_mutex_unlock(&x->f.lock);
	return it;
}

void
write_source(const struct fixture *x, const char *name, size_t size,
    unsigned seed)
{
	AUTOFREE char *path = xasprintf("%s/%s", x->source, name);
	AUTOFREE char *data = bytes(size, seed);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

struct fixture *
fetch_setup(void)
{
	struct fixture *x = xcalloc(1, sizeof(*x));

	strncat(x->dir, "/tmp/test-fetch-XXXXXX", sizeof(x->dir) - 1);
	assert_non_null(mkdtemp(x->dir));
	x->back = xasprintf("%s/back", x->dir);
	x->source = xasprintf("%s/export", x->dir);
	assert_int_equal(mkdir(x->back, 0755), 0);
	assert_int_equal(mkdir(x->source, 0755), 0);
	fake_start(&x->f);
	x->endpoint = x->f.url;
	x->spec = (struct tree_spec){ .type = TREE_POSIX,
	    .share = x->source };
	x->c = (struct fetch_config){ .workers = 2, .exports = &x->spec,
	    .export_count = 1, .memory_bytes = 64 * MIB,
	    .retry_for_ms = 60000, .up = mailbox_new(0),
	    .s3 = { .store = { .endpoints = { &x->endpoint, 1 },
	    .bucket = "bkt", .access_key = "a", .secret_key = "s",
	    .path_style = true, .max_inflight = 8 }, .retry_for_ms = 60000,
	    .gate = &x->gate } };
	return x;
}

void
with_dest(struct fixture *x)
{
	struct err err = ERR_INIT;

	if (dest_open(&x->dest, x->back, &err) == -1)
		fail_msg("%s", err.msg);
	x->c.dest = x->dest;
}

void
fetch_begin(struct fixture *x)
{
	struct err err = ERR_INIT;

	if (fetch_start(&x->fetcher, &x->c, &err) == -1)
		fail_msg("%s", err.msg);
}

struct fetch_item *
fetch_take(struct fixture *x)
{
	struct mail *m = mailbox_wait(x->c.up, -1);

	assert_non_null(m);
	assert_null(m->next);
	assert_int_equal(m->type, MAIL_FETCHED);
	return (struct fetch_item *)(void *)m;
}

struct fetch_item *
fetched(struct fixture *x, struct fetch_item *it)
{
	struct fetch_item *back;
	struct s3_stats stats = { .requests = 0 };

	fetch_begin(x);
	fetch_give(x->fetcher, it);
	back = fetch_take(x);
	x->bytes_read = 0;
	pool_stats(fetch_pool(x->fetcher), &stats, &x->bytes_read);
	fetch_free(&x->fetcher);
	assert_ptr_equal(it, back);
	return back;
}

void
expect(const struct fetch_item *it, enum outcome outcome, enum err_kind kind)
{
	if (it->result.outcome != outcome || it->result.err.kind != kind)
		fail_msg("outcome %d: %s: %s", it->result.outcome,
		    err_kind_name(it->result.err.kind), it->result.err.msg);
}

void
fetch_teardown(struct fixture *x)
{
	AUTOFREE char *command = xasprintf("rm -r %s", x->dir);

	fetch_free(&x->fetcher);
	dest_free(&x->dest);
	mailbox_free(&x->c.up);
	fake_stop(&x->f);
	assert_int_equal(system(command), 0);
	free(x->back);
	free(x->source);
	free(x);
}
