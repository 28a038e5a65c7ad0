#include "kit/sender.h"

/* --- files --- */

char *
path_of(const struct fixture *x, unsigned i)
{
	return xasprintf("%s/f%u", x->dir, i);
}

void
write_file(const struct fixture *x, unsigned i, size_t size, unsigned seed)
{
	AUTOFREE char *path = path_of(x, i);
	AUTOFREE char *data = xmalloc(size + 1);
	const struct timespec times[2] = { { .tv_sec = 1 },
	    { .tv_sec = 1000000000 + seed } };
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	for (size_t at = 0; at < size; at++)
		data[at] = (char)(at * 31 + at / 251 + seed + i);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, data, size, 0), size);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

struct attrs
attrs_of(const struct fixture *x, unsigned i)
{
	AUTOFREE char *path = path_of(x, i);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (struct attrs){ .kind = ENTRY_FILE, .mode = st.st_mode & 07777,
	    .uid = st.st_uid, .gid = st.st_gid, .size = (uint64_t)st.st_size,
	    .mtime_ns = st.st_mtim.tv_sec * (int64_t)1000000000 +
	    st.st_mtim.tv_nsec, .ctime_ns = st.st_ctim.tv_sec *
	    (int64_t)1000000000 + st.st_ctim.tv_nsec, .ino = st.st_ino };
}

void
assert_stored(struct fixture *x, unsigned i)
{
	AUTOFREE char *path = path_of(x, i);
	AUTOFREE char *key = xasprintf("s/f%u", i);
	struct fake_object *o;
	struct stat st;
	char *data;
	int fd = open(path, O_RDONLY);

	assert_int_equal(fstat(fd, &st), 0);
	data = xmalloc((size_t)st.st_size + 1);
	assert_int_equal(read(fd, data, (size_t)st.st_size + 1), st.st_size);
	close(fd);
	pthread_mutex_lock(&x->f.lock);
	o = fake_find_locked(&x->f, key);
	assert_non_null(o);
	assert_int_equal(o->data.len, st.st_size);
	if (o->data.len > 0)
		assert_memory_equal(o->data.data, data, o->data.len);
	pthread_mutex_unlock(&x->f.lock);
	/* Of a file that several senders sent, none knows the whole. */
	if (x->got[i].has_md5) {
		assert_true(x->got[i].has_crc64);
		assert_int_equal(x->got[i].crc64,
		    crc64nvme(0, data, (size_t)st.st_size));
	}
	free(data);
}

/* --- the sender --- */

struct fixture *
sender_setup(void)
{
	struct fixture *x = xcalloc(1, sizeof(*x));

	strncat(x->dir, "/tmp/test-sender-XXXXXX", sizeof(x->dir) - 1);
	assert_non_null(mkdtemp(x->dir));
	fake_start(&x->f);
	x->endpoint = x->f.url;
	x->spec = (struct tree_spec){ .type = TREE_POSIX, .share = x->dir };
	x->c = (struct sender_config){ .workers = 2, .exports = &x->spec,
	    .export_count = 1, .part_size = PART, .memory_bytes = 64 * MIB,
	    .retry_for_ms = 60000, .known = KNOWN_MD5 |
	    KNOWN_DIGEST(ETAG_WHOLE) | KNOWN_DIGEST(ETAG_PART) |
	    KNOWN_DIGEST(ETAG_JOINED),
	    .up = mailbox_new(0),
	    .s3 = { .store = { .endpoints = { &x->endpoint, 1 },
	    .bucket = "bkt", .access_key = "a", .secret_key = "s",
	    .path_style = true, .max_inflight = 8 }, .retry_for_ms = 60000 } };
	return x;
}

void
sender_begin(struct fixture *x)
{
	struct err err = ERR_INIT;

	if (sender_start(&x->sender, &x->c, &err) == -1)
		fail_msg("%s", err.msg);
}

struct lease *
new_lease(const struct fixture *x, unsigned count)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->id = 1;
	l->count = count;
	l->items = xcalloc(count, sizeof(*l->items));
	for (unsigned i = 0; i < count; i++) {
		struct item *it = &l->items[i];

		it->object = i + 1;
		it->path = xasprintf("h/s/f%u", i);
		it->raw = xasprintf("f%u", i);
		it->attrs = attrs_of(x, i);
	}
	return l;
}

static void
take_note(struct fixture *x, struct upload_note *n)
{
	x->notes[n->event]++;
	if (n->event == UPLOAD_ENDED)
		x->ended_at = x->count;
	/* Whoever knows the id goes on with it, and looks for no other. */
	if (n->event == UPLOAD_CREATED) {
		pthread_mutex_lock(&x->f.lock);
		assert_null(x->f.locked.orphan);
		pthread_mutex_unlock(&x->f.lock);
	}
	if (n->event == UPLOAD_INTENT && x->sender != NULL)
		sender_noted(x->sender, n->worker, n->object);
	upload_note_free(&n);
}

static void
take_results(struct fixture *x, struct results *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct result *to = &x->got[r->v[i].object - 1];

		assert_int_equal(to->object, 0);
		*to = r->v[i];
		memset(&r->v[i], 0, sizeof(r->v[i]));
		x->count++;
	}
	results_free(&r);
}

void
take_mail(struct fixture *x, int timeout_ms)
{
	struct mail *m = mailbox_wait(x->c.up, timeout_ms), *next;

	for (; m != NULL; m = next) {
		next = m->next;
		if (m->type == MAIL_UPLOAD)
			take_note(x, (struct upload_note *)(void *)m);
		else
			take_results(x, (struct results *)(void *)m);
	}
}

void
sender_finish(struct fixture *x, size_t count)
{
	while (x->count < count)
		take_mail(x, -1);
}

void
end_sender(struct fixture *x)
{
	sender_free(&x->sender);
	take_mail(x, 0);
}

void
sender_teardown(struct fixture *x)
{
	end_sender(x);
	mailbox_free(&x->c.up);
	fake_stop(&x->f);
	for (unsigned i = 0; i < ITEMS; i++) {
		AUTOFREE char *path = path_of(x, i);

		unlink(path);
		result_release(&x->got[i]);
	}
	assert_int_equal(rmdir(x->dir), 0);
	free(x);
}

void
move(struct fixture *x, struct lease *l)
{
	size_t count = l->count;

	sender_begin(x);
	sender_give(x->sender, l);
	sender_finish(x, count);
	end_sender(x);
}

void
forget(struct fixture *x)
{
	for (unsigned i = 0; i < ITEMS; i++)
		result_release(&x->got[i]);
	memset(x->got, 0, sizeof(x->got));
	x->count = 0;
}

struct lease *
held_lease(struct fixture *x, unsigned count)
{
	struct lease *l = new_lease(x, count);

	for (unsigned i = 0; i < count; i++) {
		struct item *it = &l->items[i];

		it->has_prev = true;
		it->prev_has_md5 = true;
		memcpy(it->prev_md5, x->got[i].md5, MD5_LEN);
		memcpy(it->prev_etag, x->got[i].etag, sizeof(it->prev_etag));
		it->prev_attrs = x->got[i].attrs;
		it->prev_part_size = x->got[i].part_size;
	}
	forget(x);
	return l;
}

void
touch(struct fixture *x, unsigned i)
{
	AUTOFREE char *path = path_of(x, i);

	assert_int_equal(utime(path, &(struct utimbuf){ 5, 5 }), 0);
}
