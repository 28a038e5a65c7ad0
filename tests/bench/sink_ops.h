/*
 * sink_ops.h: what the sink does with objects and with multipart uploads.
 * Included by sink.c alone.
 */
#ifndef BENCH_SINK_OPS_H
#define BENCH_SINK_OPS_H

#include <pthread.h>

#include "sink_traits.h"

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
	unsigned traits;
	size_t	 page;		/* most keys of a listing */
	bool	 unshown;	/* a marker isn't shown by HEAD and GET */
	unsigned long latency_ms;
	uint64_t rate;	/* of a connection */
	unsigned open;	/* connections */
	pthread_cond_t closed;
	struct sink_hooks hooks;
	int	 hold_kind;	/* -1: none; else the hold_nth next one of this
				   kind never has an answer */
	unsigned hold_nth;
	uint64_t held;
	unsigned closes;
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER,
    .closed = PTHREAD_COND_INITIALIZER, .page = 1000, .hold_kind = -1 };

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

/* What a store says against the headers of a write; NULL: nothing. */
static const char *
refusal(const struct request *r, int *ret_status)
{
	*ret_status = 501;
	if ((sink.traits & TRAIT_SUM_REFUSED) != 0 && r->has_sum)
		return "NotImplemented";
	*ret_status = 400;
	if ((sink.traits & TRAIT_LOCKED) != 0 && !r->has_md5 && !r->has_sum)
		return "InvalidRequest";
	return NULL;
}

/* True, with the answer sent, if the body must not be stored. */
static bool
refused(struct conn *c, const struct request *r, const uint8_t *md5, int *rc)
{
	int status;
	const char *code = refusal(r, &status);

	if (code == NULL && (sink.traits & TRAIT_MD5_IGNORED) == 0 &&
	    r->has_md5 && memcmp(r->md5, md5, MD5_LEN) != 0) {
		status = sink.traits & TRAIT_MD5_500 ? 500 : 400;
		code = status == 500 ? "InternalError" : "BadDigest";
	}
	if (code != NULL)
		*rc = reply_error(c, status, code);
	return code != NULL;
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

/* Header lines with the ETag of an object or a part. */
static void
add_etag(struct buf *b, const char *etag)
{
	char text[ETAG_SPACE + 8];

	buf_addf(b, "ETag: %s\r\n", quoted_etag(sink.traits, etag, text));
	if (sink.traits & TRAIT_KMS)
		buf_addstr(b, "x-amz-server-side-encryption: aws:kms\r\n");
}

static int
reply_etag(struct conn *c, const char *etag, struct buf *more)
{
	int rc;

	add_etag(more, etag);
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
	char etag[ETAG_SPACE];
	int rc = -1;

	if (body_take(c, r, &body, md5) == -1 || refused(c, r, md5, &rc)) {
		buf_release(&body.data);
		return rc;
	}
	object_etag(sink.traits, md5, 0, etag);
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
copy_locked(struct request *r, const char *name, char etag[ETAG_SPACE],
    struct buf *more)
{
	struct object *o = store_version(&sink.store, r->copy +
	    (r->copy[0] == '/'), r->copy_version);
	unsigned parts;
	uint8_t *data;
	uint64_t size, part_size;
	char *meta;

	if (o == NULL || o->marker)
		return false;
	data = o->data == NULL ? NULL : xmemdup(o->data, o->size + 1);
	size = o->size;
	meta = r->replace ? STEAL(r->meta.data) : o->meta == NULL ? NULL :
	    xstrdup(o->meta);
	memcpy(etag, o->etag, ETAG_SPACE);
	parts = o->parts;
	part_size = o->part_size;
	o = store_put(&sink.store, name);
	o->copied = true;
	o->meta = meta;
	o->data = data;
	o->size = size;
	o->parts = parts;
	o->part_size = part_size;
	memcpy(o->etag, etag, ETAG_SPACE);
	stored_locked(o);
	add_version_locked(more, o);
	return true;
}

static int
put_copy(struct conn *c, struct request *r, const char *name)
{
	char etag[ETAG_SPACE], text[ETAG_SPACE + 8];
	struct buf b, more;
	bool ok;
	int rc;

	buf_init(&b, 4096);
	buf_init(&more, 1024);
	buf_addstr(&more, "Content-Type: application/xml\r\n");
	pthread_mutex_lock(&sink.lock);
	ok = copy_locked(r, name, etag, &more);
	pthread_mutex_unlock(&sink.lock);
	if (ok) {
		buf_addstr(&b, "<CopyObjectResult><ETag>");
		add_xml(&b, quoted_etag(sink.traits, etag, text));
		buf_addstr(&b, "</ETag></CopyObjectResult>");
	}
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
	char etag[ETAG_SPACE];
	bool ok = n >= 1 && n <= 10000;
	int rc = -1;

	if (body_take(c, r, &body, md5) == -1 || refused(c, r, md5, &rc)) {
		buf_release(&body.data);
		return rc;
	}
	part_etag(sink.traits, md5, etag);
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
		memcpy(p->etag, etag, sizeof(etag));
	}
	pthread_mutex_unlock(&sink.lock);
	buf_release(&body.data);
	if (u == NULL)
		return reply_error(c, 404, "NoSuchUpload");
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

/* Does the text between <Part> and </Part> name this part by the ETag that it
 * was given? */
static bool
names_part(const char *text, size_t len, const struct part *part)
{
	AUTOFREE char *own = xstrndup(text, len);
	const char *pos = own, *tag = next_tag(&pos, "<ETag>");
	AUTOFREE char *etag = NULL;
	struct str s;

	if (tag == NULL)
		return false;
	etag = xstrndup(tag, strcspn(tag, "<"));
	xml_unescape(etag);
	s = str_of(etag);
	if (str_starts(s, STR("W/"))) {
		s.p += 2;
		s.len -= 2;
	}
	if (s.len > 1 && s.p[0] == '"' && s.p[s.len - 1] == '"') {
		s.p++;
		s.len -= 2;
	}
	return str_eq(s, str_of(part->etag));
}

/* Make the object of the parts that xml names; false if one isn't there. */
static bool
join_parts(const struct upload *u, const char *xml, struct buf *md5s,
    uint64_t *size, struct buf *data)
{
	const char *text;

	while ((text = next_tag(&xml, "<Part>")) != NULL) {
		const char *end = strstr(text, "</Part>"), *pos = text;
		const char *p = next_tag(&pos, "<PartNumber>");
		unsigned long n = p == NULL ? 0 : strtoul(p, NULL, 10);
		const struct part *part;

		if (end == NULL || n < 1 || n > u->part_cap ||
		    !u->parts[n - 1].given)
			return false;
		part = &u->parts[n - 1];
		if (!names_part(text, (size_t)(end - text), part))
			return false;
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
    char etag[ETAG_SPACE], struct buf *more)
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
		uint8_t md5[MD5_LEN];
		struct md5 m;

		md5_init(&m);
		md5_update(&m, md5s.data, md5s.len);
		md5_final(&m, md5);
		object_etag(sink.traits, md5, (unsigned)(md5s.len / MD5_LEN),
		    etag);
		o = store_put(&sink.store, name);
		o->meta = STEAL(u->meta);
		o->data = (uint8_t *)STEAL(data.data);
		o->size = size;
		memcpy(o->etag, etag, ETAG_SPACE);
		o->parts = (unsigned)(md5s.len / MD5_LEN);
		o->part_size = u->parts[0].size;
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
	char etag[ETAG_SPACE], text[ETAG_SPACE + 8];
	struct buf xml, b, more;
	bool ok;
	int rc;

	buf_init(&xml, 16 * MIB);
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
		buf_addstr(&b, "<ETag>");
		add_xml(&b, quoted_etag(sink.traits, etag, text));
		buf_addstr(&b, "</ETag></CompleteMultipartUploadResult>");
		add_etag(&more, etag);
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

static const char *
delete_refusal(const struct request *r, int *ret_status)
{
	static const struct {
		unsigned trait;
		int status;
		const char *code;
	} no[] = {
		{ TRAIT_DELETE_501, 501, "NotImplemented" },
		{ TRAIT_DELETE_400, 400, "NotImplemented" },
		{ TRAIT_DELETE_405, 405, "MethodNotAllowed" },
		{ TRAIT_DELETE_403, 403, "AccessDenied" },
	};

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (sink.traits & no[i].trait) {
			*ret_status = no[i].status;
			return no[i].code;
		}
	return refusal(r, ret_status);
}

static int
post_delete(struct conn *c, const struct request *r, const char *bucket)
{
	struct buf xml, b;
	const char *pos, *key, *code;
	int rc, status;

	buf_init(&xml, 16 * MIB);
	buf_init(&b, 4 * MIB);
	if (body_read(c, r, body_text, &xml) == -1) {
		buf_release(&xml);
		return -1;
	}
	code = delete_refusal(r, &status);
	if (code != NULL) {
		buf_release(&xml);
		return reply_error(c, status, code);
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
	buf_addf(b, "%sLast-Modified: %s\r\nAccept-Ranges: bytes\r\n",
	    o->meta == NULL ? "" : o->meta, date);
	add_etag(b, o->etag);
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

/* HEAD of a part: true if the answer, of len bytes, is of the part alone. */
static bool
part_asked(const struct request *r, const struct object *o, struct buf *b,
    uint64_t *len, int *ret_status)
{
	const char *number = query_get(r, "partNumber");
	unsigned long n = number == NULL ? 0 : strtoul(number, NULL, 10);
	uint64_t first = o->parts == 0 ? o->size : o->part_size, at;

	if (n == 0 || (sink.traits & TRAIT_PART_WHOLE) != 0)
		return false;
	*ret_status = sink.traits & TRAIT_PART_501 ? 501 :
	    sink.traits & TRAIT_PART_400 ? 400 :
	    sink.traits & TRAIT_PART_412 ? 412 :
	    n > MAX(o->parts, 1U) ? 416 : 0;
	if (*ret_status != 0)
		return false;
	at = first * (n - 1);
	*len = MIN(first, o->size - at);
	if (o->parts > 0)
		buf_addf(b, "x-amz-mp-parts-count: %u\r\n", o->parts);
	if (o->size > 0)
		buf_addf(b, "Content-Range: bytes %lu-%lu/%lu\r\n",
		    (unsigned long)at, (unsigned long)(at + *len - 1),
		    (unsigned long)o->size);
	return true;
}

static int
get_object(struct conn *c, const struct request *r, const char *name)
{
	bool head = r->method[0] == 'H', found = false, other = false;
	bool part = false;
	int status = 0;
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
		part = part_asked(r, o, &b, &len, &status);
	}
	pthread_mutex_unlock(&sink.lock);
	if (!found && head)
		rc = reply(c, 404, b.data, NULL);
	else if (!found)
		rc = reply_error(c, 404, "NoSuchKey");
	else if (status != 0)
		rc = reply(c, status, NULL, NULL);
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
		rc = reply_with(c, r->range || part ? 206 : 200, len, b.data,
		    NULL);
		if (rc == 0 && !head)
			rc = send_data(c, data, len);
	}
	free(data);
	buf_release(&b);
	return rc;
}

#endif
