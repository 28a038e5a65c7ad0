/* The operations: what each asks for. */
#include "s3/s3_internal.h"

static const struct s3_op op_put = { .name = "put", .method = "PUT",
    .xml = S3_NO_XML, .whole_object = true, .needs_etag = true };
static const struct s3_op op_head = { .name = "head", .method = "HEAD",
    .xml = S3_NO_XML, .needs_etag = true, .follows = true };
static const struct s3_op op_copy = { .name = "copy", .method = "PUT",
    .xml = S3_XML_COPY, .whole_object = true, .follows = true };
static const struct s3_op op_delete = { .name = "delete",
    .method = "DELETE", .xml = S3_NO_XML, .deletes = true };
static const struct s3_op op_bucket = { .name = "bucket", .method = "HEAD",
    .xml = S3_NO_XML, .of_bucket = true };
static const struct s3_op op_get = { .name = "get", .method = "GET",
    .xml = S3_NO_XML, .needs_etag = true, .follows = true };
static const struct s3_op op_create = { .name = "create upload",
    .method = "POST", .xml = S3_XML_CREATE, .whole_object = true,
    .counted = true };
static const struct s3_op op_part = { .name = "put part", .method = "PUT",
    .xml = S3_NO_XML, .needs_etag = true, .keeps_etag = true };
static const struct s3_op op_wrong = { .name = "put of a wrong digest",
    .method = "PUT", .xml = S3_NO_XML, .whole_object = true,
    .needs_etag = true, .once = true };
static const struct s3_op op_complete = { .name = "complete upload",
    .method = "POST", .xml = S3_XML_COMPLETE };
static const struct s3_op op_abort = { .name = "abort upload",
    .method = "DELETE", .xml = S3_NO_XML };
static const struct s3_op op_parts = { .name = "list parts",
    .method = "GET", .xml = S3_XML_PARTS };
static const struct s3_op op_uploads = { .name = "list uploads",
    .method = "GET", .xml = S3_XML_UPLOADS, .of_bucket = true };
static const struct s3_op op_versions = { .name = "list versions",
    .method = "GET", .xml = S3_XML_VERSIONS, .of_bucket = true };
static const struct s3_op op_list = { .name = "list", .method = "GET",
    .xml = S3_XML_LIST, .of_bucket = true };

static void
set_meta(struct s3_request *r, const struct s3_meta *meta)
{
	if (meta == NULL)
		return;
	r->meta = *meta;
	r->has_meta = true;
}

static void
set_body(struct s3_request *r, const struct s3_body *body)
{
	r->body = *body;
	if (body->md5 != NULL)
		base64_encode(body->md5, MD5_LEN, r->content_md5);
	r->body.md5 = NULL;
	/* Nothing to ask for. */
	if (body->len == 0)
		r->body.read = NULL;
}

void
s3_put(struct s3 *s, struct str key, const struct s3_body *body,
    const struct s3_meta *meta, s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_put, key, done, arg);

	set_body(r, body);
	set_meta(r, meta);
	s3_request_submit(s, r);
}

void
s3_put_wrong(struct s3 *s, struct str key, s3_done_fn *done, void *arg)
{
	static const uint8_t wrong[MD5_LEN] = "no MD5 of these";
	struct s3_request *r = s3_request_new(s, &op_wrong, key, done, arg);
	struct s3_body body = { .data = "probe\n", .len = 6, .md5 = wrong };
	struct s3_meta meta = { .mtime_ns = MTIME_NONE, .mode = 0600,
	    .uid = OWNER_NONE, .gid = OWNER_NONE };

	set_body(r, &body);
	set_meta(r, &meta);
	s3_request_submit(s, r);
}

bool
s3_knows_no_parts(const struct err *err)
{
	return err->code == 400 || err->code == 405 || err->code == 412 ||
	    err->code == 416 || err->code == 501;
}

void
s3_head(struct s3 *s, struct str key, s3_done_fn *done, void *arg)
{
	s3_head_of(s, key, STR(""), 0, done, arg);
}

void
s3_head_of(struct s3 *s, struct str key, struct str version, unsigned part,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_head, key, done, arg);
	struct s3_param p[2];
	char text[16];
	size_t n = 0;

	snprintf(text, sizeof(text), "%u", part);
	if (part > 0)
		p[n++] = (struct s3_param){ "partNumber", str_of(text) };
	if (version.len > 0)
		p[n++] = (struct s3_param){ "versionId", version };
	s3_query(&r->query, p, n);
	s3_request_submit(s, r);
}

void
s3_copy_self(struct s3 *s, struct str key, const struct s3_meta *meta,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_copy, key, done, arg);

	r->copy_self = true;
	set_meta(r, meta);
	s3_request_submit(s, r);
}

void
s3_copy_version(struct s3 *s, struct str key, struct str version,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_copy, key, done, arg);
	struct s3_param p[] = { { "versionId", version } };

	r->copy_self = true;
	buf_init(&r->copy_query, 64 * KIB);
	s3_query(&r->copy_query, p, ARRAY_LEN(p));
	s3_request_submit(s, r);
}

void
s3_delete_version(struct s3 *s, struct str key, struct str version,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_delete, key, done, arg);
	struct s3_param p[] = { { "versionId", version } };

	s3_query(&r->query, p, ARRAY_LEN(p));
	s3_request_submit(s, r);
}

void
s3_delete_in(struct s3 *s, size_t cluster, struct str key, s3_done_fn *done,
    void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_delete, key, done, arg);

	r->cluster = cluster;
	s3_request_submit(s, r);
}

void
s3_bucket_in(struct s3 *s, size_t cluster, s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_bucket, STR(""), done,
	    arg);

	r->cluster = cluster;
	s3_request_submit(s, r);
}

void
s3_get(struct s3 *s, struct str key, uint64_t offset, uint64_t len,
    s3_data_fn *data, s3_done_fn *done, void *arg)
{
	s3_get_match(s, key, STR(""), "", offset, len, data, done, arg);
}

void
s3_get_match(struct s3 *s, struct str key, struct str version,
    const char *etag, uint64_t offset, uint64_t len, s3_data_fn *data,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_get, key, done, arg);
	struct s3_param p[] = { { "versionId", version } };

	s3_query(&r->query, p, version.len > 0);
	r->data = data;
	r->offset = offset;
	r->len = len;
	if (len > UINT64_MAX - offset)
		err_set(&r->refused, ERR_INVALID, 0, "the range is too long");
	if (strlen(etag) >= sizeof(r->got_etag))
		err_set(&r->refused, ERR_INVALID, 0, "the ETag is too long");
	else
		memcpy(r->got_etag, etag, strlen(etag) + 1);
	s3_request_submit(s, r);
}

static void
set_upload(struct s3 *s, struct s3_request *r, struct str upload_id)
{
	struct s3_param p[] = { { "uploadId",
	    s3_cluster_untag(s, r, upload_id) } };

	s3_query(&r->query, p, ARRAY_LEN(p));
}

void
s3_mpu_create(struct s3 *s, struct str key, const struct s3_meta *meta,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_create, key, done, arg);
	struct s3_param p[] = { { "uploads", STR("") } };

	s3_query(&r->query, p, ARRAY_LEN(p));
	set_meta(r, meta);
	s3_request_submit(s, r);
}

void
s3_mpu_part(struct s3 *s, struct str key, struct str upload_id,
    unsigned number, const struct s3_body *body, s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_part, key, done, arg);
	char text[16];
	struct s3_param p[] = { { "partNumber", STR("") },
	    { "uploadId", s3_cluster_untag(s, r, upload_id) } };

	snprintf(text, sizeof(text), "%u", number);
	p[0].value = str_of(text);
	s3_query(&r->query, p, ARRAY_LEN(p));
	set_body(r, body);
	s3_request_submit(s, r);
}

void
s3_mpu_complete(struct s3 *s, struct str key, struct str upload_id,
    const uint8_t *md5s, char *const *given, unsigned count,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_complete, key, done,
	    arg);

	set_upload(s, r, upload_id);
	s3_xml_complete(&r->own_body, md5s, given, count);
	r->body.data = r->own_body.data;
	r->body.len = r->own_body.len;
	if (buf_overflowed(&r->own_body)) {
		s3_request_refuse(s, r, ERR_INVALID, "too many parts");
		return;
	}
	s3_request_submit(s, r);
}

void
s3_mpu_abort(struct s3 *s, struct str key, struct str upload_id,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_abort, key, done, arg);

	set_upload(s, r, upload_id);
	s3_request_submit(s, r);
}

void
s3_mpu_parts(struct s3 *s, struct str key, struct str upload_id,
    unsigned marker, s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_parts, key, done, arg);
	char text[16];
	struct s3_param p[] = {
	    { "uploadId", s3_cluster_untag(s, r, upload_id) },
	    { "max-parts", STR("1000") },
	    { "part-number-marker", STR("") } };

	snprintf(text, sizeof(text), "%u", marker);
	p[2].value = str_of(text);
	s3_query(&r->query, p, marker == 0 ? 2 : 3);
	s3_request_submit(s, r);
}

static void
add_param(struct s3_param *p, size_t *n, const char *name, struct str value)
{
	if (value.len > 0)
		p[(*n)++] = (struct s3_param){ name, value };
}

void
s3_mpu_list_in(struct s3 *s, size_t cluster, struct str prefix,
    struct str key_marker, struct str id_marker, s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_uploads, STR(""), done,
	    arg);
	struct s3_param p[6];
	size_t n = 0;

	r->cluster = cluster;
	p[n++] = (struct s3_param){ "uploads", STR("") };
	add_param(p, &n, "encoding-type", STR("url"));
	add_param(p, &n, "max-uploads", STR("1000"));
	add_param(p, &n, "prefix", prefix);
	add_param(p, &n, "key-marker", key_marker);
	add_param(p, &n, "upload-id-marker", id_marker);
	s3_query(&r->query, p, n);
	s3_request_submit(s, r);
}

/* A server that knows the first version alone has not seen where the page
 * begins. */
static int
judge_list(struct s3_request *r, const struct s3_xml *x, unsigned *ret_flags,
    struct err *err)
{
	if (!x->is_v1 || !s3_query_goes_on(&r->query))
		return 0;
	s3_query_v1(&r->query);
	*ret_flags = S3_FAULT_RETRY;
	return err_set(err, ERR_RETRY, 0, "the server knows ListObjects, not "
	    "ListObjectsV2");
}

void
s3_list_in(struct s3 *s, size_t cluster, struct str prefix,
    struct str start_after, struct str token, char delimiter,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_list, STR(""), done,
	    arg);
	struct s3_param p[7];
	size_t n = 0;

	r->cluster = cluster;
	add_param(p, &n, "list-type", STR("2"));
	add_param(p, &n, "encoding-type", STR("url"));
	add_param(p, &n, "max-keys", STR("1000"));
	add_param(p, &n, "prefix", prefix);
	add_param(p, &n, "start-after", start_after);
	add_param(p, &n, "continuation-token", token);
	if (delimiter != 0)
		add_param(p, &n, "delimiter", (struct str){ &delimiter, 1 });
	s3_query(&r->query, p, n);
	if (s->lists_v1)
		s3_query_v1(&r->query);
	r->judge = judge_list;
	s3_request_submit(s, r);
}

void
s3_versions(struct s3 *s, struct str key, s3_done_fn *done, void *arg)
{
	struct s3_request *r = s3_request_new(s, &op_versions, STR(""), done,
	    arg);
	struct s3_param p[4];
	size_t n = 0;

	p[n++] = (struct s3_param){ "versions", STR("") };
	add_param(p, &n, "encoding-type", STR("url"));
	add_param(p, &n, "max-keys", STR("1000"));
	add_param(p, &n, "prefix", key);
	s3_query(&r->query, p, n);
	s3_request_submit(s, r);
}
