/* One attempt: the URL, the headers, the signature, and the options of curl. */
#include "base/clock.h"
#include "base/sock.h"
#include "s3/s3_internal.h"

#define HEAD_MAX	(256 * 1024)
/* Sizes of the pieces of bodies sent and received. curl allocates the
 * receive buffer for each transfer, so requests with small answers get
 * small buffers. */
#define UPLOAD_SIZE	(256L * 1024)
#define GET_SIZE	((long)S3_DATA_SLACK)
#define ANSWER_SIZE	(16L * 1024)

static void
add_line(struct s3_slot *t, const char *name, struct str value, bool sign)
{
	struct s3_line *l = &t->lines[t->line_count++];

	l->name = t->head.len;
	l->name_len = strlen(name);
	l->value_len = value.len;
	l->sign = sign;
	buf_add(&t->head, name, l->name_len);
	buf_add(&t->head, ": ", 2);
	buf_add(&t->head, value.p, value.len);
	buf_addch(&t->head, '\0');
}

static void
add_text(struct s3_slot *t, const char *name, const char *value)
{
	add_line(t, name, str_of(value), true);
}

static void
add_meta(struct s3_slot *t, const struct s3_meta *m)
{
	struct s3_meta_text x;

	s3_meta_format(m, &x);
	/* In the order of their names, for the signature. */
	if (m->gid != OWNER_NONE)
		add_text(t, "x-amz-meta-file-group", x.gid);
	if (m->mtime_ns != MTIME_NONE)
		add_text(t, "x-amz-meta-file-mtime", x.mtime_ns);
	if (m->uid != OWNER_NONE)
		add_text(t, "x-amz-meta-file-owner", x.uid);
	add_text(t, "x-amz-meta-file-permissions", x.mode);
	if (m->mtime_ns != MTIME_NONE)
		add_text(t, "x-amz-meta-mtime", x.mtime);
}

static void
add_object(struct s3_slot *t, const struct s3 *s)
{
	const char *sse = s->store.sse;
	bool has_key = sse != NULL && strncmp(sse, "aws:kms:", 8) == 0;

	if (sse != NULL)
		add_text(t, "x-amz-server-side-encryption",
		    has_key ? "aws:kms" : sse);
	if (has_key && sse[8] != '\0')
		add_text(t, "x-amz-server-side-encryption-aws-kms-key-id",
		    sse + 8);
	if (s->store.storage_class != NULL)
		add_text(t, "x-amz-storage-class", s->store.storage_class);
}

/* Ask for the missing bytes of a GET; a retry goes on where the last attempt
 * broke off. That the object is the same is seen in the answer: servers write
 * ETags in several forms, and compare If-Match with one of them. */
static void
add_range(struct s3_slot *t, const struct s3_request *r)
{
	uint64_t first = r->offset + r->got;
	char text[80];

	if (first == 0 && r->len == 0)
		return;
	if (r->len == 0)
		snprintf(text, sizeof(text), "bytes=%ju-", (uintmax_t)first);
	else
		snprintf(text, sizeof(text), "bytes=%ju-%ju",
		    (uintmax_t)first, (uintmax_t)(r->offset + r->len - 1));
	add_line(t, "range", str_of(text), false);
}

static void
add_copy(struct s3_slot *t, const struct s3_request *r)
{
	struct buf source;

	buf_init(&source, HEAD_MAX);
	buf_addch(&source, '/');
	buf_addstr(&source, t->s3->clusters[r->cluster].bucket);
	buf_add(&source, r->path.data, r->path.len);
	if (r->copy_query.len > 0) {
		buf_addch(&source, '?');
		buf_add(&source, r->copy_query.data, r->copy_query.len);
	}
	add_line(t, "x-amz-copy-source", buf_str(&source), true);
	buf_release(&source);
	add_text(t, "x-amz-metadata-directive", r->has_meta ? "REPLACE" :
	    "COPY");
}

static const char *
payload(const struct s3 *s, struct s3_request *r)
{
	uint8_t digest[SHA256_LEN];

	if (r->payload[0] != '\0')
		return r->payload;
	if (!s->store.sign_payload ||
	    (r->body.data == NULL && r->body.len > 0)) {
		snprintf(r->payload, sizeof(r->payload), S3_UNSIGNED);
	} else if (r->body.len == 0) {
		snprintf(r->payload, sizeof(r->payload), S3_EMPTY_SHA256);
	} else {
		sha256(r->body.data, (size_t)r->body.len, digest);
		hex_encode(digest, sizeof(digest), r->payload);
	}
	return r->payload;
}

static const char *
method_of(const struct s3_request *r)
{
	return r->ask_why ? "GET" : r->op->method;
}

static bool
sends_body(const struct s3_request *r)
{
	return r->op->method[0] == 'P';		/* PUT, POST */
}

static void
add_headers(struct s3_slot *t, struct s3_request *r)
{
	struct s3 *s = t->s3;

	if (r->content_md5[0] != '\0')
		add_text(t, "content-md5", r->content_md5);
	/* Without a content type, curl would call a body a form. */
	if (sends_body(r))
		add_line(t, "content-type",
		    r->own_body.len > 0 ? STR("application/xml") :
		    STR("application/octet-stream"), false);
	if (r->data != NULL)
		add_range(t, r);
	if (r->ask_why)
		add_line(t, "range", STR("bytes=0-0"), false);
	add_text(t, "x-amz-content-sha256", payload(s, r));
	if (r->copy_self)
		add_copy(t, r);
	add_text(t, "x-amz-date", s3_sign_date(&s->signer, t->signed_sec));
	if (r->has_meta)
		add_meta(t, &r->meta);
	if (s->store.request_payer)
		add_text(t, "x-amz-request-payer", "requester");
	if (s->signer.keys.session_token != NULL)
		add_text(t, "x-amz-security-token",
		    s->signer.keys.session_token);
	if (r->op->whole_object)
		add_object(t, s);
}

static void
sign(struct s3_slot *t, const struct s3_request *r, struct str path)
{
	struct s3 *s = t->s3;
	struct s3_header headers[S3_HEADERS_MAX + 1];
	struct s3_to_sign to_sign = { .method = method_of(r), .path = path,
	    .query = buf_str(&r->query), .headers = headers,
	    .payload = r->payload, .time = t->signed_sec };
	struct s3_line *l = &t->lines[t->line_count];
	size_t n = 0;

	headers[n++] = (struct s3_header){ STR("host"),
	    str_of(s->endpoints[t->endpoint].host) };
	for (size_t i = 0; i < t->line_count; i++) {
		const char *name = t->head.data + t->lines[i].name;

		if (!t->lines[i].sign)
			continue;
		headers[n].name = (struct str){ name, t->lines[i].name_len };
		headers[n++].value = (struct str){
		    name + t->lines[i].name_len + 2, t->lines[i].value_len };
	}
	to_sign.header_count = n;
	/* The signer reads from head, so build the line in answer. */
	buf_clear(&t->answer);
	s3_sign(&s->signer, &to_sign, &t->answer);
	l->name = t->head.len;
	l->sign = false;
	buf_addstr(&t->head, "Authorization: ");
	buf_add(&t->head, t->answer.data, t->answer.len);
	buf_addch(&t->head, '\0');
	buf_clear(&t->answer);
	t->line_count++;
}

/* curl reads the list and never changes the list, so the slot owns the
 * nodes. */
static void
link_lines(struct s3_slot *t)
{
	static char no_expect[] = "Expect:";
	size_t n;

	for (n = 0; n < t->line_count; n++) {
		t->nodes[n].data = t->head.data + t->lines[n].name;
		t->nodes[n].next = &t->nodes[n + 1];
	}
	t->nodes[n].data = no_expect;
	t->nodes[n].next = NULL;
}

static int
prepare(struct s3_slot *t, struct s3_request *r, struct err *err)
{
	struct s3 *s = t->s3;
	const struct s3_endpoint *e = &s->endpoints[t->endpoint];
	/* The signature covers the URL's path after scheme://authority. */
	size_t path = strlen(e->tls ? "https://" : "http://") +
	    strlen(e->host);
	struct str signed_path;

	s3_keys_take(s);
	t->keys_number = s->keys_number;
	t->signed_sec = clock_wall_ns() / 1000000000 + s->skew_sec;
	t->line_count = 0;
	buf_clear(&t->head);
	buf_addstr(&t->head, e->base);
	buf_add(&t->head, r->path.data, r->path.len);
	/* With the bucket in the host name, "/" is the bucket's path. */
	if (t->head.len == path)
		buf_addch(&t->head, '/');
	signed_path.len = t->head.len - path;
	if (r->query.len > 0) {
		buf_addch(&t->head, '?');
		buf_add(&t->head, r->query.data, r->query.len);
	}
	buf_addch(&t->head, '\0');
	add_headers(t, r);
	if (buf_overflowed(&t->head))
		return err_set(err, ERR_INVALID, 0, "the headers are too long");
	signed_path.p = t->head.data + path;
	sign(t, r, signed_path);
	if (buf_overflowed(&t->head) || buf_overflowed(&s->signer.canonical))
		return err_set(err, ERR_INVALID, 0, "the headers are too long");
	link_lines(t);
	return 0;
}

/* Curl has connected and is about to send. One turn of curl begins many
 * requests: the gate may have closed meanwhile, while this process was
 * frozen. */
static int
on_request(void *arg, char *to UNUSED, char *from UNUSED, int to_port UNUSED,
    int from_port UNUSED)
{
	struct s3_slot *t = arg;

	t->held = s3_held(t->s3);
	return t->held ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* A request must not arrive long after the master has given up the sender. */
static int
on_new_socket(void *arg, curl_socket_t fd, curlsocktype purpose UNUSED)
{
	const struct s3_slot *t = arg;

	sock_forget_unsent(fd, t->s3->unacked_ms);
	return CURL_SOCKOPT_OK;
}

static CURL *
make_easy(struct s3_slot *t)
{
	struct s3 *s = t->s3;
	CURL *c = curl_easy_init();

	if (c == NULL)
		return NULL;
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	/* Only settings decide where requests go, no proxy variables. */
	curl_easy_setopt(c, CURLOPT_PROXY, s->store.proxy == NULL ? "" :
	    s->store.proxy);
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
	curl_easy_setopt(c, CURLOPT_SOCKOPTDATA, t);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "datamover");
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)s->connect_timeout_ms);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (s->store.ca_pem != NULL) {
		struct curl_blob pem = { .data = s->store.ca_pem,
		    .len = strlen(s->store.ca_pem), .flags = CURL_BLOB_NOCOPY };

		curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &pem);
		curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_SIZE);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_text);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, s3_on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, s3_on_write);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, s3_on_read);
	curl_easy_setopt(c, CURLOPT_READDATA, t);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, s3_on_seek);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, t);
	return c;
}

static enum s3_mode
mode_of(const struct s3_request *r)
{
	if (r->body.read != NULL)
		return S3_MODE_STREAM;
	if (sends_body(r))
		return S3_MODE_MEMORY;
	return strcmp(method_of(r), "HEAD") == 0 ? S3_MODE_HEAD :
	    S3_MODE_READ;
}

/* Set the options of the easy handle for this request; most requests follow a
 * request of the same mode. */
static void
set_mode(struct s3_slot *t, const struct s3_request *r)
{
	enum s3_mode mode = mode_of(r);
	CURL *c = t->easy;

	if (t->mode != mode) {
		/* With a body of an earlier request still set, curl would not
		 * rewind the body of this one before it sends the request
		 * again: see s3_on_seek. */
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, NULL);
		curl_easy_setopt(c, CURLOPT_UPLOAD, 0L);
		curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
		if (mode == S3_MODE_HEAD)
			curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
		else if (mode == S3_MODE_MEMORY)
			curl_easy_setopt(c, CURLOPT_POST, 1L);
		else if (mode == S3_MODE_STREAM)
			curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_BUFFERSIZE,
		    mode == S3_MODE_READ ? GET_SIZE : ANSWER_SIZE);
		t->mode = mode;
	}
	if (t->method != method_of(r)) {
		t->method = method_of(r);
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, t->method);
	}
	if (mode == S3_MODE_STREAM) {
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE,
		    (curl_off_t)r->body.len);
	} else if (mode == S3_MODE_MEMORY) {
		/* Up to 64 KiB, curl sends the body in one call with the
		 * head. */
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)r->body.len);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS,
		    r->body.len == 0 ? "" : r->body.data);
	}
}

int
s3_slot_start(struct s3_slot *t, struct s3_request *r, struct err *err)
{
	struct s3 *s = t->s3;
	struct s3_cluster *c = &s->clusters[r->cluster];

	t->endpoint = c->first + s3_endpoint_pick(s->endpoints + c->first,
	    c->count, &c->turn, s->now_ms);
	s3_answer_clear(t);
	t->sent = 0;
	t->paused = t->held = false;
	t->sent_counted = t->received_counted = 0;
	t->moved_ms = s->now_ms;
	if (prepare(t, r, err) == -1)
		return -1;
	if (t->easy == NULL)
		t->easy = make_easy(t);
	if (t->easy == NULL)
		return err_set(err, ERR_RESOURCE, 0, "curl: no handle");
	set_mode(t, r);
	/* If a kept connection ends without an answer, curl silently sends the
	 * request once more. */
	curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT,
	    r->op->counted ? 1L : 0L);
	curl_easy_setopt(t->easy, CURLOPT_URL, t->head.data);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->nodes);
	if (curl_multi_add_handle(s->multi, t->easy) != CURLM_OK)
		return err_set(err, ERR_RESOURCE, 0, "curl: no transfer");
	t->req = r;
	return 0;
}

void
s3_slot_release(struct s3_slot *t)
{
	if (t->easy != NULL)
		curl_easy_cleanup(t->easy);
	t->easy = NULL;
	buf_release(&t->head);
	buf_release(&t->answer);
	buf_release(&t->version_id);
	buf_release(&t->etag_given);
}
