/*
 * sink_ops.h: what the sink does with objects and with multipart uploads.
 * Included by sink.c alone.
 */
#ifndef BENCH_SINK_OPS_H
#define BENCH_SINK_OPS_H

#include <pthread.h>

#include "sink_list.h"

enum kind {
	OTHER = 0,
	PUT_OBJECT,
	PUT_COPY,
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
	LIST_VERSIONS,
	KIND__MAX
};

/* What becomes of a request. */
enum trouble {
	TROUBLE_NONE = 0,
	TROUBLE_LOST,		/* the connection ends, nothing was done */
	TROUBLE_MUTE,		/* it is done, and the connection ends */
	TROUBLE_500,
	TROUBLE_503,
	TROUBLE_403,
	TROUBLE_WIDE,		/* a listing looks at no prefix */
	TROUBLE_EXPIRED = 50	/* the token has ended */
};

/* Who wants to know or to meddle; each may be NULL. */
struct sink_hooks {
	/* Before a request is done. */
	enum trouble (*request)(enum kind, const struct request *);
	/* One was done, and its answer isn't sent. */
	void	 (*unanswered)(void);
	/* An object was stored, or is about to go; under the lock. */
	void	 (*stored)(const struct object *);
	void	 (*removed)(const struct object *);
	/* A version is about to go for ever; an object came to light, as what
	 * had covered it went; under the lock. */
	void	 (*dropped)(const struct object *);
	void	 (*returned)(const struct object *);
};

static struct {
	pthread_mutex_t lock;
	struct store store;
	uint64_t counts[KIND__MAX];
	uint64_t bytes_in;
	uint64_t connections;
	bool	 keep;
	bool	 no_md5;
	bool	 unshown;	/* a marker isn't shown by HEAD and GET */
	unsigned long latency_ms;
	uint64_t rate;	/* of a connection */
	unsigned open;	/* connections */
	pthread_cond_t closed;
	struct sink_hooks hooks;
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER,
    .closed = PTHREAD_COND_INITIALIZER };

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

/* The header that tells the version; under the lock. */
static void
add_version_locked(struct buf *b, const struct object *o)
{
	char text[24];

	version_text(o->version, text);
	if (sink.store.versioning != VERSIONING_NONE)
		buf_addf(b, "x-amz-version-id: %s\r\n%s", text, o->marker ?
		    "x-amz-delete-marker: true\r\n" : "");
}

static int
reply_etag(struct conn *c, const char *etag, struct buf *more)
{
	int rc;

	buf_addf(more, "ETag: \"%s\"\r\n", etag);
	rc = reply(c, 200, more->data, NULL);
	buf_release(more);
	return rc;
}

static void
stored_locked(struct object *o)
{
	o->mtime = time(NULL);
	if (sink.hooks.stored != NULL)
		sink.hooks.stored(o);
}

/* The marker that is left, or NULL. */
static struct object *
remove_locked(const char *name)
{
	struct object *o = store_get(&sink.store, name);

	if (o != NULL && sink.hooks.removed != NULL)
		sink.hooks.removed(o);
	return store_hide(&sink.store, name);
}

static void
drop_locked(const char *name, const char *id)
{
	struct object *o = store_version(&sink.store, name, id);

	if (o == NULL)
		return;
	if (sink.hooks.dropped != NULL)
		sink.hooks.dropped(o);
	o = store_drop(&sink.store, o);
	if (o != NULL && sink.hooks.returned != NULL)
		sink.hooks.returned(o);
}

static int
put_object(struct conn *c, struct request *r, const char *name)
{
	uint8_t md5[MD5_LEN];
	struct object *o;
	struct body body;
	struct buf more;
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
	buf_init(&more, 1024);
	pthread_mutex_lock(&sink.lock);
	sink.bytes_in += body.size;
	o = store_put(&sink.store, name);
	o->meta = STEAL(r->meta.data);
	o->data = (uint8_t *)STEAL(body.data.data);
	o->size = body.size;
	memcpy(o->etag, etag, sizeof(etag));
	stored_locked(o);
	add_version_locked(&more, o);
	pthread_mutex_unlock(&sink.lock);
	return reply_etag(c, etag, &more);
}

/* The source and what it becomes may be the same object. */
static bool
copy_locked(struct request *r, const char *name, char etag[72],
    struct buf *more)
{
	struct object *o = store_version(&sink.store, r->copy +
	    (r->copy[0] == '/'), r->copy_version);
	uint8_t *data;
	uint64_t size;
	char *meta;

	if (o == NULL || o->marker)
		return false;
	data = o->data == NULL ? NULL : xmemdup(o->data, o->size + 1);
	size = o->size;
	meta = r->replace ? STEAL(r->meta.data) : o->meta == NULL ? NULL :
	    xstrdup(o->meta);
	memcpy(etag, o->etag, 72);
	o = store_put(&sink.store, name);
	o->copied = true;
	o->meta = meta;
	o->data = data;
	o->size = size;
	memcpy(o->etag, etag, 72);
	stored_locked(o);
	add_version_locked(more, o);
	return true;
}

static int
put_copy(struct conn *c, struct request *r, const char *name)
{
	struct buf b, more;
	char etag[72];
	bool ok;
	int rc;

	buf_init(&b, 4096);
	buf_init(&more, 1024);
	buf_addstr(&more, "Content-Type: application/xml\r\n");
	pthread_mutex_lock(&sink.lock);
	ok = copy_locked(r, name, etag, &more);
	pthread_mutex_unlock(&sink.lock);
	if (ok)
		buf_addf(&b, "<CopyObjectResult><ETag>&quot;%s&quot;</ETag>"
		    "</CopyObjectResult>", etag);
	rc = ok ? reply(c, 200, more.data, &b) :
	    reply_error(c, 404, "NoSuchKey");
	buf_release(&b);
	buf_release(&more);
	return rc;
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
	struct buf more;
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
	buf_init(&more, 1024);
	return ok ? reply_etag(c, etag, &more) :
	    reply_error(c, 400, "InvalidArgument");
}

static void
name_parts(const char *name, struct buf *b)
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
	u = upload_new(&sink.store, name, STEAL(r->meta.data));
	buf_init(&b, 16 * KIB);
	buf_addstr(&b, "<InitiateMultipartUploadResult>");
	name_parts(name, &b);
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
    char etag[72], struct buf *more)
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
		memcpy(o->etag, etag, 72);
		stored_locked(o);
		add_version_locked(more, o);
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
	struct buf xml, b, more;
	char etag[72];
	bool ok;
	int rc;

	buf_init(&xml, 4 * MIB);
	buf_init(&b, 16 * KIB);
	buf_init(&more, 1024);
	buf_addstr(&more, "Content-Type: application/xml\r\n");
	if (body_read(c, r, body_text, &xml) == -1) {
		buf_release(&xml);
		return -1;
	}
	pthread_mutex_lock(&sink.lock);
	ok = complete_locked(id, name, buf_str(&xml).p, etag, &more);
	pthread_mutex_unlock(&sink.lock);
	if (ok) {
		buf_addstr(&b, "<CompleteMultipartUploadResult>");
		name_parts(name, &b);
		buf_addf(&b, "<ETag>&quot;%s&quot;</ETag>"
		    "</CompleteMultipartUploadResult>", etag);
	}
	rc = ok ? reply(c, 200, more.data, &b) :
	    reply_error(c, 400, "InvalidPart");
	buf_release(&more);
	buf_release(&xml);
	buf_release(&b);
	return rc;
}

static void
add_marker(struct buf *b, const struct object *marker)
{
	char id[24];

	if (marker == NULL)
		return;
	version_text(marker->version, id);
	buf_addf(b, "<DeleteMarker>true</DeleteMarker>"
	    "<DeleteMarkerVersionId>%s</DeleteMarkerVersionId>", id);
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
	/* No version is named: nothing of us deletes versions so. */
	buf_addstr(&b, "<DeleteResult>");
	pos = buf_str(&xml).p;
	pthread_mutex_lock(&sink.lock);
	while ((key = next_tag(&pos, "<Key>")) != NULL) {
		size_t len = strcspn(key, "<");
		char *plain = xstrndup(key, len);
		char *name;

		buf_addf(&b, "<Deleted><Key>%s</Key>", plain);
		xml_unescape(plain);
		name = xasprintf("%s/%s", bucket, plain);
		add_marker(&b, remove_locked(name));
		buf_addstr(&b, "</Deleted>");
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
	const char *version = query_get(r, "versionId");
	const struct object *marker = NULL;
	struct upload *u = NULL;
	struct buf more;
	int rc;

	buf_init(&more, 1024);
	pthread_mutex_lock(&sink.lock);
	if (id == NULL && version != NULL) {
		drop_locked(name, version);
	} else if (id == NULL) {
		marker = remove_locked(name);
		if (marker != NULL)
			add_version_locked(&more, marker);
	} else {
		u = upload_get(&sink.store, id, name);
		if (u != NULL)
			upload_delete(&sink.store, u);
	}
	pthread_mutex_unlock(&sink.lock);
	rc = id != NULL && u == NULL ? reply_error(c, 404, "NoSuchUpload") :
	    reply(c, 204, more.data, NULL);
	buf_release(&more);
	return rc;
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

static void
add_head_locked(struct buf *b, const struct object *o)
{
	char date[40];
	struct tm tm;

	add_version_locked(b, o);
	gmtime_r(&o->mtime, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_addf(b, "%sETag: \"%s\"\r\nLast-Modified: %s\r\n"
	    "Accept-Ranges: bytes\r\n", o->meta == NULL ? "" : o->meta,
	    o->etag, date);
}

/* A marker of a deletion is named where it is the newest of the key. */
static struct object *
look_locked(const struct request *r, const char *name, struct buf *more)
{
	const char *id = query_get(r, "versionId");
	struct object *o = store_version(&sink.store, name, id);
	struct object *marker = id == NULL && o == NULL ?
	    earlier_get(&sink.store, name) : o;

	if (marker != NULL && marker->marker && !sink.unshown)
		add_version_locked(more, marker);
	return o == NULL || o->marker ? NULL : o;
}

static int
get_object(struct conn *c, const struct request *r, const char *name)
{
	bool head = r->method[0] == 'H', found = false, other = false;
	uint64_t from = 0, len = 0, size = 0;
	uint8_t *data = NULL;
	struct object *o;
	struct buf b;
	int rc;

	buf_init(&b, 128 * KIB);
	pthread_mutex_lock(&sink.lock);
	o = look_locked(r, name, &b);
	if (o != NULL) {
		found = true;
		other = r->match != NULL && strstr(r->match, o->etag) == NULL;
		size = o->size;
		from = r->range ? r->range_from : 0;
		len = from < size ? size - from : 0;
		if (r->range && len > 0)
			len = MIN(len, r->range_to - from + 1);
		if (!head && o->data != NULL && len > 0)
			data = xmemdup(o->data + from, len);
		add_head_locked(&b, o);
	}
	pthread_mutex_unlock(&sink.lock);
	if (!found && head)
		rc = reply(c, 404, b.data, NULL);
	else if (!found)
		rc = reply_error(c, 404, "NoSuchKey");
	else if (other)
		rc = reply(c, 412, NULL, NULL);
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

#endif
