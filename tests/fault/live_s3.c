/*
 * Run the S3 client against a real server and say "N passed, N failed".
 *
 * From the environment: S3_ENDPOINT, S3_BUCKET (there already), S3_KEY,
 * S3_SECRET. With S3_TLS_ENDPOINT and S3_CA also over TLS; with
 * S3_HOST_ENDPOINT also with the bucket in the host name; with S3_STOP and
 * S3_START (shell commands) the server goes away and comes back in the
 * middle.
 */
#include <inttypes.h>
#include <pthread.h>
#include <unistd.h>

#include "live_s3.h"

static void
test_object(struct s3 *s, const char *how)
{
	static const struct s3_meta meta = {
	    .mtime_ns = 1595002920123456789, .mode = 0640, .uid = 1000,
	    .gid = 4294967294u };
	struct str key = STR("live/object");
	char what[64];
	GOT(g);
	GOT(h);
	GOT(c);
	GOT(d);

	snprintf(what, sizeof(what), "put, head, get, delete %s", how);
	check(put(s, key, "hello, world", 12, &meta, &g), what, g.err.msg);
	s3_head(s, key, on_done, &h);
	check(run(s, &h) && h.size == 12 && h.has_meta &&
	    h.meta.mtime_ns == meta.mtime_ns && h.meta.mode == meta.mode &&
	    h.meta.uid == meta.uid && h.meta.gid == meta.gid &&
	    h.modified_sec > 1600000000 && strcmp(h.etag, g.etag) == 0,
	    "head with what was kept", h.err.msg);
	check(get_is(s, key, 0, 0, "hello, world", 12), "get", "");
	check(get_is(s, key, 7, 0, "world", 5), "get from an offset", "");
	check(get_is(s, key, 3, 4, "lo, ", 4), "get a range", "");
	check(get_is(s, key, 7, 100, "world", 5), "get past the end", "");
	s3_copy_self(s, key, &(struct s3_meta){ .mtime_ns = 5, .mode = 0600,
	    .uid = 1, .gid = 2 }, on_done, &c);
	check(run(s, &c) && strcmp(c.etag, g.etag) == 0, "copy onto itself",
	    c.err.msg);
	s3_head(s, key, on_done, &d);
	check(run(s, &d) && d.has_meta && d.meta.mtime_ns == 5 &&
	    d.meta.mode == 0600, "the copy has the new attributes",
	    d.err.msg);
	check(delete(s, key), "delete", "");
	check(delete(s, key), "delete what isn't there", "");
}

static void
test_missing(struct s3 *s)
{
	GOT(h);
	GOT(g);
	GOT(b);
	GOT(e);
	GOT(l);
	char *long_key = xmalloc(1026);

	s3_head(s, STR("live/none"), on_done, &h);
	check(!run(s, &h) && h.err.kind == ERR_GONE, "head of nothing: gone",
	    h.err.msg);
	s3_get(s, STR("live/none"), 0, 0, on_data, on_done, &g);
	check(!run(s, &g) && g.err.kind == ERR_GONE && g.body.len == 0,
	    "get of nothing: gone", g.err.msg);
	s3_bucket(s, on_done, &b);
	check(run(s, &b), "bucket", b.err.msg);
	s3_head(s, STR(""), on_done, &e);
	check(!run(s, &e) && e.err.kind == ERR_INVALID, "empty key",
	    e.err.msg);
	memset(long_key, 'k', 1025);
	s3_head(s, (struct str){ long_key, 1025 }, on_done, &l);
	check(!run(s, &l) && l.err.kind == ERR_INVALID, "long key",
	    l.err.msg);
	free(long_key);
}

static void
test_odd_keys(struct s3 *s)
{
	static char longest[1024];
	const struct str keys[] = {
		STR("odd/a b"),
		STR("odd/\303\274ml\303\244ut/\360\237\230\200"),
		STR("odd/new\nline"), STR("odd/re\rturn"), STR("odd/tab\t"),
		STR("odd/per%25cent"), STR("odd/per%cent"), STR("odd/a+b"),
		STR("odd/a//b"), STR("odd/../up"), STR("../odd-up"),
		STR("odd/./dot"), STR("odd/."), STR("odd/.."), STR("odd/\001"),
		STR("odd/q?uery=1&x#frag"), STR("odd/\"quotes'<>&amp;"),
		STR("odd/back\\slash"), STR("odd/~tilde!*()"), STR("/odd"),
		STR("odd/\177"), STR("odd/ "), STR("odd/:;,@=$[]{}|^`"),
		{ longest, sizeof(longest) },
	};

	memset(longest, 'L', sizeof(longest));
	memcpy(longest, "odd/", 4);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char shown[64];
		bool ok, listed = false;
		GOT(g);
		GOT(h);
		GOT(l);

		str_escape(keys[i], shown, sizeof(shown));
		ok = put(s, keys[i], shown, strlen(shown), NULL, &g);
		s3_head(s, keys[i], on_done, &h);
		ok = ok && run(s, &h) && h.size == strlen(shown);
		ok = ok && get_is(s, keys[i], 0, 0, shown, strlen(shown));
		s3_list(s, keys[i], STR(""), STR(""), 0, on_done, &l);
		if (ok && run(s, &l) && l.count >= 1)
			listed = l.keys.len > keys[i].len && memcmp(
			    l.keys.data, keys[i].p, keys[i].len) == 0 &&
			    l.keys.data[keys[i].len] == '\0';
		check(ok && listed, shown, g.err.msg[0] != '\0' ? g.err.msg :
		    h.err.msg[0] != '\0' ? h.err.msg : l.err.msg);
		check(delete(s, keys[i]), "delete it", "");
	}
}

/* Pages whose borders fall on keys with blanks, signs and newlines. */
static void
test_pages(struct s3 *s)
{
	enum { COUNT = 2300 };
	static const char *const odd[] = { "a b", "c+d", "e%20f", "g\nh",
	    "\303\244", "i\rj", "k\001l" };
	struct got *each = xcalloc(COUNT, sizeof(*each));
	size_t found = 0, pages = 0, bad = 0;
	GOT(l);
	GOT(d);

	for (unsigned i = 0; i < COUNT; i++) {
		char key[64];
		struct s3_body body = { .data = "x", .len = 1 };

		got_init(&each[i]);
		snprintf(key, sizeof(key), "pages/%05u %s", i,
		    odd[i % ARRAY_LEN(odd)]);
		s3_put(s, str_of(key), &body, NULL, on_done, &each[i]);
	}
	while (s3_pending(s) > 0)
		s3_wait(s, NULL, 0, 1000);
	for (unsigned i = 0; i < COUNT; i++)
		bad += each[i].calls != 1 || each[i].err.kind != ERR_NONE;
	check(bad == 0, "many puts at once", "");
	do {
		struct buf next = l.next;

		buf_init(&l.next, 4096);
		l.calls = 0;
		s3_list(s, STR("pages/"), STR(""), buf_str(&next), 0,
		    on_done, &l);
		buf_release(&next);
		if (!run(s, &l))
			break;
		pages++;
	} while (l.truncated && pages < 10);
	for (size_t at = 0; at < l.keys.len; found++) {
		char key[64];

		snprintf(key, sizeof(key), "pages/%05zu %s", found,
		    odd[found % ARRAY_LEN(odd)]);
		if (strcmp(l.keys.data + at, key) != 0)
			break;
		at += strlen(key) + 1;
	}
	check(found == COUNT && pages == 3, "list in pages", l.err.msg);
	s3_list(s, STR("pages/"), STR("pages/02290"), STR(""), 0, on_done,
	    &d);
	check(run(s, &d) && d.count == 10, "list after a key", d.err.msg);
	d.calls = 0;
	s3_list(s, STR("pag"), STR(""), STR(""), '/', on_done, &d);
	check(run(s, &d) && d.prefixes == 1, "list with a delimiter",
	    d.err.msg);
	for (unsigned i = 0; i < COUNT; i++) {
		char key[64];

		snprintf(key, sizeof(key), "pages/%05u %s", i,
		    odd[i % ARRAY_LEN(odd)]);
		each[i].calls = 0;
		s3_delete(s, str_of(key), on_done, &each[i]);
	}
	while (s3_pending(s) > 0)
		s3_wait(s, NULL, 0, 1000);
	for (unsigned i = 0; i < COUNT; i++)
		got_release(&each[i]);
	free(each);
}

/* A body given piece by piece, with pauses. */
struct stream {
	struct s3 *s3;
	const char *data;
	unsigned turn;
	bool	 wants;
};

static ptrdiff_t
on_read(void *arg, uint64_t offset, void *out, size_t max)
{
	struct stream *t = arg;
	size_t n = MIN(max, (size_t)100000);

	if (++t->turn % 3 == 0) {
		t->wants = true;
		return 0;
	}
	memcpy(out, t->data + offset, n);
	return (ptrdiff_t)n;
}

static ptrdiff_t
on_read_fails(void *arg, uint64_t offset, void *out, size_t max)
{
	(void)arg;
	(void)out;
	(void)max;
	return offset > 100000 ? -1 : 1000;
}

static void
on_upload(void *arg, const struct s3_upload *u)
{
	struct got *g = arg;

	add_key(g, u->key);
	g->count++;
}

static void
test_multipart(struct s3 *s)
{
	enum { PART = 5 * 1024 * 1024, LAST = 1000 };
	struct str key = STR("live/multi part+1");
	AUTOFREE char *data = xmalloc(PART + LAST);
	struct s3_body body = { .data = data, .len = PART };
	struct stream stream = { .s3 = s, .data = data };
	struct md5 m;
	uint8_t md5s[2 * MD5_LEN];
	char etag[72];
	GOT(c);
	GOT(p);
	GOT(q);
	GOT(l);
	GOT(u);
	GOT(f);
	GOT(h);
	GOT(again);

	for (size_t i = 0; i < PART + LAST; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	md5_init(&m);
	md5_update(&m, data, PART);
	md5_final(&m, md5s);
	md5_init(&m);
	md5_update(&m, data + PART, LAST);
	md5_final(&m, md5s + MD5_LEN);
	etag_multipart(md5s, 2, etag);

	s3_mpu_create(s, key, &(struct s3_meta){ .mtime_ns = 1, .mode = 0644,
	    .uid = 3, .gid = 4 }, on_done, &c);
	check(run(s, &c) && c.upload_id.len > 0, "create upload", c.err.msg);
	body.data = NULL;
	body.read = on_read;
	body.read_arg = &stream;
	s3_mpu_part(s, key, buf_str(&c.upload_id), 1, &body, on_done, &p);
	while (!p.done) {
		s3_wait(s, NULL, 0, 1000);
		if (stream.wants) {
			stream.wants = false;
			s3_resume(s, SIZE_MAX);
		}
	}
	check(run(s, &p), "put part, streamed", p.err.msg);
	body = (struct s3_body){ .data = data + PART, .len = LAST,
	    .md5 = md5s + MD5_LEN };
	s3_mpu_part(s, key, buf_str(&c.upload_id), 2, &body, on_done, &q);
	check(run(s, &q), "put part, from memory", q.err.msg);
	s3_mpu_parts(s, key, buf_str(&c.upload_id), 0, on_done, &l);
	check(run(s, &l) && l.count == 2 && l.parts[0].size == PART &&
	    l.parts[1].number == 2 && strcmp(l.parts[1].etag, q.etag) == 0,
	    "list parts", l.err.msg);
	s3_mpu_list(s, STR("live/"), on_upload, on_done, &u);
	check(run(s, &u) && u.count == 1 && strcmp(u.keys.data, key.p) == 0,
	    "list uploads", u.err.msg);
	s3_mpu_complete(s, key, buf_str(&c.upload_id), md5s, NULL, 2, on_done,
	    &f);
	check(run(s, &f), "complete upload", f.err.msg);
	s3_head(s, key, on_done, &h);
	check(run(s, &h) && strcmp(h.etag, etag) == 0 && h.has_meta &&
	    h.meta.gid == 4, "the whole has the ETag of its parts",
	    h.err.msg);
	check(get_is(s, key, 0, 0, data, PART + LAST), "get the whole", "");
	/* With the right parts, some servers see that it was done before. */
	md5s[0] ^= 1;
	s3_mpu_complete(s, key, STR("2~nothing"), md5s, NULL, 2, on_done,
	    &again);
	check(!run(s, &again) && again.err.kind == ERR_GONE,
	    "complete of an unknown upload: gone", again.err.msg);
	delete(s, key);
}

struct aborter {
	struct s3 *s;
	size_t	 calls;		/* to come */
	size_t	 count;
	size_t	 failed;
};

static void
on_aborted(void *arg, const struct s3_reply *r UNUSED, const struct err *err)
{
	struct aborter *a = arg;

	a->calls--;
	a->failed += err != NULL;
}

static void
abort_upload(void *arg, const struct s3_upload *u)
{
	struct aborter *a = arg;

	a->calls++;
	a->count++;
	s3_mpu_abort(a->s, u->key, u->upload_id, on_aborted, a);
}

/* More uploads than a page has, of a key and of others that begin with it,
 * aborted while the next page is asked for. */
static void
test_upload_pages(struct s3 *s)
{
	static const char *const keys[] = { "live/up", "live/up.1",
	    "live/up a+b", "live/up\xc3\xa9" };
	struct aborter a = { .s = s };
	size_t made = 0;

	for (; made < 1100; made++) {
		GOT(c);

		s3_mpu_create(s, str_of(keys[made % ARRAY_LEN(keys)]), NULL,
		    on_done, &c);
		if (!run(s, &c))
			break;
	}
	a.calls++;
	s3_mpu_list(s, STR("live/up"), abort_upload, on_aborted, &a);
	while (a.calls > 0)
		s3_wait(s, NULL, 0, 1000);
	check(made == 1100 && a.count == made && a.failed == 0,
	    "all pages of uploads", "");
}

static void
test_abort(struct s3 *s)
{
	struct str key = STR("live/abort");
	struct s3_body body = { .len = 1000000, .read = on_read_fails };
	GOT(c);
	GOT(a);
	GOT(p);
	GOT(g);
	uint8_t md5[MD5_LEN] = { 1 };

	s3_mpu_create(s, key, NULL, on_done, &c);
	run(s, &c);
	s3_mpu_abort(s, key, buf_str(&c.upload_id), on_done, &a);
	check(run(s, &a), "abort upload", a.err.msg);
	s3_mpu_parts(s, key, buf_str(&c.upload_id), 0, on_done, &p);
	check(!run(s, &p) && p.err.kind == ERR_GONE,
	    "parts of it: gone", p.err.msg);
	s3_put(s, key, &body, NULL, on_done, &g);
	check(!run(s, &g) && g.err.kind == ERR_STOPPED,
	    "a body that is given up", g.err.msg);
	/* Bytes that aren't what the digest says are never stored. */
	g.calls = 0;
	g.err.kind = ERR_NONE;
	body = (struct s3_body){ .data = "x", .len = 1, .md5 = md5 };
	s3_put(s, key, &body, NULL, on_done, &g);
	check(!run(s, &g) && g.err.kind == ERR_CORRUPT,
	    "a wrong digest is refused", g.err.msg);
}

static void
test_denied(struct s3_config c)
{
	struct s3 *s;
	GOT(g);
	GOT(h);
	GOT(b);

	c.store.secret_key = "a-wrong-secret-that-no-one-may-see";
	s = make(&c);
	check(!put(s, STR("live/x"), "x", 1, NULL, &g) &&
	    g.err.kind == ERR_REFUSED && g.attempts == 1 &&
	    strstr(g.err.msg, c.store.secret_key) == NULL,
	    "wrong secret: refused", g.err.msg);
	s3_head(s, STR("live/x"), on_done, &h);
	check(!run(s, &h) && h.err.kind == ERR_DENIED,
	    "wrong secret, head: denied", h.err.msg);
	s3_free(&s);
	c.store.secret_key = env("S3_SECRET");
	c.store.bucket = "no-such-bucket-here";
	s = make(&c);
	s3_bucket(s, on_done, &b);
	check(!run(s, &b) && b.err.kind == ERR_UNREACHABLE,
	    "missing bucket: unreachable", b.err.msg);
	b.calls = 0;
	b.err.kind = ERR_NONE;
	check(!put(s, STR("live/x"), "x", 1, NULL, &b) &&
	    b.err.kind == ERR_REFUSED,
	    "put into a missing bucket: refused", b.err.msg);
	s3_free(&s);
}

static void
test_refused(struct s3_config c)
{
	char *both[] = { "http://127.0.0.1:1", c.store.endpoints.v[0] };
	uint64_t from = clock_mono_ms(), took;
	struct s3 *s;
	GOT(g);
	GOT(h);

	c.store.endpoints.v = both;
	c.retry_for_ms = 1500;
	s = make(&c);
	check(!put(s, STR("live/x"), "x", 1, NULL, &g) &&
	    g.err.kind == ERR_RETRY && g.attempts > 1,
	    "nobody there: retry", g.err.msg);
	took = clock_mono_ms() - from;
	check(took >= 1500, "not before its time is over", "");
	s3_free(&s);
	c.store.endpoints.n = 2;
	s = make(&c);
	check(put(s, STR("live/x"), "x", 1, NULL, &h) &&
	    put(s, STR("live/x"), "x", 1, NULL, (h.calls = 0, &h)) &&
	    delete(s, STR("live/x")), "the other endpoint", h.err.msg);
	s3_free(&s);
}

static void *
run_command(void *arg)
{
	return system(arg) == 0 ? arg : NULL;
}

/* The server goes away and comes back; all requests end well. */
static void
test_restart(struct s3_config c)
{
	static char name[] = "S3_START";
	const char *stop = env("S3_STOP"), *start = env(name);
	enum { COUNT = 600 };
	struct got *each;
	unsigned bad = 0, retried = 0;
	bool stopped = false;
	pthread_t thread;
	struct s3 *s;

	if (stop == NULL || start == NULL)
		return;
	c.retry_for_ms = 60000;
	s = make(&c);
	each = xcalloc(COUNT, sizeof(*each));
	for (unsigned i = 0; i < COUNT; i++) {
		char key[32];
		struct s3_body body = { .data = "again", .len = 5 };

		got_init(&each[i]);
		snprintf(key, sizeof(key), "live/restart/%u", i);
		s3_put(s, str_of(key), &body, NULL, on_done, &each[i]);
	}
	while (s3_pending(s) > 0) {
		s3_wait(s, NULL, 0, 1000);
		if (!stopped && s3_pending(s) < COUNT / 2) {
			stopped = true;
			if (run_command((char *)(uintptr_t)stop) == NULL ||
			    pthread_create(&thread, NULL, run_command,
			    (char *)(uintptr_t)start) != 0)
				exit(1);
		}
	}
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < COUNT; i++) {
		bad += each[i].calls != 1 || each[i].err.kind != ERR_NONE;
		retried += each[i].attempts > 1;
		if (each[i].err.kind != ERR_NONE)
			printf("     %s\n", each[i].err.msg);
		got_release(&each[i]);
	}
	check(bad == 0 && retried > 0, "server away and back", "");
	free(each);
	s3_free(&s);
}

static char *
read_text(const char *path)
{
	char *text = xcalloc(1, MIB);
	FILE *f = path == NULL ? NULL : fopen(path, "r");

	if (f == NULL || fread(text, 1, MIB - 1, f) == 0)
		exit(1);
	fclose(f);
	return text;
}

static void
test_tls(struct s3_config c)
{
	char *endpoint = env("S3_TLS_ENDPOINT");
	char *pem;
	struct s3 *s;
	GOT(g);
	GOT(h);

	if (endpoint == NULL)
		return;
	c.store.endpoints.v = &endpoint;
	pem = read_text(env("S3_CA"));
	c.store.ca_pem = pem;
	s = make(&c);
	test_object(s, "over TLS");
	s3_free(&s);
	c.store.ca_pem = NULL;
	s = make(&c);
	check(!put(s, STR("live/x"), "x", 1, NULL, &g) &&
	    g.err.kind == ERR_CONFIG && g.attempts == 1,
	    "an unknown CA is refused", g.err.msg);
	s3_free(&s);
	c.store.ca_pem = "no certificate\n";
	s = make(&c);
	check(!put(s, STR("live/x"), "x", 1, NULL, &h) &&
	    h.err.kind == ERR_CONFIG, "a CA text without certificates",
	    h.err.msg);
	s3_free(&s);
	free(pem);
}

/* The bucket in the host name. */
static void
test_host_style(struct s3_config c)
{
	char *endpoint = env("S3_HOST_ENDPOINT");
	struct s3 *s;

	if (endpoint == NULL)
		return;
	c.store.endpoints.v = &endpoint;
	c.store.path_style = false;
	s = make(&c);
	test_object(s, "with the bucket in the host name");
	test_odd_keys(s);
	test_multipart(s);
	s3_free(&s);
}

static void
test_stop(struct s3_config c)
{
	struct s3 *s = make(&c);
	GOT(a);
	GOT(b);

	s3_head(s, STR("live/x"), on_done, &a);
	s3_wait(s, NULL, 0, 0);
	s3_head(s, STR("live/y"), on_done, &b);
	s3_free(&s);
	check(a.calls == 1 && b.calls == 1 && b.err.kind == ERR_STOPPED,
	    "every callback once when it ends", b.err.msg);
}

int
main(void)
{
	char *endpoint = env("S3_ENDPOINT");
	struct s3_config c = settings(&endpoint);
	struct s3 *s;

	if (endpoint == NULL || c.store.bucket == NULL ||
	    c.store.access_key == NULL || c.store.secret_key == NULL) {
		fputs("live_s3: set S3_ENDPOINT, S3_BUCKET, S3_KEY, "
		    "S3_SECRET\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	s = make(&c);
	test_object(s, "over TCP");
	test_missing(s);
	test_odd_keys(s);
	test_pages(s);
	test_multipart(s);
	test_upload_pages(s);
	test_abort(s);
	s3_free(&s);
	c.store.sign_payload = true;
	s = make(&c);
	test_object(s, "with signed payloads");
	test_multipart(s);
	s3_free(&s);
	c.store.sign_payload = false;
	test_denied(c);
	test_refused(c);
	test_tls(c);
	test_host_style(c);
	test_stop(c);
	test_restart(c);
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}
