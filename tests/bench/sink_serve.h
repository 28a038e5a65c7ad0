/*
 * sink_serve.h: which operation a request is, and the threads that serve: one
 * that listens, one a connection. Included by what is a store: sink.c, and
 * the store of the model.
 */
#ifndef BENCH_SINK_SERVE_H
#define BENCH_SINK_SERVE_H

#include <arpa/inet.h>
#include <netinet/tcp.h>

#include "sink_ops.h"

static const char *const kind_names[KIND__MAX] = {
	"other", "put_object", "put_copy", "put_part", "post_create",
	"post_complete", "post_delete", "delete_object", "delete_upload",
	"head_object", "head_bucket", "get_object", "list_objects",
	"list_uploads", "list_parts", "list_versions",
};

/* ListObjects and ListObjectsV2. A continuation token is the last key in
 * hex. */
static void
listed_etag(struct buf *b, const struct object *o)
{
	char text[ETAG_SPACE + 8];

	add_xml(b, quoted_etag(sink.traits, o->etag, text));
}

/* Give the entries between from and the end in another order. */
static void
mix(struct buf *b, size_t from)
{
	const char *last = NULL, *p = b->data + from;
	struct buf other;

	if (from >= b->len)
		return;
	while ((p = strstr(p, "<Contents>")) != NULL)
		last = p++;
	if (last == NULL)
		return;
	buf_init(&other, 8 * MIB);
	buf_addstr(&other, last);
	buf_add(&other, b->data + from, (size_t)(last - b->data) - from);
	memcpy(b->data + from, other.data, other.len);
	buf_release(&other);
}

static int
list_objects(struct conn *c, const struct request *r, const char *bucket)
{
	bool v2 = strcmp(query_or(r, "list-type", ""), "2") == 0 &&
	    (sink.traits & TRAIT_LIST_V1) == 0;
	size_t entries;
	const char *token = query_get(r, "continuation-token");
	AUTOFREE char *hex = NULL;
	struct listing l = {
		.store = &sink.store,
		.bucket = bucket,
		.prefix = query_or(r, "prefix", ""),
		.delimiter = query_or(r, "delimiter", ""),
		.after = query_get(r, v2 ? "start-after" : "marker"),
		.url = strcmp(query_or(r, "encoding-type", ""), "url") == 0 &&
		    (sink.traits & TRAIT_LIST_RAW) == 0,
		.etag = sink.traits & TRAIT_LIST_NO_ETAG ? NULL : listed_etag,
		.limit = strtoul(query_or(r, "max-keys", "1000"), NULL, 10),
	};
	int rc;

	if (v2 && token != NULL) {
		hex = xcalloc(strlen(token) / 2 + 1, 1);
		if (!hex_decode(token, hex, strlen(token) / 2))
			return reply_error(c, 400, "InvalidArgument");
		l.after = hex;
	}
	l.limit = MIN(l.limit, sink.page);
	buf_init(&l.xml, 8 * MIB);
	buf_init(&l.last, 4 * KIB);
	buf_addf(&l.xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<ListBucketResult><Name>%s</Name><Prefix>", bucket);
	add_key(&l, &l.xml, l.prefix);
	buf_addstr(&l.xml, v2 ? "</Prefix>" : "</Prefix><Marker>");
	if (!v2) {
		add_key(&l, &l.xml, l.after == NULL ? "" : l.after);
		buf_addstr(&l.xml, "</Marker>");
	}
	buf_addf(&l.xml, "<MaxKeys>%zu</MaxKeys>", l.limit);
	if (l.url)
		buf_addstr(&l.xml, "<EncodingType>url</EncodingType>");
	entries = l.xml.len;
	pthread_mutex_lock(&sink.lock);
	list_locked(&l);
	pthread_mutex_unlock(&sink.lock);
	if (sink.traits & TRAIT_LIST_MIXED)
		mix(&l.xml, entries);
	buf_addf(&l.xml, "<KeyCount>%zu</KeyCount><IsTruncated>%s"
	    "</IsTruncated>", l.given, l.more ? "true" : "false");
	if (l.more && v2) {
		char *text = xmalloc(2 * l.last.len + 1);

		hex_encode(l.last.data, l.last.len, text);
		buf_addf(&l.xml, "<NextContinuationToken>%s"
		    "</NextContinuationToken>", text);
		free(text);
	} else if (l.more && *l.delimiter != '\0') {
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
	u = upload_get(&sink.store, id, name);
	for (unsigned i = 0; u != NULL && i < u->part_cap; i++) {
		char text[ETAG_SPACE + 8];

		if (!u->parts[i].given)
			continue;
		buf_addf(&b, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
		add_xml(&b, quoted_etag(sink.traits, u->parts[i].etag, text));
		buf_addf(&b, "</ETag><Size>%lu</Size></Part>",
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
add_version(struct buf *b, const struct object *o, const char *bucket,
    bool url, bool latest)
{
	const char *key = o->name + strlen(bucket) + 1;
	const char *tag = o->marker ? "DeleteMarker" : "Version";
	char id[24];

	version_text(o->version, id);
	buf_addf(b, "<%s><Key>", tag);
	if (url)
		percent_encode(b, key);
	else
		add_xml(b, key);
	buf_addf(b, "</Key><VersionId>%s</VersionId><IsLatest>%s</IsLatest>",
	    id, latest ? "true" : "false");
	add_time(b, "LastModified", o->mtime);
	if (!o->marker)
		buf_addf(b, "<ETag>&quot;%s&quot;</ETag><Size>%lu</Size>",
		    o->etag, (unsigned long)o->size);
	buf_addf(b, "</%s>", tag);
}

/* ListObjectVersions, all at once, whatever max-keys says; the keys of earlier
 * versions in no order but by their age. */
static int
list_versions(struct conn *c, const struct request *r, const char *bucket)
{
	AUTOFREE char *start = xasprintf("%s/%s", bucket,
	    query_or(r, "prefix", ""));
	bool url = strcmp(query_or(r, "encoding-type", ""), "url") == 0;
	struct store *s = &sink.store;
	struct buf b;
	int rc;

	buf_init(&b, 64 * MIB);
	buf_addf(&b, "<ListVersionsResult><Name>%s</Name>%s<IsTruncated>false"
	    "</IsTruncated>", bucket, url ? "<EncodingType>url</EncodingType>" :
	    "");
	pthread_mutex_lock(&sink.lock);
	for (struct object *o = store_from(s, start); o != NULL &&
	    str_starts(str_of(o->name), str_of(start)); o = o->next[0])
		add_version(&b, o, bucket, url, true);
	for (struct object *v = s->earlier; v != NULL; v = v->next[0])
		if (str_starts(str_of(v->name), str_of(start)))
			add_version(&b, v, bucket, url,
			    store_get(s, v->name) == NULL &&
			    earlier_get(s, v->name) == v);
	pthread_mutex_unlock(&sink.lock);
	buf_addstr(&b, "</ListVersionsResult>");
	rc = reply_xml(c, &b);
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
	    "objects %lu\nheld %lu\n", (unsigned long)total,
	    (unsigned long)sink.bytes_in, (unsigned long)sink.connections,
	    (unsigned long)sink.store.objects, (unsigned long)sink.held);
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

/* GET /_hold?kind=put_part&nth=2: hold the second next part up for good. */
static int
take_hold(struct conn *c, const struct request *r)
{
	const char *kind = query_or(r, "kind", "");
	int found = -1;

	for (int i = 0; i < KIND__MAX; i++)
		if (strcmp(kind, kind_names[i]) == 0)
			found = i;
	pthread_mutex_lock(&sink.lock);
	sink.hold_kind = found;
	sink.hold_nth = (unsigned)strtoul(query_or(r, "nth", "1"), NULL, 10);
	pthread_mutex_unlock(&sink.lock);
	return reply(c, found == -1 ? 404 : 200, NULL, NULL);
}

static bool
is_held(enum kind kind)
{
	bool held;

	pthread_mutex_lock(&sink.lock);
	held = sink.hold_kind == (int)kind && --sink.hold_nth == 0;
	if (held) {
		sink.hold_kind = -1;
		sink.held++;
	}
	pthread_mutex_unlock(&sink.lock);
	return held;
}

/* Does the connection end behind this body, with no answer? */
static bool
closes_now(const struct conn *c, const struct request *r)
{
	bool now;

	if ((sink.traits & TRAIT_CLOSES) == 0 || c->served == 0 ||
	    r->length == 0)
		return false;
	pthread_mutex_lock(&sink.lock);
	now = ++sink.closes % 2 == 1;
	pthread_mutex_unlock(&sink.lock);
	return now;
}

/* What asks about the bucket, or makes one. */
static int
serve_bucket(struct conn *c, const struct request *r)
{
	static const char *const known[] = { "PUT", "HEAD", "DELETE" };
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	if (body_read(c, r, body_text, &b) == -1) {
		buf_release(&b);
		return -1;
	}
	buf_clear(&b);
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

static enum kind
bucket_kind(const struct request *r)
{
	bool get = strcmp(r->method, "GET") == 0;

	if (strcmp(r->method, "POST") == 0 && query_get(r, "delete") != NULL)
		return POST_DELETE;
	if (get && query_get(r, "uploads") != NULL)
		return LIST_UPLOADS;
	if (get && query_get(r, "versions") != NULL)
		return LIST_VERSIONS;
	if (get && query_get(r, "location") == NULL &&
	    query_get(r, "versioning") == NULL)
		return LIST_OBJECTS;
	return r->method[0] == 'H' ? HEAD_BUCKET : OTHER;
}

static enum kind
key_kind(const struct request *r)
{
	bool upload = query_get(r, "uploadId") != NULL;

	if (strcmp(r->method, "PUT") == 0 && upload)
		return r->copy == NULL ? PUT_PART : OTHER;
	if (strcmp(r->method, "PUT") == 0)
		return r->copy == NULL ? PUT_OBJECT : PUT_COPY;
	if (strcmp(r->method, "POST") == 0 && upload)
		return POST_COMPLETE;
	if (strcmp(r->method, "POST") == 0 && query_get(r, "uploads") != NULL)
		return POST_CREATE;
	if (strcmp(r->method, "DELETE") == 0)
		return upload ? DELETE_UPLOAD : DELETE_OBJECT;
	if (strcmp(r->method, "GET") == 0)
		return upload ? LIST_PARTS : GET_OBJECT;
	return strcmp(r->method, "HEAD") == 0 ? HEAD_OBJECT : OTHER;
}

static int
serve_kind(struct conn *c, struct request *r, enum kind kind,
    const char *name)
{
	const char *id = query_get(r, "uploadId");

	switch (kind) {
	case PUT_OBJECT:
		return put_object(c, r, name);
	case PUT_COPY:
		return put_copy(c, r, name);
	case PUT_PART:
		return put_part(c, r, name, id);
	case POST_CREATE:
		return post_create(c, r, name);
	case POST_COMPLETE:
		return post_complete(c, r, name, id);
	case POST_DELETE:
		return post_delete(c, r, name);
	case DELETE_OBJECT:
	case DELETE_UPLOAD:
		return delete_key(c, r, name);
	case GET_OBJECT:
	case HEAD_OBJECT:
		return get_object(c, r, name);
	case LIST_OBJECTS:
		return list_objects(c, r, name);
	case LIST_UPLOADS:
		return list_uploads(c, r, name);
	case LIST_VERSIONS:
		return list_versions(c, r, name);
	case LIST_PARTS:
		return list_parts(c, name, id);
	default:
		return strchr(name, '/') == NULL && *name != '\0' ?
		    serve_bucket(c, r) :
		    reply_error(c, 501, "NotImplemented");
	}
}

static void
body_nothing(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
}

/* As the hook says; otherwise as the request says. */
static int
serve_trouble(struct conn *c, struct request *r, enum kind kind,
    const char *name)
{
	enum trouble t = sink.hooks.request == NULL ? TROUBLE_NONE :
	    sink.hooks.request(kind, r);

	if (t == TROUBLE_NONE)
		return serve_kind(c, r, kind, name);
	if (t == TROUBLE_LOST)
		return -1;
	if (t == TROUBLE_WIDE) {
		for (size_t i = 0; i < r->query_count; i++)
			if (strcmp(r->query[i].name, "prefix") == 0)
				*r->query[i].value = '\0';
		return serve_kind(c, r, kind, name);
	}
	if (t == TROUBLE_MUTE) {
		c->mute = true;
		serve_kind(c, r, kind, name);
		if (sink.hooks.unanswered != NULL)
			sink.hooks.unanswered();
		return -1;
	}
	if (body_read(c, r, body_nothing, NULL) == -1)
		return -1;
	if (t == TROUBLE_EXPIRED)
		return reply_error(c, 400, "ExpiredToken");
	if (t == TROUBLE_403)
		return reply_error(c, 403, "AccessDenied");
	return t == TROUBLE_500 ? reply_error(c, 500, "InternalError") :
	    reply_error(c, 503, "SlowDown");
}

static int
serve_one(struct conn *c, struct request *r)
{
	char *name, *slash;
	enum kind kind = OTHER;
	size_t len;

	if (request_read(c, r) == -1 || r->path[0] != '/')
		return -1;
	if (strcmp(r->path, "/_stats") == 0)
		return get_stats(c);
	if (strcmp(r->path, "/_hold") == 0)
		return take_hold(c, r);
	if (sink.latency_ms > 0)
		usleep((useconds_t)sink.latency_ms * 1000);
	name = r->path + 1;
	len = strlen(name);
	slash = strchr(name, '/');
	if (slash != NULL && slash[1] == '\0')
		name[--len] = '\0';
	if (slash != NULL && slash[1] != '\0' && slash < name + len)
		kind = key_kind(r);
	else if (len > 0)
		kind = bucket_kind(r);
	count(kind);
	if (is_held(kind))
		for (;;)
			pause();
	if (closes_now(c, r)) {
		body_read(c, r, body_nothing, NULL);
		return -1;
	}
	c->served++;
	return serve_trouble(c, r, kind, name);
}

static void
connection_counts(int by)
{
	pthread_mutex_lock(&sink.lock);
	sink.open += (unsigned)by;
	pthread_cond_broadcast(&sink.closed);
	pthread_mutex_unlock(&sink.lock);
}

static void *
serve(void *arg)
{
	struct conn c = { .fd = (int)(intptr_t)arg, .rate = sink.rate };
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
	connection_counts(-1);
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
		sink.open++;
		pthread_mutex_unlock(&sink.lock);
		if (pthread_create(&t, &attr, serve, (void *)(intptr_t)c) !=
		    0) {
			close(c);
			connection_counts(-1);
		}
	}
	return NULL;
}

/* On this port of the loopback, or one that is free (0). */
static int
listen_on(unsigned long port, unsigned *ret_port)
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
	*ret_port = ntohs(a.sin_port);
	return fd;
}

#endif
