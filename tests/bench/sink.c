/*
 * sink.c: an S3 server for benchmarks: it takes what it is given, at little
 * cost, and counts requests. It knows no users, checks no signatures and
 * keeps names, sizes, ETags and metadata in memory (the data as well with
 * --keep; without it GET gives zeros). Every bucket exists.
 *
 *	sink [--port N] [--keep] [--no-md5] [--seed FILE]
 *
 * prints the address it listens on, and its counts when it is ended by
 * SIGTERM; GET /_stats gives them at any time. With --no-md5 a Content-MD5
 * becomes the ETag unread, so that the sink costs less than it measures. A
 * seed file names objects that are there from the start, one a line: size,
 * seconds since 1970, bucket/key.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>

#include "sink_list.h"

enum kind {
	PUT_OBJECT = 0,
	PUT_PART,
	POST_CREATE,
	POST_COMPLETE,
	POST_DELETE,
	DELETE_OBJECT,
	DELETE_UPLOAD,
	HEAD_OBJECT,
	HEAD_BUCKET,
	GET_OBJECT,
	LIST_OBJECTS,
	LIST_UPLOADS,
	LIST_PARTS,
	OTHER,
	KIND__MAX
};

static const char *const kind_names[KIND__MAX] = {
	"put_object", "put_part", "post_create", "post_complete",
	"post_delete", "delete_object", "delete_upload", "head_object",
	"head_bucket", "get_object", "list_objects", "list_uploads",
	"list_parts", "other",
};

static struct {
	pthread_mutex_t lock;
	struct store store;
	uint64_t counts[KIND__MAX];
	uint64_t bytes_in;
	uint64_t connections;
	bool	 keep;
	bool	 no_md5;
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct body {
	bool	 hash;
	struct md5 md5;
	uint64_t size;
	struct buf data;	/* when it is kept */
	bool	 keep;
};

static void
count(enum kind kind)
{
	pthread_mutex_lock(&sink.lock);
	sink.counts[kind]++;
	pthread_mutex_unlock(&sink.lock);
}

static int
reply_error(struct conn *c, int status, const char *code)
{
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	buf_addf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<Error><Code>%s</Code><Message>%s</Message></Error>", code,
	    code);
	rc = reply(c, status, "Content-Type: application/xml\r\n", &b);
	buf_release(&b);
	return rc;
}

static int
reply_xml(struct conn *c, struct buf *b)
{
	return reply(c, 200, "Content-Type: application/xml\r\n", b);
}

static void
body_add(void *arg, const void *data, size_t len)
{
	struct body *b = arg;

	b->size += len;
	if (b->hash)
		md5_update(&b->md5, data, len);
	if (b->keep)
		buf_add(&b->data, data, len);
}

static int
body_take(struct conn *c, const struct request *r, struct body *b,
    uint8_t md5[MD5_LEN])
{
	memset(b, 0, sizeof(*b));
	buf_init(&b->data, (size_t)8 * GIB);
	md5_init(&b->md5);
	b->hash = !(sink.no_md5 && r->has_md5);
	b->keep = sink.keep;
	if (body_read(c, r, body_add, b) == -1)
		return -1;
	if (b->hash)
		md5_final(&b->md5, md5);
	else
		memcpy(md5, r->md5, MD5_LEN);
	return 0;
}

static bool
wrong_md5(const struct request *r, const uint8_t md5[MD5_LEN])
{
	return r->has_md5 && memcmp(r->md5, md5, MD5_LEN) != 0;
}

static int
reply_etag(struct conn *c, const char *etag)
{
	char line[96];

	snprintf(line, sizeof(line), "ETag: \"%s\"\r\n", etag);
	return reply(c, 200, line, NULL);
}

static int
put_object(struct conn *c, struct request *r, const char *name)
{
	uint8_t md5[MD5_LEN];
	struct object *o;
	struct body body;
	char etag[72];

	if (body_take(c, r, &body, md5) == -1) {
		buf_release(&body.data);
		return -1;
	}
	if (wrong_md5(r, md5)) {
		buf_release(&body.data);
		return reply_error(c, 400, "BadDigest");
	}
	etag_single(md5, etag);
	pthread_mutex_lock(&sink.lock);
	sink.counts[PUT_OBJECT]++;
	sink.bytes_in += body.size;
	o = store_put(&sink.store, name);
	o->meta = STEAL(r->meta.data);
	o->data = (uint8_t *)STEAL(body.data.data);
	o->size = body.size;
	o->mtime = time(NULL);
	memcpy(o->etag, etag, sizeof(etag));
	pthread_mutex_unlock(&sink.lock);
	return reply_etag(c, etag);
}

static int
put_part(struct conn *c, const struct request *r, const char *name,
    const char *id)
{
	const char *number = query_get(r, "partNumber");
	unsigned long n = strtoul(number, NULL, 10);
	uint8_t md5[MD5_LEN];
	struct upload *u;
	struct body body;
	char etag[72];
	bool ok = n >= 1 && n <= 10000;

	if (body_take(c, r, &body, md5) == -1) {
		buf_release(&body.data);
		return -1;
	}
	if (wrong_md5(r, md5)) {
		buf_release(&body.data);
		return reply_error(c, 400, "BadDigest");
	}
	pthread_mutex_lock(&sink.lock);
	sink.counts[PUT_PART]++;
	sink.bytes_in += body.size;
	u = upload_get(&sink.store, id, name);
	if (ok && u != NULL) {
		struct part *p = upload_part(u, (unsigned)n);

		free(p->data);
		p->given = true;
		p->size = body.size;
		p->data = (uint8_t *)STEAL(body.data.data);
		memcpy(p->md5, md5, MD5_LEN);
	}
	pthread_mutex_unlock(&sink.lock);
	buf_release(&body.data);
	if (u == NULL)
		return reply_error(c, 404, "NoSuchUpload");
	etag_single(md5, etag);
	return ok ? reply_etag(c, etag) :
	    reply_error(c, 400, "InvalidArgument");
}

static void
split_name(const char *name, struct buf *b)
{
	const char *slash = strchr(name, '/');

	buf_addf(b, "<Bucket>%.*s</Bucket><Key>", (int)(slash - name), name);
	add_xml(b, slash + 1);
	buf_addstr(b, "</Key>");
}

static int
post_create(struct conn *c, struct request *r, const char *name)
{
	struct upload *u;
	struct buf b;
	int rc;

	pthread_mutex_lock(&sink.lock);
	sink.counts[POST_CREATE]++;
	u = upload_new(&sink.store, name, STEAL(r->meta.data));
	buf_init(&b, 16 * KIB);
	buf_addstr(&b, "<InitiateMultipartUploadResult>");
	split_name(name, &b);
	buf_addf(&b, "<UploadId>%lu</UploadId>"
	    "</InitiateMultipartUploadResult>", (unsigned long)u->id);
	pthread_mutex_unlock(&sink.lock);
	rc = reply_xml(c, &b);
	buf_release(&b);
	return rc;
}

static void
body_text(void *arg, const void *data, size_t len)
{
	buf_add(arg, data, len);
}

/* Make the object of the parts that xml names; false if one isn't there. */
static bool
join_parts(const struct upload *u, const char *xml, struct buf *md5s,
    uint64_t *size, struct buf *data)
{
	const char *p;

	while ((p = next_tag(&xml, "<PartNumber>")) != NULL) {
		unsigned long n = strtoul(p, NULL, 10);
		const struct part *part;

		if (n < 1 || n > u->part_cap || !u->parts[n - 1].given)
			return false;
		part = &u->parts[n - 1];
		buf_add(md5s, part->md5, MD5_LEN);
		*size += part->size;
		if (part->data != NULL)
			buf_add(data, part->data, part->size);
	}
	return md5s->len > 0;
}

/* Under the lock. */
static bool
complete_locked(const char *id, const char *name, const char *xml,
    char etag[72])
{
	struct upload *u = upload_get(&sink.store, id, name);
	struct buf md5s, data;
	uint64_t size = 0;
	struct object *o;
	bool ok;

	buf_init(&md5s, 10000 * MD5_LEN);
	buf_init(&data, (size_t)64 * GIB);
	ok = u != NULL && join_parts(u, xml, &md5s, &size, &data);
	if (ok) {
		etag_multipart((const uint8_t *)md5s.data,
		    (unsigned)(md5s.len / MD5_LEN), etag);
		o = store_put(&sink.store, name);
		o->meta = STEAL(u->meta);
		o->data = (uint8_t *)STEAL(data.data);
		o->size = size;
		o->mtime = time(NULL);
		memcpy(o->etag, etag, 72);
		upload_delete(&sink.store, u);
	}
	buf_release(&md5s);
	buf_release(&data);
	return ok;
}

static int
post_complete(struct conn *c, const struct request *r, const char *name,
    const char *id)
{
	struct buf xml, b;
	char etag[72];
	bool ok;
	int rc;

	buf_init(&xml, 4 * MIB);
	buf_init(&b, 16 * KIB);
	if (body_read(c, r, body_text, &xml) == -1) {
		buf_release(&xml);
		return -1;
	}
	pthread_mutex_lock(&sink.lock);
	sink.counts[POST_COMPLETE]++;
	ok = complete_locked(id, name, buf_str(&xml).p, etag);
	pthread_mutex_unlock(&sink.lock);
	if (ok) {
		buf_addstr(&b, "<CompleteMultipartUploadResult>");
		split_name(name, &b);
		buf_addf(&b, "<ETag>&quot;%s&quot;</ETag>"
		    "</CompleteMultipartUploadResult>", etag);
	}
	rc = ok ? reply_xml(c, &b) : reply_error(c, 400, "InvalidPart");
	buf_release(&xml);
	buf_release(&b);
	return rc;
}

static int
post_delete(struct conn *c, const struct request *r, const char *bucket)
{
	struct buf xml, b;
	const char *pos, *key;
	int rc;

	buf_init(&xml, 16 * MIB);
	buf_init(&b, 4 * MIB);
	if (body_read(c, r, body_text, &xml) == -1) {
		buf_release(&xml);
		return -1;
	}
	buf_addstr(&b, "<DeleteResult>");
	pos = buf_str(&xml).p;
	pthread_mutex_lock(&sink.lock);
	sink.counts[POST_DELETE]++;
	while ((key = next_tag(&pos, "<Key>")) != NULL) {
		size_t len = strcspn(key, "<");
		char *plain = xstrndup(key, len);
		char *name;

		buf_addf(&b, "<Deleted><Key>%s</Key></Deleted>", plain);
		xml_unescape(plain);
		name = xasprintf("%s/%s", bucket, plain);
		store_delete(&sink.store, name);
		free(name);
		free(plain);
	}
	pthread_mutex_unlock(&sink.lock);
	buf_addstr(&b, "</DeleteResult>");
	rc = reply_xml(c, &b);
	buf_release(&xml);
	buf_release(&b);
	return rc;
}

static int
delete_key(struct conn *c, const struct request *r, const char *name)
{
	const char *id = query_get(r, "uploadId");
	struct upload *u = NULL;

	pthread_mutex_lock(&sink.lock);
	sink.counts[id == NULL ? DELETE_OBJECT : DELETE_UPLOAD]++;
	if (id == NULL) {
		store_delete(&sink.store, name);
	} else {
		u = upload_get(&sink.store, id, name);
		if (u != NULL)
			upload_delete(&sink.store, u);
	}
	pthread_mutex_unlock(&sink.lock);
	if (id != NULL && u == NULL)
		return reply_error(c, 404, "NoSuchUpload");
	return reply(c, 204, NULL, NULL);
}

/* Send len bytes of the object's data, which may be NULL: zeros. */
static int
send_data(struct conn *c, const uint8_t *data, uint64_t len)
{
	static const uint8_t zeros[64 * 1024];

	if (data != NULL)
		return conn_send(c, data, len);
	while (len > 0) {
		size_t n = (size_t)MIN((uint64_t)sizeof(zeros), len);

		if (conn_send(c, zeros, n) == -1)
			return -1;
		len -= n;
	}
	return 0;
}

static int
get_object(struct conn *c, const struct request *r, const char *name)
{
	bool head = r->method[0] == 'H', found = false;
	uint64_t from = 0, len = 0, size = 0;
	uint8_t *data = NULL;
	struct object *o;
	char date[40];
	struct buf b;
	struct tm tm;
	int rc;

	buf_init(&b, 128 * KIB);
	pthread_mutex_lock(&sink.lock);
	sink.counts[head ? HEAD_OBJECT : GET_OBJECT]++;
	o = store_get(&sink.store, name);
	if (o != NULL) {
		found = true;
		size = o->size;
		from = r->range ? r->range_from : 0;
		len = from < size ? size - from : 0;
		if (r->range && len > 0)
			len = MIN(len, r->range_to - from + 1);
		if (!head && o->data != NULL && len > 0)
			data = xmemdup(o->data + from, len);
		gmtime_r(&o->mtime, &tm);
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
		    &tm);
		buf_addf(&b, "%sETag: \"%s\"\r\nLast-Modified: %s\r\n"
		    "Accept-Ranges: bytes\r\n", o->meta == NULL ? "" :
		    o->meta, o->etag, date);
	}
	pthread_mutex_unlock(&sink.lock);
	if (!found && head)
		rc = reply(c, 404, NULL, NULL);
	else if (!found)
		rc = reply_error(c, 404, "NoSuchKey");
	else if (r->range && len == 0)
		rc = reply_error(c, 416, "InvalidRange");
	else {
		if (r->range)
			buf_addf(&b, "Content-Range: bytes %lu-%lu/%lu\r\n",
			    (unsigned long)from,
			    (unsigned long)(from + len - 1),
			    (unsigned long)size);
		rc = reply_with(c, r->range ? 206 : 200, len, b.data, NULL);
		if (rc == 0 && !head)
			rc = send_data(c, data, len);
	}
	free(data);
	buf_release(&b);
	return rc;
}

/* ListObjects and ListObjectsV2. A continuation token is the last key in
 * hex. */
static int
list_objects(struct conn *c, const struct request *r, const char *bucket)
{
	bool v2 = strcmp(query_or(r, "list-type", ""), "2") == 0;
	const char *token = query_get(r, "continuation-token");
	AUTOFREE char *hex = NULL;
	struct listing l = {
		.store = &sink.store,
		.bucket = bucket,
		.prefix = query_or(r, "prefix", ""),
		.delimiter = query_or(r, "delimiter", ""),
		.after = query_get(r, v2 ? "start-after" : "marker"),
		.url = strcmp(query_or(r, "encoding-type", ""), "url") == 0,
		.limit = strtoul(query_or(r, "max-keys", "1000"), NULL, 10),
	};
	int rc;

	if (v2 && token != NULL) {
		hex = xcalloc(strlen(token) / 2 + 1, 1);
		if (!hex_decode(token, hex, strlen(token) / 2))
			return reply_error(c, 400, "InvalidArgument");
		l.after = hex;
	}
	l.limit = MIN(l.limit, (size_t)1000);
	buf_init(&l.xml, 8 * MIB);
	buf_init(&l.last, 4 * KIB);
	buf_addf(&l.xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<ListBucketResult><Name>%s</Name><Prefix>", bucket);
	add_key(&l, &l.xml, l.prefix);
	buf_addf(&l.xml, "</Prefix><MaxKeys>%zu</MaxKeys>", l.limit);
	if (l.url)
		buf_addstr(&l.xml, "<EncodingType>url</EncodingType>");
	pthread_mutex_lock(&sink.lock);
	sink.counts[LIST_OBJECTS]++;
	list_locked(&l);
	pthread_mutex_unlock(&sink.lock);
	buf_addf(&l.xml, "<KeyCount>%zu</KeyCount><IsTruncated>%s"
	    "</IsTruncated>", l.given, l.more ? "true" : "false");
	if (l.more && v2) {
		char *text = xmalloc(2 * l.last.len + 1);

		hex_encode(l.last.data, l.last.len, text);
		buf_addf(&l.xml, "<NextContinuationToken>%s"
		    "</NextContinuationToken>", text);
		free(text);
	} else if (l.more) {
		buf_addstr(&l.xml, "<NextMarker>");
		add_key(&l, &l.xml, l.last.data);
		buf_addstr(&l.xml, "</NextMarker>");
	}
	buf_addstr(&l.xml, "</ListBucketResult>");
	rc = reply_xml(c, &l.xml);
	buf_release(&l.xml);
	buf_release(&l.last);
	return rc;
}

static int
list_uploads(struct conn *c, const struct request *r, const char *bucket)
{
	AUTOFREE char *start = xasprintf("%s/%s", bucket,
	    query_or(r, "prefix", ""));
	struct buf b;
	int rc;

	buf_init(&b, 16 * MIB);
	buf_addf(&b, "<ListMultipartUploadsResult><Bucket>%s</Bucket>"
	    "<IsTruncated>false</IsTruncated>", bucket);
	pthread_mutex_lock(&sink.lock);
	sink.counts[LIST_UPLOADS]++;
	for (struct upload *u = sink.store.uploads; u != NULL; u = u->next) {
		if (!str_starts(str_of(u->name), str_of(start)))
			continue;
		buf_addstr(&b, "<Upload><Key>");
		add_xml(&b, u->name + strlen(bucket) + 1);
		buf_addf(&b, "</Key><UploadId>%lu</UploadId>",
		    (unsigned long)u->id);
		add_time(&b, "Initiated", u->since);
		buf_addstr(&b, "</Upload>");
	}
	pthread_mutex_unlock(&sink.lock);
	buf_addstr(&b, "</ListMultipartUploadsResult>");
	rc = reply_xml(c, &b);
	buf_release(&b);
	return rc;
}

static int
list_parts(struct conn *c, const char *name, const char *id)
{
	struct upload *u;
	struct buf b;
	int rc;

	buf_init(&b, 16 * MIB);
	buf_addstr(&b, "<ListPartsResult>");
	pthread_mutex_lock(&sink.lock);
	sink.counts[LIST_PARTS]++;
	u = upload_get(&sink.store, id, name);
	for (unsigned i = 0; u != NULL && i < u->part_cap; i++) {
		char etag[72];

		if (!u->parts[i].given)
			continue;
		etag_single(u->parts[i].md5, etag);
		buf_addf(&b, "<Part><PartNumber>%u</PartNumber><ETag>&quot;"
		    "%s&quot;</ETag><Size>%lu</Size></Part>", i + 1, etag,
		    (unsigned long)u->parts[i].size);
	}
	pthread_mutex_unlock(&sink.lock);
	buf_addstr(&b, "<IsTruncated>false</IsTruncated></ListPartsResult>");
	rc = u == NULL ? reply_error(c, 404, "NoSuchUpload") :
	    reply_xml(c, &b);
	buf_release(&b);
	return rc;
}

static void
stats_text(struct buf *b)
{
	uint64_t total = 0;

	pthread_mutex_lock(&sink.lock);
	for (size_t i = 0; i < KIND__MAX; i++) {
		buf_addf(b, "%s %lu\n", kind_names[i],
		    (unsigned long)sink.counts[i]);
		total += sink.counts[i];
	}
	buf_addf(b, "requests %lu\nbytes_in %lu\nconnections %lu\n"
	    "objects %lu\n", (unsigned long)total,
	    (unsigned long)sink.bytes_in, (unsigned long)sink.connections,
	    (unsigned long)sink.store.objects);
	pthread_mutex_unlock(&sink.lock);
}

static int
get_stats(struct conn *c)
{
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	stats_text(&b);
	rc = reply(c, 200, "Content-Type: text/plain\r\n", &b);
	buf_release(&b);
	return rc;
}

static int
serve_bucket(struct conn *c, const struct request *r, const char *bucket)
{
	static const char *const known[] = { "PUT", "HEAD", "DELETE" };
	struct buf b;
	int rc;

	if (strcmp(r->method, "POST") == 0 && query_get(r, "delete") != NULL)
		return post_delete(c, r, bucket);
	if (strcmp(r->method, "GET") == 0 && query_get(r, "uploads") != NULL)
		return list_uploads(c, r, bucket);
	if (strcmp(r->method, "GET") == 0 &&
	    query_get(r, "location") == NULL &&
	    query_get(r, "versioning") == NULL)
		return list_objects(c, r, bucket);
	buf_init(&b, 4096);
	if (body_read(c, r, body_text, &b) == -1) {
		buf_release(&b);
		return -1;
	}
	buf_clear(&b);
	count(r->method[0] == 'H' ? HEAD_BUCKET : OTHER);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(r->method, known[i]) == 0)
			return reply(c, i == 2 ? 204 : 200, NULL, NULL);
	buf_addstr(&b, query_get(r, "location") != NULL ?
	    "<LocationConstraint></LocationConstraint>" :
	    "<VersioningConfiguration></VersioningConfiguration>");
	rc = reply_xml(c, &b);
	buf_release(&b);
	return rc;
}

static int
serve_key(struct conn *c, struct request *r, const char *name)
{
	const char *id = query_get(r, "uploadId");

	if (r->copy || strlen(r->method) > 6)
		return -1;
	if (strcmp(r->method, "PUT") == 0)
		return id != NULL && query_get(r, "partNumber") != NULL ?
		    put_part(c, r, name, id) : put_object(c, r, name);
	if (strcmp(r->method, "POST") == 0 && id != NULL)
		return post_complete(c, r, name, id);
	if (strcmp(r->method, "POST") == 0 && query_get(r, "uploads") != NULL)
		return post_create(c, r, name);
	if (strcmp(r->method, "DELETE") == 0)
		return delete_key(c, r, name);
	if (strcmp(r->method, "GET") == 0 && id != NULL)
		return list_parts(c, name, id);
	if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
		return get_object(c, r, name);
	count(OTHER);
	return reply_error(c, 501, "NotImplemented");
}

static int
serve_one(struct conn *c, struct request *r)
{
	char *name = r->path + 1, *slash;

	if (request_read(c, r) == -1 || r->path[0] != '/')
		return -1;
	name = r->path + 1;
	slash = strchr(name, '/');
	if (strcmp(r->path, "/_stats") == 0)
		return get_stats(c);
	if (*name == '\0') {
		count(OTHER);
		return reply_error(c, 501, "NotImplemented");
	}
	if (slash != NULL && slash[1] != '\0')
		return serve_key(c, r, name);
	if (slash != NULL)
		*slash = '\0';
	return serve_bucket(c, r, name);
}

static void *
serve(void *arg)
{
	struct conn c = { .fd = (int)(intptr_t)arg };
	bool go_on = true;

	c.in = xmalloc(CONN_BUF);
	while (go_on) {
		struct request r;

		request_init(&r);
		go_on = serve_one(&c, &r) == 0 && !r.close;
		request_release(&r);
	}
	close(c.fd);
	free(c.in);
	return NULL;
}

static void *
listener(void *arg)
{
	int fd = (int)(intptr_t)arg;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (;;) {
		int c = accept(fd, NULL, NULL), one = 1;
		pthread_t t;

		if (c == -1)
			continue;
		setsockopt(c, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
		pthread_mutex_lock(&sink.lock);
		sink.connections++;
		pthread_mutex_unlock(&sink.lock);
		if (pthread_create(&t, &attr, serve, (void *)(intptr_t)c) !=
		    0)
			close(c);
	}
	return NULL;
}

static int
listen_on(unsigned long port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(fd, 1024) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1) {
		close(fd);
		return -1;
	}
	printf("http://127.0.0.1:%u\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

/* The ETag is that of an empty object, whatever the size. The time is also
 * given as rclone writes it. */
static int
seed(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (f == NULL)
		return -1;
	while ((len = getline(&line, &cap, f)) != -1) {
		struct object *o;
		char *p = line, *size, *mtime;

		line[len - 1] = '\0';
		size = strsep(&p, " ");
		mtime = strsep(&p, " ");
		if (p == NULL)
			break;
		o = store_put(&sink.store, p);
		o->size = strtoull(size, NULL, 10);
		o->mtime = (time_t)strtoll(mtime, NULL, 10);
		o->meta = xasprintf("x-amz-meta-mtime: %s\r\n", mtime);
		snprintf(o->etag, sizeof(o->etag), "%s",
		    "d41d8cd98f00b204e9800998ecf8427e");
	}
	free(line);
	fclose(f);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *seed_file = NULL;
	unsigned long port = 0;
	struct buf b;
	sigset_t set;
	pthread_t t;
	int fd, sig;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--keep") == 0) {
			sink.keep = true;
		} else if (strcmp(argv[i], "--no-md5") == 0) {
			sink.no_md5 = true;
		} else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
			port = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			seed_file = argv[++i];
		} else {
			fprintf(stderr, "usage: sink [--port N] [--keep] "
			    "[--no-md5] [--seed FILE]\n");
			return 2;
		}
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rng_seed(&sink.store.rng, 1);
	if (seed_file != NULL && seed(seed_file) == -1) {
		perror(seed_file);
		return 1;
	}
	fd = listen_on(port);
	if (fd == -1) {
		perror("sink");
		return 1;
	}
	if (pthread_create(&t, NULL, listener, (void *)(intptr_t)fd) != 0)
		return 1;
	sigwait(&set, &sig);
	buf_init(&b, 4096);
	stats_text(&b);
	fputs(b.data, stdout);
	fflush(stdout);
	_exit(0);
}
