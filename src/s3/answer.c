/* Curl's callbacks during an attempt, and the meaning of the server's
 * answer. */
#include <strings.h>

#include "base/clock.h"
#include "s3/s3_internal.h"

#define SKEW_SEC	600	/* a 403 with such a Date may be of clocks */

void
s3_answer_clear(struct s3_slot *t)
{
	t->status = 0;
	t->has_etag = t->etag_opaque = false;
	buf_clear(&t->etag_given);
	t->etag[0] = t->region[0] = t->curl_text[0] = '\0';
	buf_clear(&t->version_id);
	t->delete_marker = false;
	t->parts_count = 0;
	t->head_whole = t->has_date = t->has_length = t->chunked =
	    t->has_modified = t->has_range = t->range_checked = false;
	memset(&t->meta, 0, sizeof(t->meta));
	buf_clear(&t->answer);
	err_clear(&t->local);
}

static bool
number(struct str *s, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s->len && i < 19 && s->p[i] >= '0' &&
	    s->p[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(s->p[i] - '0');
	s->p += i;
	s->len -= i;
	*ret = v;
	return i > 0;
}

static bool
eat(struct str *s, struct str what)
{
	if (!str_starts(*s, what))
		return false;
	s->p += what.len;
	s->len -= what.len;
	return true;
}

/* bytes 0-9/443 */
static bool
content_range(struct s3_slot *t, struct str s)
{
	return eat(&s, STR("bytes ")) && number(&s, &t->range_first) &&
	    eat(&s, STR("-")) && number(&s, &t->range_last) &&
	    eat(&s, STR("/")) && number(&s, &t->range_total) && s.len == 0 &&
	    t->range_first <= t->range_last &&
	    t->range_last < t->range_total;
}

static bool
is(struct str a, struct str name)
{
	return a.len == name.len && strncasecmp(a.p, name.p, a.len) == 0;
}

static void
see_etag(struct s3_slot *t, struct str value)
{
	s3_etag(value, t->etag);
	t->has_etag = t->etag[0] != '\0';
	if (t->req == NULL || !t->req->op->keeps_etag)
		return;
	buf_clear(&t->etag_given);
	buf_add(&t->etag_given, value.p, value.len);
}

static void
see_header(struct s3_slot *t, struct str name, struct str value)
{
	static const struct str meta = { "x-amz-meta-", 11 };

	if (is(name, STR("etag"))) {
		see_etag(t, value);
	} else if (is(name, STR("x-amz-server-side-encryption"))) {
		t->etag_opaque |= str_starts(value, STR("aws:kms"));
	} else if (is(name, STR("x-amz-server-side-encryption-customer-"
	    "algorithm"))) {
		t->etag_opaque = true;
	} else if (is(name, STR("date"))) {
		t->has_date = s3_http_date(value, &t->date_sec);
	} else if (is(name, STR("content-length"))) {
		t->has_length = number(&value, &t->length) && value.len == 0;
	} else if (is(name, STR("transfer-encoding"))) {
		t->chunked = is(value, STR("chunked"));
	} else if (is(name, STR("last-modified"))) {
		t->has_modified = s3_http_date(value, &t->modified_sec);
	} else if (is(name, STR("content-range"))) {
		t->has_range = content_range(t, value);
	} else if (is(name, STR("x-amz-version-id"))) {
		buf_clear(&t->version_id);
		buf_add(&t->version_id, value.p, value.len);
	} else if (is(name, STR("x-amz-delete-marker"))) {
		t->delete_marker = is(value, STR("true"));
	} else if (is(name, STR("x-amz-mp-parts-count"))) {
		if (!number(&value, &t->parts_count) || value.len > 0)
			t->parts_count = 0;
	} else if (is(name, STR("x-amz-bucket-region"))) {
		str_escape(value, t->region, sizeof(t->region));
	} else if (name.len > meta.len &&
	    strncasecmp(name.p, meta.p, meta.len) == 0) {
		s3_meta_see(&t->meta, (struct str){ name.p + meta.len,
		    name.len - meta.len }, value);
	}
}

/* A status line begins an answer: the final answer follows a "100 Continue". */
static void
see_status(struct s3_slot *t, struct str s)
{
	const char *blank = memchr(s.p, ' ', s.len);
	uint64_t status = 0;

	s3_answer_clear(t);
	if (blank != NULL) {
		s.len -= (size_t)(blank + 1 - s.p);
		s.p = blank + 1;
		if (number(&s, &status) && status < 1000)
			t->status = (int)status;
	}
}

size_t
s3_on_header(char *data, size_t size, size_t count, void *arg)
{
	struct s3_slot *t = arg;
	size_t all = size * count;
	struct str s = { data, all };
	const char *colon;
	struct str name;

	while (s.len > 0 && (s.p[s.len - 1] == '\n' ||
	    s.p[s.len - 1] == '\r' || s.p[s.len - 1] == ' '))
		s.len--;
	if (str_starts(s, STR("HTTP/"))) {
		see_status(t, s);
		return all;
	}
	if (s.len == 0) {
		t->head_whole = true;
		return all;
	}
	colon = memchr(s.p, ':', s.len);
	if (colon == NULL)
		return all;
	name = (struct str){ s.p, (size_t)(colon - s.p) };
	s.len -= name.len + 1;
	s.p = colon + 1;
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	see_header(t, name, s);
	return all;
}

/* Check whether this answer to a GET carries the requested bytes. */
static int
check_range(struct s3_slot *t, const struct s3_request *r)
{
	uint64_t first = r->offset + r->got;
	uint64_t last;

	if (r->got_etag[0] != '\0' && strcmp(r->got_etag, t->etag) != 0)
		return err_set(&t->local, ERR_GONE, t->status, r->got > 0 ?
		    "the object changed while it was read" :
		    "the object is another now");
	if (!t->has_length && !t->chunked)
		return err_set(&t->local, ERR_PEER, t->status,
		    "an answer without a length");
	if (t->status == 200) {
		if (first != 0 || (r->len != 0 &&
		    (!t->has_length || t->length > r->len)))
			return err_set(&t->local, ERR_PEER, t->status,
			    "the whole object for a part of it");
		return 0;
	}
	if (!t->has_range || t->range_first != first)
		return err_set(&t->local, ERR_PEER, t->status,
		    "another range than the one asked for");
	last = r->len == 0 ? t->range_total - 1 :
	    MIN(r->offset + r->len, t->range_total) - 1;
	if (t->range_last != last || (t->has_length &&
	    t->length != last - first + 1))
		return err_set(&t->local, ERR_PEER, t->status,
		    "another range than the one asked for");
	return 0;
}

/* Body bytes of a GET go to the caller. */
static bool
hand_over(struct s3_slot *t, const char *data, size_t len)
{
	struct s3_request *r = t->req;
	enum s3_data told;

	if (!t->range_checked) {
		if (check_range(t, r) == -1)
			return false;
		t->range_checked = true;
		if (r->got == 0)
			memcpy(r->got_etag, t->etag, sizeof(r->got_etag));
	}
	if (r->len != 0 && len > r->len - r->got) {
		err_set(&t->local, ERR_PEER, t->status,
		    "more bytes than asked for");
		return false;
	}
	r->got += len;
	told = r->data(r->arg, data, len);
	if (told == S3_DATA_STOP) {
		err_set(&t->local, ERR_STOPPED, 0, "stopped");
		return false;
	}
	/* Pause both directions, or curl would look at the transfer again at
	 * once. */
	if (told == S3_DATA_FULL && !t->paused) {
		t->paused = t->s3->paused_now = true;
		curl_easy_pause(t->easy, CURLPAUSE_ALL);
	}
	return true;
}

size_t
s3_on_write(char *data, size_t size, size_t count, void *arg)
{
	struct s3_slot *t = arg;
	size_t len = size * count;

	if (t->req->data != NULL && (t->status == 200 || t->status == 206))
		return hand_over(t, data, len) ? len : 0;
	if (buf_add(&t->answer, data, len) == -1) {
		err_set(&t->local, ERR_PEER, t->status,
		    "an answer of over %d bytes", S3_XML_MAX);
		return 0;
	}
	return len;
}

size_t
s3_on_read(char *out, size_t size, size_t count, void *arg)
{
	struct s3_slot *t = arg;
	const struct s3_body *b = &t->req->body;
	size_t max = (size_t)MIN((uint64_t)(size * count), b->len - t->sent);
	ptrdiff_t n;

	if (max == 0)
		return 0;
	/* This process may have been frozen in the middle of the body. */
	t->held = s3_held(t->s3);
	if (t->held)
		return CURL_READFUNC_ABORT;
	n = b->read(b->read_arg, t->sent, out, max);
	if (n == 0) {
		t->paused = true;
		return CURL_READFUNC_PAUSE;
	}
	if (n < 0 || (size_t)n > max) {
		err_set(&t->local, ERR_STOPPED, 0, "the body was given up");
		return CURL_READFUNC_ABORT;
	}
	t->sent += (size_t)n;
	return (size_t)n;
}

/* When a kept connection ends behind the body, without an answer, curl wants to
 * send the request again by itself. Fail: the request gets another attempt,
 * which counts as one. */
int
s3_on_seek(void *arg UNUSED, curl_off_t offset UNUSED, int origin UNUSED)
{
	return CURL_SEEKFUNC_FAIL;
}

static int
judge_curl(struct s3_slot *t, CURLcode code, unsigned *flags, struct err *err)
{
	struct s3_fault f;
	char text[160];

	if (t->local.kind != ERR_NONE) {
		*err = t->local;
		*flags = 0;
		return -1;
	}
	f = s3_fault_curl((int)code);
	*flags = f.flags;
	str_escape(str_of(t->curl_text[0] != '\0' ? t->curl_text :
	    curl_easy_strerror(code)), text, sizeof(text));
	return err_set(err, f.kind, (int)code, "%s: %s%s%s",
	    t->s3->endpoints[t->endpoint].name, text,
	    f.hint == NULL ? "" : "; ", f.hint == NULL ? "" : f.hint);
}

/* An error answer, or an error inside a 200. */
static int
judge_error(struct s3_slot *t, const struct s3_xml *x, unsigned *flags,
    struct err *err)
{
	const struct s3_op *op = t->req->op;
	struct s3_fault f = s3_fault_http(t->status, x->code, op->of_bucket);
	char code[64], message[96];
	const char *region = f.flags & S3_FAULT_REGION ? t->region : "";
	int64_t off = t->date_sec - t->signed_sec;

	/* radosgw answers like this for an upload already completed or
	 * unknown. */
	if (op->xml == S3_XML_COMPLETE && strcmp(x->code, "InternalError") ==
	    0 && memmem(x->message.p, x->message.len, "already in progress",
	    19) != NULL)
		f = (struct s3_fault){ ERR_GONE,
		    S3_FAULT_RETRY | S3_FAULT_BRIEF, NULL };
	*flags = f.flags;
	/* HEAD has no body to say so. */
	if (t->status == 403 && x->code[0] == '\0' && t->has_date &&
	    (off > SKEW_SEC || off < -SKEW_SEC))
		*flags |= S3_FAULT_SKEW;
	*flags |= s3_keys_failed(t, x->code);
	str_escape(str_of(x->code), code, sizeof(code));
	str_escape(x->message, message, sizeof(message));
	if (x->region.len > 0)
		str_escape(x->region, t->region, sizeof(t->region));
	return err_set(err, f.kind, t->status, "HTTP %d%s%s%s%s%s%s%s%s",
	    t->status, code[0] == '\0' ? "" : " ", code,
	    message[0] == '\0' ? "" : ": ", message,
	    f.hint == NULL ? "" : "; ", f.hint == NULL ? "" : f.hint,
	    region[0] == '\0' ? "" : ": ", region);
}

/* Check a 2xx answer: believe success only with the fields the operation
 * needs. */
static int
judge_success(struct s3_slot *t, struct s3_xml *x, unsigned *flags,
    struct err *err)
{
	struct s3_request *r = t->req;
	const char *lacks = NULL;

	if (r->ask_why)
		return s3_keys_refused_head_alone(t, flags, err);
	if (r->op->xml != S3_NO_XML) {
		/* Retry: a body spoiled on the wire arrives intact the next
		 * time. */
		if (s3_xml_parse(x, r->op->xml, buf_str(&t->answer),
		    err) == -1) {
			*flags = S3_FAULT_RETRY | S3_FAULT_BRIEF;
			return -1;
		}
		if (x->kind == S3_XML_ERROR)
			return judge_error(t, x, flags, err);
		t->s3->lists_v1 |= x->is_v1;
		return r->judge == NULL ? 0 : r->judge(r, x, flags, err);
	}
	if (r->op->needs_etag && !t->has_etag)
		lacks = "no ETag";
	else if (!r->op->needs_etag && t->answer.len > 0)
		lacks = "a body where none belongs";
	else if (t->mode == S3_MODE_HEAD && !r->op->of_bucket &&
	    !t->has_length)
		lacks = "no length";
	if (lacks == NULL && r->data != NULL && !t->range_checked &&
	    check_range(t, r) == -1) {
		*err = t->local;
		return -1;
	}
	if (lacks == NULL)
		return 0;
	return err_set(err, ERR_PEER, t->status,
	    "HTTP %d that is no answer of S3: %s", t->status, lacks);
}

int
s3_answer_judge(struct s3_slot *t, CURLcode code, struct s3_xml *x,
    unsigned *flags, struct err *err)
{
	struct err ignored = ERR_INIT;

	*flags = 0;
	if (t->has_date)
		t->s3->boot_ms = t->date_sec * 1000 -
		    (int64_t)clock_boot_ms();
	if (code != CURLE_OK)
		return judge_curl(t, code, flags, err);
	/* To curl, a connection closed among the headers ends the headers. */
	if (!t->head_whole) {
		*flags = S3_FAULT_RETRY;
		return err_set(err, ERR_RETRY, t->status,
		    "HTTP %d, cut short", t->status);
	}
	if (t->status == 200 || t->status == 204 || t->status == 206)
		return judge_success(t, x, flags, err);
	/* If the body is no XML, as from a proxy, judge by the status. */
	if (t->answer.len > 0 && s3_xml_parse(x, S3_XML_ERROR,
	    buf_str(&t->answer), &ignored) == -1)
		s3_xml_release(x);
	return judge_error(t, x, flags, err);
}

void
s3_head_answer(const struct s3_reply *r, const struct err *err,
    struct held_answer *a)
{
	*a = (struct held_answer){ .err = ERR_INIT };
	if (err != NULL) {
		a->err = *err;
		return;
	}
	a->size = r->size;
	memcpy(a->etag, r->etag, sizeof(a->etag));
	a->modified_sec = r->modified_sec;
	a->has_mode = r->has_mode;
	a->has_all = r->has_meta;
	a->kept = (struct attrs){ .mtime_ns = r->meta.mtime_ns,
	    .mode = r->meta.mode, .uid = r->meta.uid, .gid = r->meta.gid };
}

void
s3_answer_reply(const struct s3_slot *t, const struct s3_xml *x,
    struct s3_reply *reply)
{
	const struct s3_request *r = t->req;

	memcpy(reply->etag, x->etag[0] != '\0' ? x->etag : t->etag,
	    sizeof(reply->etag));
	reply->etag_given = buf_str(&t->etag_given);
	reply->etag_opaque = t->etag_opaque;
	reply->status = t->status;
	reply->attempts = r->attempts;
	reply->version_id = buf_str(&t->version_id);
	reply->size = r->data != NULL ? r->got : t->length;
	if (!t->has_length && r->data == NULL)
		reply->size = 0;
	reply->object_size = t->has_range ? t->range_total :
	    t->has_length ? t->length : r->got;
	reply->parts_count = (unsigned)MIN(t->parts_count, (uint64_t)10000);
	reply->delete_marker = t->delete_marker;
	reply->modified_sec = t->has_modified ? t->modified_sec : 0;
	reply->has_meta = s3_meta_complete(&t->meta);
	reply->has_mtime = t->meta.mtime;
	reply->has_mode = t->meta.mode;
	reply->has_owner = t->meta.uid && t->meta.gid;
	reply->meta = t->meta.meta;
	if (!t->meta.mtime)
		reply->meta.mtime_ns = MTIME_NONE;
	if (!t->meta.uid)
		reply->meta.uid = OWNER_NONE;
	if (!t->meta.gid)
		reply->meta.gid = OWNER_NONE;
	reply->upload_id = x->upload_id;
	reply->listed = x->listed;
	reply->listed_count = x->listed_count;
	reply->prefixes = x->prefixes;
	reply->prefix_count = x->prefix_count;
	reply->parts = x->parts;
	reply->part_count = x->part_count;
	reply->uploads = x->uploads;
	reply->upload_count = x->upload_count;
	reply->versions = x->versions;
	reply->version_count = x->version_count;
	reply->truncated = x->truncated;
	reply->next = x->next;
}
