#include "kit/fake_s3.h"

struct fake_request {
	struct fake_s3 *f;
	int	 fd;
	struct buf in;		/* head and body */
	size_t	 head;		/* bytes of it */
	char	 method[8];
	char	 key[512];
	const char *query;	/* in key's array, or "" */
};

static void
fake_answer(int fd, const char *status, const char *headers, const char *body)
{
	struct buf b;
	size_t at = 0;
	ssize_t n = 1;

	buf_init(&b, MIB);
	buf_addf(&b, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
	    headers, strlen(body), body);
	for (; at < b.len && n > 0; at += (size_t)MAX(n, 0))
		n = send(fd, b.data + at, b.len - at, MSG_NOSIGNAL);
	buf_release(&b);
}

struct fake_object *
fake_find_locked(struct fake_s3 *f, const char *key)
{
	for (size_t i = 0; i < f->locked.count; i++)
		if (strcmp(f->locked.objects[i].key, key) == 0)
			return &f->locked.objects[i];
	return NULL;
}

static void
fake_take_meta(const struct fake_request *r, struct buf *meta)
{
	const char *p = r->in.data, *end = r->in.data + r->head;

	buf_release(meta);
	buf_init(meta, MIB);
	for (; p < end; p = strstr(p, "\r\n") + 2)
		if (strncmp(p, "x-amz-meta-", 11) == 0)
			buf_add(meta, p, (size_t)(strstr(p, "\r\n") + 2 - p));
	buf_addch(meta, '\0');
}

struct fake_object *
fake_store_locked(struct fake_s3 *f, const char *key)
{
	struct fake_object *o = fake_find_locked(f, key);

	if (o == NULL) {
		assert_true(f->locked.count < FAKE_MAX);
		o = &f->locked.objects[f->locked.count++];
		o->key = xstrdup(key);
		buf_init(&o->meta, MIB);
	}
	buf_release(&o->data);
	buf_init(&o->data, 64 * MIB);
	return o;
}

void
fake_remove_locked(struct fake_s3 *f, const char *key)
{
	struct fake_object *o = fake_find_locked(f, key);

	if (o == NULL)
		return;
	free(o->key);
	buf_release(&o->data);
	buf_release(&o->meta);
	*o = f->locked.objects[--f->locked.count];
	memset(&f->locked.objects[f->locked.count], 0, sizeof(*o));
}

/* The time between a PUT's arrival and its answer is the test's. */
static void
fake_wait_locked(struct fake_s3 *f, unsigned count)
{
	unsigned *n = &f->locked.in_flight;

	++*n;
	f->locked.in_flight_max = MAX(f->locked.in_flight_max, *n);
	pthread_cond_broadcast(&f->changed);
	if (f->locked.on_put != NULL)
		f->locked.on_put(f->locked.arg, count);
	while (f->locked.held)
		pthread_cond_wait(&f->changed, &f->lock);
	--*n;
}

/* False: the bytes are not those of Content-MD5. */
static bool
fake_check_md5_locked(struct fake_request *r, const uint8_t digest[MD5_LEN])
{
	char line[64] = "\r\ncontent-md5: ";
	const char *found;
	bool same;

	r->in.data[r->head - 1] = '\0';
	found = strcasestr(r->in.data, line);
	if (found == NULL)
		r->f->locked.without_md5++;
	base64_encode(digest, MD5_LEN, line + strlen(line));
	same = found == NULL || strcasestr(found, line) == found;
	r->in.data[r->head - 1] = '\n';
	return same || r->f->locked.ignores_md5;
}

/* True: the answer was an error. */
static bool
fake_refuse_locked(struct fake_request *r, bool is_part,
    const uint8_t digest[MD5_LEN])
{
	struct fake_s3 *f = r->f;

	if (is_part && f->locked.fail_parts > 0) {
		f->locked.fail_parts--;
		fake_answer(r->fd, "500 Fault", "",
		    "<Error><Code>InternalError</Code></Error>");
	} else if (!fake_check_md5_locked(r, digest)) {
		fake_answer(r->fd, "400 Bad", "",
		    "<Error><Code>BadDigest</Code></Error>");
	} else if (is_part && f->locked.upload.key == NULL) {
		fake_answer(r->fd, "404 None", "",
		    "<Error><Code>NoSuchUpload</Code></Error>");
	} else {
		return false;
	}
	return true;
}

static void
fake_put_locked(struct fake_request *r)
{
	struct fake_s3 *f = r->f;
	const char *number = strstr(r->query, "partNumber=");
	char *body = r->in.data + r->head;
	size_t len = r->in.len - r->head;
	char etag[72], line[100];
	uint8_t digest[MD5_LEN];
	struct md5 md5;

	fake_wait_locked(f, number == NULL ? ++f->locked.puts :
	    ++f->locked.parts);
	if (f->locked.damaged > 0 && len > 0) {
		f->locked.damaged--;
		body[len / 2] ^= 1;
	}
	md5_init(&md5);
	md5_update(&md5, body, len);
	md5_final(&md5, digest);
	etag_single(digest, etag);
	if (f->locked.wrong_etags > 0) {
		f->locked.wrong_etags--;
		etag[0] = etag[0] == '0' ? '1' : '0';
	}
	if (fake_refuse_locked(r, number != NULL, digest))
		return;
	if (f->locked.opaque_etags)
		memset(etag, 'e', 32);
	if (number != NULL) {
		struct buf *b = &f->locked.upload.parts[strtoul(number + 11,
		    NULL, 10)];

		buf_clear(b);
		buf_add(b, body, len);
	} else {
		struct fake_object *o = fake_store_locked(f, r->key);

		buf_add(&o->data, body, len);
		fake_take_meta(r, &o->meta);
		memcpy(o->etag, etag, sizeof(etag));
	}
	if (f->locked.spoiled_etags > 0) {
		f->locked.spoiled_etags--;
		etag[0] = etag[0] == '0' ? '1' : '0';
	}
	snprintf(line, sizeof(line), "ETag: \"%s\"\r\n", etag);
	fake_answer(r->fd, "200 OK", line, "");
}

void
fake_drop_locked(struct fake_upload *u)
{
	free(u->key);
	u->key = NULL;
	buf_release(&u->meta);
	for (size_t i = 0; i < FAKE_PARTS; i++)
		buf_release(&u->parts[i]);
}

static void
fake_post_locked(struct fake_request *r)
{
	struct fake_upload *u = &r->f->locked.upload;
	uint8_t md5s[FAKE_PARTS * MD5_LEN];
	struct fake_object *o;
	unsigned n = 0;
	char xml[200];

	if (r->f->locked.swallow) {
		r->f->locked.swallow = false;
		r->f->locked.orphan = xstrdup(r->key);
		shutdown(r->fd, SHUT_RDWR);
		return;
	}
	if (strstr(r->query, "uploadId=") == NULL) {
		r->f->locked.creates++;
		fake_drop_locked(u);
		u->key = xstrdup(r->key);
		fake_take_meta(r, &u->meta);
		for (size_t i = 0; i < FAKE_PARTS; i++)
			buf_init(&u->parts[i], 64 * MIB);
		fake_answer(r->fd, "200 OK", "",
		    "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
		    "</InitiateMultipartUploadResult>");
		return;
	}
	if (u->key == NULL) {
		fake_answer(r->fd, "404 None", "",
		    "<Error><Code>NoSuchUpload</Code></Error>");
		return;
	}
	snprintf(r->f->locked.completed, sizeof(r->f->locked.completed),
	    "%.*s", (int)(r->in.len - r->head), r->in.data + r->head);
	o = fake_store_locked(r->f, r->key);
	for (size_t i = 1; i < FAKE_PARTS && u->parts[i].len > 0; i++) {
		struct md5 md5;

		md5_init(&md5);
		md5_update(&md5, u->parts[i].data, u->parts[i].len);
		md5_final(&md5, md5s + MD5_LEN * n++);
		buf_add(&o->data, u->parts[i].data, u->parts[i].len);
	}
	buf_clear(&o->meta);
	buf_add(&o->meta, u->meta.data, u->meta.len);
	etag_multipart(md5s, n, o->etag);
	fake_drop_locked(u);
	snprintf(xml, sizeof(xml), "<CompleteMultipartUploadResult><ETag>"
	    "%s</ETag></CompleteMultipartUploadResult>", o->etag);
	fake_answer(r->fd, "200 OK", "", xml);
}

static void
fake_copy_locked(struct fake_request *r)
{
	struct fake_object *o = fake_find_locked(r->f, r->key);
	char xml[200];

	r->f->locked.copies++;
	if (o == NULL) {
		fake_answer(r->fd, "404 None", "",
		    "<Error><Code>NoSuchKey</Code></Error>");
		return;
	}
	fake_take_meta(r, &o->meta);
	snprintf(xml, sizeof(xml), "<CopyObjectResult><ETag>%s</ETag>"
	    "</CopyObjectResult>", o->etag);
	fake_answer(r->fd, "200 OK", "", xml);
}

static void
fake_head_locked(struct fake_request *r)
{
	struct fake_object *o;
	struct buf b;

	r->f->locked.heads++;
	if (r->f->locked.on_head != NULL)
		r->f->locked.on_head(r->f->locked.arg, r->f->locked.heads);
	o = fake_find_locked(r->f, r->key);
	buf_init(&b, MIB);
	if (r->f->locked.denies_heads)
		buf_addstr(&b, "HTTP/1.1 403 No\r\n\r\n");
	else if (o == NULL)
		buf_addstr(&b, "HTTP/1.1 404 None\r\n\r\n");
	else
		buf_addf(&b, "HTTP/1.1 200 OK\r\nETag: \"%s\"\r\n%s%s"
		    "Content-Length: %zu\r\n\r\n", o->etag,
		    o->meta.len == 0 ? "" : o->meta.data,
		    r->f->locked.head_lines == NULL ? "" :
		    r->f->locked.head_lines, o->data.len);
	send(r->fd, b.data, b.len, MSG_NOSIGNAL);
	buf_release(&b);
}

static void
fake_list_locked(struct fake_request *r)
{
	const char *key = r->f->locked.orphan;
	char when[32];
	struct buf b;

	clock_iso8601(clock_wall_ns() / 1000000000, when);
	buf_init(&b, MIB);
	buf_addstr(&b, "<ListMultipartUploadsResult>"
	    "<IsTruncated>false</IsTruncated>");
	if (key != NULL)
		buf_addf(&b, "<Upload><Key>%s</Key><UploadId>orphan</UploadId>"
		    "<Initiated>%s</Initiated></Upload>", key, when);
	buf_addstr(&b, "</ListMultipartUploadsResult>");
	fake_answer(r->fd, "200 OK", "", b.data);
	buf_release(&b);
}

/* ListParts: two a page. */
static void
fake_parts_locked(struct fake_request *r)
{
	struct fake_upload *u = &r->f->locked.upload;
	const char *marker = strstr(r->query, "part-number-marker=");
	size_t i = marker == NULL ? 1 : strtoul(marker + 19, NULL, 10) + 1;
	uint8_t digest[MD5_LEN];
	unsigned n = 0;
	char etag[72];
	struct md5 md5;
	struct buf b;

	r->f->locked.part_lists++;
	if (u->key == NULL) {
		fake_answer(r->fd, "404 None", "",
		    "<Error><Code>NoSuchUpload</Code></Error>");
		return;
	}
	buf_init(&b, MIB);
	buf_addstr(&b, "<ListPartsResult>");
	for (; i < FAKE_PARTS && n < 2; i++) {
		if (u->parts[i].len == 0)
			continue;
		md5_init(&md5);
		md5_update(&md5, u->parts[i].data, u->parts[i].len);
		md5_final(&md5, digest);
		etag_single(digest, etag);
		buf_addf(&b, "<Part><PartNumber>%zu</PartNumber><Size>%zu"
		    "</Size><ETag>\"%s\"</ETag></Part>", i, u->parts[i].len,
		    etag);
		n++;
	}
	buf_addf(&b, "<IsTruncated>%s</IsTruncated><NextPartNumberMarker>%zu"
	    "</NextPartNumberMarker></ListPartsResult>",
	    n == 2 ? "true" : "false", i - 1);
	fake_answer(r->fd, "200 OK", "", b.data);
	buf_release(&b);
}

/* All of it, or a range; if it has the ETag that is asked for. */
static void
fake_get_locked(struct fake_request *r)
{
	struct fake_object *o = fake_find_locked(r->f, r->key);
	const char *range;
	size_t first = 0, last = 0;
	char etag[100];
	struct buf b;

	r->f->locked.gets++;
	if (r->f->locked.on_get != NULL)
		r->f->locked.on_get(r->f->locked.arg, r->f->locked.gets);
	pthread_cond_broadcast(&r->f->changed);
	while (r->f->locked.held)
		pthread_cond_wait(&r->f->changed, &r->f->lock);
	if (o == NULL) {
		fake_answer(r->fd, "404 None", "",
		    "<Error><Code>NoSuchKey</Code></Error>");
		return;
	}
	r->in.data[r->head - 1] = '\0';
	range = strcasestr(r->in.data, "\r\nrange: bytes=");
	snprintf(etag, sizeof(etag), "\"%s\"\r\n", o->etag);
	last = o->data.len;
	if (range != NULL) {
		char *end;

		first = strtoul(range + 15, &end, 10);
		if (end[1] >= '0' && end[1] <= '9')
			last = MIN(last, strtoul(end + 1, NULL, 10) + 1);
	}
	buf_init(&b, 64 * MIB);
	buf_addf(&b, "HTTP/1.1 %s\r\nETag: %s%sContent-Length: %zu\r\n",
	    range == NULL ? "200 OK" : "206 Part", etag, o->meta.data,
	    last - first);
	if (range != NULL)
		buf_addf(&b, "Content-Range: bytes %zu-%zu/%zu\r\n", first,
		    last - 1, o->data.len);
	buf_addstr(&b, "\r\n");
	if (last > first)
		buf_add(&b, o->data.data + first, last - first);
	for (size_t at = 0; at < b.len;) {
		ssize_t n = send(r->fd, b.data + at, b.len - at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	buf_release(&b);
}

/* The value of an argument of the query, "" if there is none. */
static void
fake_argument(const struct fake_request *r, const char *name, char *out,
    size_t size)
{
	const char *p = r->query;
	size_t n = 0;

	for (; p != NULL; p = strchr(p, '&')) {
		p += *p == '&';
		if (strncmp(p, name, strlen(name)) == 0 &&
		    p[strlen(name)] == '=')
			break;
	}
	for (p = p == NULL ? "" : p + strlen(name) + 1; *p != '\0' &&
	    *p != '&' && n + 1 < size; p++) {
		unsigned c = (unsigned char)*p;

		if (c == '%' && sscanf(p + 1, "%2x", &c) == 1)
			p += 2;
		out[n++] = (char)c;
	}
	out[n] = '\0';
}

/* ListObjectsV2; keys that need no encoding. */
static void
fake_objects_locked(struct fake_request *r)
{
	struct fake_s3 *f = r->f;
	size_t n = 0, most = f->locked.page_keys;
	char prefix[512], after[512], token[512];
	const struct fake_object *last = NULL;
	struct buf b;

	f->locked.lists++;
	fake_argument(r, "prefix", prefix, sizeof(prefix));
	fake_argument(r, "start-after", after, sizeof(after));
	fake_argument(r, "continuation-token", token, sizeof(token));
	if (strcmp(token, after) > 0)
		memcpy(after, token, sizeof(after));
	buf_init(&b, 4 * MIB);
	buf_addstr(&b, "<ListBucketResult>");
	for (;;) {
		const struct fake_object *next = NULL;

		for (size_t i = 0; i < f->locked.count; i++) {
			const struct fake_object *o = &f->locked.objects[i];

			if (strncmp(o->key, prefix, strlen(prefix)) == 0 &&
			    strcmp(o->key, last == NULL ? after : last->key) >
			    0 && (next == NULL || strcmp(o->key, next->key) <
			    0))
				next = o;
		}
		if (next == NULL || n == (most == 0 ? 1000 : most)) {
			buf_addf(&b, "<IsTruncated>%s</IsTruncated>",
			    next == NULL ? "false" : "true");
			if (next != NULL)
				buf_addf(&b, "<NextContinuationToken>%s"
				    "</NextContinuationToken>", last->key);
			break;
		}
		buf_addf(&b, "<Contents><Key>%s</Key><LastModified>2020-01-01T"
		    "00:00:00.000Z</LastModified><ETag>\"%s\"</ETag><Size>%zu"
		    "</Size></Contents>", next->key, next->etag,
		    next->data.len);
		last = next;
		n++;
	}
	buf_addstr(&b, "</ListBucketResult>");
	fake_answer(r->fd, "200 OK", "", b.data);
	buf_release(&b);
}

/* DeleteObjects. Keys with "kept" in them are refused. */
static void
fake_delete_locked(struct fake_request *r)
{
	struct fake_s3 *f = r->f;
	const char *p = r->in.data + r->head, *end;
	struct buf b;

	f->locked.deletes++;
	pthread_cond_broadcast(&f->changed);
	while (f->locked.held)
		pthread_cond_wait(&f->changed, &f->lock);
	buf_init(&b, 4 * MIB);
	buf_addstr(&b, "<DeleteResult>");
	while ((p = strstr(p, "<Key>")) != NULL) {
		char key[512];

		p += 5;
		end = strstr(p, "</Key>");
		snprintf(key, sizeof(key), "%.*s", (int)(end - p), p);
		if (strstr(key, "kept") != NULL) {
			buf_addf(&b, "<Error><Key>%s</Key><Code>AccessDenied"
			    "</Code></Error>", key);
			continue;
		}
		fake_remove_locked(f, key);
		buf_addf(&b, "<Deleted><Key>%s</Key></Deleted>", key);
	}
	buf_addstr(&b, "</DeleteResult>");
	fake_answer(r->fd, "200 OK", "", b.data);
	buf_release(&b);
}

static void
fake_abort_locked(struct fake_request *r)
{
	r->f->locked.aborts++;
	if (strstr(r->query, "orphan") == NULL) {
		fake_drop_locked(&r->f->locked.upload);
	} else {
		free(r->f->locked.orphan);
		r->f->locked.orphan = NULL;
	}
	fake_answer(r->fd, "204 Gone", "", "");
}

static void
fake_handle(struct fake_request *r)
{
	struct fake_s3 *f = r->f;

	pthread_mutex_lock(&f->lock);
	if (strcmp(r->method, "PUT") == 0 && memmem(r->in.data, r->head,
	    "x-amz-copy-source", 17) != NULL) {
		fake_copy_locked(r);
	} else if (strcmp(r->method, "PUT") == 0) {
		fake_put_locked(r);
	} else if (f->locked.denies) {
		fake_answer(r->fd, "403 No", "",
		    "<Error><Code>AccessDenied</Code></Error>");
	} else if (strcmp(r->method, "POST") == 0 &&
	    strncmp(r->query, "delete", 6) == 0) {
		fake_delete_locked(r);
	} else if (strcmp(r->method, "POST") == 0) {
		fake_post_locked(r);
	} else if (strcmp(r->method, "HEAD") == 0) {
		fake_head_locked(r);
	} else if (strcmp(r->method, "DELETE") == 0 &&
	    strstr(r->query, "uploadId=") == NULL) {
		f->locked.deletes++;
		fake_remove_locked(f, r->key);
		fake_answer(r->fd, "204 Gone", "", "");
	} else if (strcmp(r->method, "DELETE") == 0) {
		fake_abort_locked(r);
	} else if (strncmp(r->query, "uploads", 7) == 0 ||
	    strstr(r->query, "&uploads") != NULL) {
		fake_list_locked(r);
	} else if (strstr(r->query, "list-type=2") != NULL) {
		fake_objects_locked(r);
	} else if (strstr(r->query, "uploadId=") != NULL) {
		fake_parts_locked(r);
	} else if (strcmp(r->method, "GET") == 0 && r->key[0] != '\0') {
		fake_get_locked(r);
	} else {
		fake_answer(r->fd, "400 Unknown", "", "");
	}
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* False at the end of the connection. */
static bool
fake_read(struct fake_request *r)
{
	size_t body = 0;
	char data[65536], *end;

	buf_clear(&r->in);
	r->head = 0;
	while (r->head == 0 || r->in.len < r->head + body) {
		ssize_t n = recv(r->fd, data, sizeof(data) - 1, 0);

		if (n <= 0)
			return false;
		buf_add(&r->in, data, (size_t)n);
		end = r->head > 0 ? NULL : memmem(r->in.data, r->in.len,
		    "\r\n\r\n", 4);
		if (end != NULL) {
			const char *len;

			r->head = (size_t)(end + 4 - r->in.data);
			*end = '\0';
			len = strcasestr(r->in.data, "content-length: ");
			*end = '\r';
			body = len == NULL ? 0 : strtoul(len + 16, NULL, 10);
		}
	}
	return true;
}

static void *
fake_connection(void *arg)
{
	struct fake_request *r = arg;
	char *query;

	while (fake_read(r)) {
		if (sscanf(r->in.data, "%7s /bkt%500s", r->method, r->key) !=
		    2)
			break;
		if (r->key[0] == '/')
			memmove(r->key, r->key + 1, strlen(r->key));
		query = strchr(r->key, '?');
		r->query = query == NULL ? "" : query + 1;
		if (query != NULL)
			*query = '\0';
		fake_handle(r);
	}
	buf_release(&r->in);
	free(r);
	return NULL;
}

static void *
fake_accept(void *arg)
{
	struct fake_s3 *f = arg;

	while (f->conn_count < FAKE_MAX) {
		struct fake_request *r;
		int fd = accept(f->fd, NULL, NULL);

		if (fd == -1)
			break;
		r = xcalloc(1, sizeof(*r));
		r->f = f;
		r->fd = fd;
		buf_init(&r->in, 64 * MIB);
		f->conn_fd[f->conn_count] = fd;
		if (pthread_create(&f->conn[f->conn_count++], NULL,
		    fake_connection, r) != 0)
			abort();
	}
	return NULL;
}

void
fake_start(struct fake_s3 *f)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	memset(f, 0, sizeof(*f));
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(f->fd, FAKE_MAX), 0);
	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&a, &len), 0);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u",
	    ntohs(a.sin_port));
	assert_int_equal(pthread_create(&f->thread, NULL, fake_accept, f), 0);
}

void
fake_stop(struct fake_s3 *f)
{
	shutdown(f->fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->fd);
	for (size_t i = 0; i < f->conn_count; i++) {
		shutdown(f->conn_fd[i], SHUT_RDWR);
		pthread_join(f->conn[i], NULL);
		close(f->conn_fd[i]);
	}
	for (size_t i = 0; i < f->locked.count; i++) {
		free(f->locked.objects[i].key);
		buf_release(&f->locked.objects[i].data);
		buf_release(&f->locked.objects[i].meta);
	}
	fake_drop_locked(&f->locked.upload);
	free(f->locked.orphan);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
}
