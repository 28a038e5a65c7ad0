#include "kit/s3_script.h"

const struct s3_body hello_body = { .data = "hello", .len = 5 };

/* Read one request: its head and the body that content-length tells of. */
static bool
read_request(struct server *v, int fd)
{
	size_t from = v->requests.len, head = 0, body = 0;
	char data[65536];

	/* Only this thread writes it: it may read without the lock. */
	for (;;) {
		const char *end = v->requests.len == from ? NULL :
		    strstr(v->requests.data + from, "\r\n\r\n");
		const char *len;
		ssize_t n;

		if (end != NULL && head == 0) {
			head = (size_t)(end + 4 - v->requests.data) - from;
			len = strcasestr(v->requests.data + from,
			    "content-length: ");
			if (len != NULL && len < end)
				body = strtoul(len + 16, NULL, 10);
		}
		if (head > 0 && v->requests.len - from >= head + body)
			return true;
		n = read(fd, data, sizeof(data));
		if (n <= 0)
			return false;
		pthread_mutex_lock(&v->lock);
		buf_add(&v->requests, data, (size_t)n);
		pthread_mutex_unlock(&v->lock);
	}
}

static bool
answer(int fd, const char *reply)
{
	size_t len = strlen(reply);
	bool close_after = len > 0 && reply[len - 1] == CLOSE[0];
	char c;

	if (strcmp(reply, NOTHING) == 0)
		return false;
	if (strcmp(reply, SILENT) == 0)
		return read(fd, &c, 1) > 0;
	if (close_after)
		len--;
	while (len > 0) {
		ssize_t n = send(fd, reply, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		reply += n;
		len -= (size_t)n;
	}
	return !close_after;
}

static void *
serve(void *arg)
{
	struct server *v = arg;

	while (*v->script != NULL) {
		int fd = accept(v->listen_fd, NULL, NULL);

		if (fd == -1)
			return NULL;
		while (*v->script != NULL && read_request(v, fd)) {
			pthread_mutex_lock(&v->lock);
			v->count++;
			pthread_mutex_unlock(&v->lock);
			if (!answer(fd, *v->script++))
				break;
		}
		close(fd);
	}
	return NULL;
}

void
server_start(struct server *v, const char *const *script)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	memset(v, 0, sizeof(*v));
	buf_init(&v->requests, 64 * MIB);
	pthread_mutex_init(&v->lock, NULL);
	v->script = script;
	v->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_not_equal(v->listen_fd, -1);
	assert_int_equal(bind(v->listen_fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(v->listen_fd, 16), 0);
	assert_int_equal(getsockname(v->listen_fd, (struct sockaddr *)&a,
	    &len), 0);
	snprintf(v->url, sizeof(v->url), "http://127.0.0.1:%u",
	    ntohs(a.sin_port));
	assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
}

const char *
asked(struct server *v)
{
	const char *text;

	pthread_mutex_lock(&v->lock);
	text = v->requests.data == NULL ? "" : v->requests.data;
	pthread_mutex_unlock(&v->lock);
	return text;
}

void
server_stop(struct server *v)
{
	shutdown(v->listen_fd, SHUT_RDWR);
	pthread_join(v->thread, NULL);
	close(v->listen_fd);
	buf_release(&v->requests);
}

void
on_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct got *g = arg;

	g->calls++;
	if (err != NULL)
		g->err = *err;
	g->status = r->status;
	g->attempts = r->attempts;
	memcpy(g->etag, r->etag, sizeof(g->etag));
	g->size = r->size;
	g->object_size = r->object_size;
	g->parts_count = r->parts_count;
	g->marker = r->delete_marker;
	g->listed = r->listed_count;
}

enum s3_data
on_data(void *arg, const void *p, size_t len)
{
	struct got *g = arg;

	buf_add(&g->body, p, len);
	return g->refuse ? S3_DATA_STOP : S3_DATA_TAKEN;
}

void
script_start(struct fixture *f, const char *const *script)
{
	struct store *store = &f->c.store;
	struct err err = ERR_INIT;

	server_start(&f->v, script);
	f->endpoint = f->v.url;
	store->endpoints = (struct strlist){ &f->endpoint, 1 };
	store->bucket = "bkt";
	store->access_key = "AK";
	store->secret_key = SECRET;
	store->session_token = TOKEN;
	if (store->max_inflight == 0)
		store->max_inflight = 1;
	if (f->c.retry_for_ms == 0)
		f->c.retry_for_ms = 60000;
	f->c.seed = 3;
	buf_init(&f->g.body, MIB);
	if (s3_new(&f->s, &f->c, &err) == -1)
		fail_msg("%s", err.msg);
}

void
script_finish(struct fixture *f)
{
	/* Nothing that is for us alone went over the wire or into an error. */
	assert_null(strstr(asked(&f->v), SECRET));
	assert_null(strstr(f->g.err.msg, SECRET));
	assert_null(strstr(f->g.err.msg, TOKEN));
	s3_free(&f->s);
	server_stop(&f->v);
	buf_release(&f->g.body);
}

void
run(struct fixture *f)
{
	while (s3_pending(f->s) > 0)
		s3_wait(f->s, NULL, 0, 1000);
	assert_int_equal(f->g.calls, 1);
}

void
good(struct fixture *f, unsigned attempts)
{
	run(f);
	if (f->g.err.kind != ERR_NONE)
		fail_msg("%s", f->g.err.msg);
	assert_int_equal(f->g.attempts, attempts);
}

void
bad(struct fixture *f, enum err_kind kind, const char *text)
{
	run(f);
	if (f->g.err.kind != kind || strstr(f->g.err.msg, text) == NULL)
		fail_msg("%s: %s", err_kind_name(f->g.err.kind),
		    f->g.err.msg);
}
