/*
 * DeleteObjects: group keys into requests of the size a server takes, and read
 * the result of each key from the answers. A server that refuses DeleteObjects
 * gets a request for each key.
 */
#include "s3/s3_internal.h"

#define KEYS_MAX	1000	/* of one request, S3's own limit */
/* radosgw reads bodies of up to 1 MiB. */
#define BODY_MAX	(1000 * 1024)
#define TRIES_MAX	3	/* DELETEs of single keys that are denied,
				   until all keys count as denied */
#define REFUSED		"the server has no DeleteObjects"
#define BODY_HEAD	"<Delete xmlns=\"http://s3.amazonaws.com/doc/" \
			"2006-03-01/\"><Quiet>false</Quiet>"
#define BODY_TAIL	"</Delete>"
#define KEY_HEAD	"<Object><Key>"
#define KEY_TAIL	"</Key></Object>"

/* Memory to free at the end of the call of s3_delete_many. */
struct kept {
	struct kept *next;
	max_align_t data[];
};

/* One call of s3_delete_many, with a result for each key. */
struct deletion {
	struct s3_deleted *results;
	size_t	 count;
	size_t	*clusters;	/* the cluster of each key; NULL: ask every
				   cluster for every key */
	size_t	 batches;	/* requests still to be answered */
	s3_deleted_fn *done;
	void	*arg;
	struct kept *kept;
};

/* One request of a struct deletion, for up to KEYS_MAX keys. */
struct batch {
	struct deletion *all;
	struct s3 *s3;
	size_t	 cluster;
	/* one by one: */
	size_t	 next;		/* key to ask for */
	size_t	 singles;	/* requests without an answer yet */
	struct err refused;	/* of the request for all keys */
	/* The keys without a final result yet, sorted by key. */
	struct s3_deleted *open[KEYS_MAX];
	bool	 told[KEYS_MAX];
	bool	 again[KEYS_MAX];
	size_t	 count;
};

static s3_judge_fn judge;
static s3_done_fn on_done;

static const struct s3_op op_delete_many = { .name = "delete objects",
    .method = "POST", .xml = S3_XML_DELETED, .of_bucket = true,
    .deletes = true };

static void *
keep(struct deletion *d, size_t size)
{
	struct kept *k = xcalloc(1, sizeof(*k) + size);

	k->next = d->kept;
	d->kept = k;
	return k->data;
}

static struct str
keep_str(struct deletion *d, struct str s)
{
	char *p;

	if (s.len == 0)
		return STR("");
	p = keep(d, s.len);
	memcpy(p, s.p, s.len);
	return (struct str){ p, s.len };
}

static int
compare(struct str a, struct str b)
{
	int c = memcmp(a.p, b.p, MIN(a.len, b.len));

	return c != 0 ? c : a.len < b.len ? -1 : a.len > b.len;
}

static int
by_key(const void *a, const void *b)
{
	const struct s3_deleted *const *x = a, *const *y = b;

	return compare((*x)->key, (*y)->key);
}

/* Return the index of the first open key not before this key. */
static size_t
find(const struct batch *b, struct str key)
{
	size_t from = 0, to = b->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (compare(b->open[mid]->key, key) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void
add_key(struct buf *body, struct str key)
{
	buf_addstr(body, KEY_HEAD);
	s3_xml_text(body, key);
	buf_addstr(body, KEY_TAIL);
}

static void
close_body(struct s3_request *r)
{
	uint8_t digest[MD5_LEN];
	struct md5 md5;

	buf_addstr(&r->own_body, BODY_TAIL);
	r->body.data = r->own_body.data;
	r->body.len = r->own_body.len;
	md5_init(&md5);
	md5_update(&md5, r->own_body.data, r->own_body.len);
	md5_final(&md5, digest);
	base64_encode(digest, MD5_LEN, r->content_md5);
	/* The body has changed: the next attempt computes its hash anew. */
	r->payload[0] = '\0';
}

static struct err *
fail(struct deletion *d, struct s3_deleted *result)
{
	struct err *err = keep(d, sizeof(*err));

	result->err = err;
	return err;
}

/* The server's words on one key. */
static void
take_result(struct batch *b, size_t i, const struct s3_xml_deleted *x,
    unsigned *ret_flags, struct err *err)
{
	struct s3_deleted *result = b->open[i];
	char code[64], message[96];
	struct s3_fault f;
	struct err *e;

	b->told[i] = true;
	if (!x->failed) {
		struct str id = x->marker_id.len > 0 ? x->marker_id :
		    x->version_id;

		/* Another cluster may have reported a delete marker before. */
		result->delete_marker = result->delete_marker || x->marker;
		if (id.len > 0)
			result->version_id = keep_str(b->all, id);
		return;
	}
	str_escape(x->code, code, sizeof(code));
	str_escape(x->message, message, sizeof(message));
	f = s3_fault_http(200, code, false);
	if (f.flags & S3_FAULT_RETRY) {
		b->again[i] = true;
		*ret_flags |= f.flags & (S3_FAULT_RETRY | S3_FAULT_SLOW);
		e = err;
	} else {
		e = fail(b->all, result);
	}
	err_set(e, f.kind, 200, "delete: %s%s%s%s%s", code,
	    message[0] == '\0' ? "" : ": ", message,
	    f.hint == NULL ? "" : "; ", f.hint == NULL ? "" : f.hint);
}

/* Read an answer. The next attempt asks for the keys with an error worth a
 * retry. */
static int
judge(struct s3_request *r, const struct s3_xml *x, unsigned *ret_flags,
    struct err *err)
{
	struct batch *b = r->arg;
	size_t left = 0;

	memset(b->told, 0, sizeof(b->told));
	memset(b->again, 0, sizeof(b->again));
	for (size_t k = 0; k < x->deleted_count; k++) {
		const struct s3_xml_deleted *one = &x->deleted[k];

		for (size_t i = find(b, one->key); i < b->count &&
		    str_eq(b->open[i]->key, one->key); i++)
			take_result(b, i, one, ret_flags, err);
	}
	buf_clear(&r->own_body);
	buf_addstr(&r->own_body, BODY_HEAD);
	for (size_t i = 0; i < b->count; i++) {
		struct s3_deleted *result = b->open[i];

		if (!b->told[i])
			err_set(fail(b->all, result), ERR_PEER, 200,
			    "delete: the answer does not tell of this key");
		if (!b->again[i])
			continue;
		add_key(&r->own_body, result->key);
		b->open[left++] = result;
	}
	b->count = left;
	close_body(r);
	return left == 0 ? 0 : -1;
}

static void
release(struct deletion *d)
{
	while (d->kept != NULL) {
		struct kept *k = d->kept;

		d->kept = k->next;
		free(k);
	}
	free(d->results);
	free(d->clusters);
	free(d);
}

static void
batch_over(struct deletion *d)
{
	if (--d->batches > 0)
		return;
	d->done(d->arg, d->results, d->count);
	release(d);
}

/* --- one by one --- */

/* The request for one key of a batch. */
struct single {
	struct batch *batch;
	struct s3_deleted *result;
};

static void begin_singles(struct batch *);

static void
single_done(void *arg, const struct s3_reply *reply, const struct err *err)
{
	struct single *one = arg;
	struct batch *b = one->batch;
	struct s3_deleted *result = one->result;

	if (err != NULL && err->kind != ERR_GONE)
		*fail(b->all, result) = *err;
	else if (reply->version_id.len > 0)
		result->version_id = keep_str(b->all, reply->version_id);
	result->delete_marker = result->delete_marker || reply->delete_marker;
	b->singles--;
	b->s3->deletes_single |= result->err == NULL;
	begin_singles(b);
	if (b->singles == 0)
		batch_over(b->all);
}

/* Until a key was deleted so, ask for one key after the other, and give up
 * after some. */
static void
begin_singles(struct batch *b)
{
	while (b->next < b->count &&
	    (b->s3->deletes_single || b->singles == 0)) {
		struct single *one;

		if (!b->s3->deletes_single && b->next == TRIES_MAX)
			break;
		one = keep(b->all, sizeof(*one));
		*one = (struct single){ b, b->open[b->next++] };
		b->singles++;
		s3_delete_in(b->s3, b->cluster, one->result->key, single_done,
		    one);
	}
	for (; b->singles == 0 && b->next < b->count; b->next++)
		*fail(b->all, b->open[b->next]) = b->refused;
}

/* Does the server refuse the operation, whatever the keys are? Where the right
 * to it is a right on the bucket, deleting a key may be allowed. */
static bool
is_no_operation(const struct err *err)
{
	return err->code == 501 || err->code == 405 ||
	    (err->code == 403 && err->kind == ERR_DENIED) ||
	    (err->code == 400 && err->kind == ERR_CONFIG);
}

/* A request is over. If the request failed, the open keys have failed. */
static void
on_done(void *arg, const struct s3_reply *reply UNUSED, const struct err *err)
{
	struct batch *b = arg;

	if (err != NULL && b->count > 0 && is_no_operation(err)) {
		b->refused = *err;
		begin_singles(b);
		return;
	}
	for (size_t i = 0; i < b->count && err != NULL; i++)
		*fail(b->all, b->open[i]) = *err;
	batch_over(b->all);
}

static bool
is_asked(const struct deletion *d, size_t cluster, size_t i)
{
	return d->results[i].err == NULL && (d->clusters == NULL ||
	    d->clusters[i] == cluster);
}

/* Begin a request for the keys from *from on, as many as fit. */
static void
begin(struct s3 *s, struct deletion *d, size_t cluster, size_t *from)
{
	struct batch *b = keep(d, sizeof(*b));
	struct s3_request *r = s3_request_new(s, &op_delete_many, STR(""),
	    on_done, b);
	struct s3_param p[] = { { "delete", STR("") } };

	b->all = d;
	b->s3 = s;
	b->cluster = cluster;
	d->batches++;
	r->cluster = cluster;
	r->judge = judge;
	s3_query(&r->query, p, ARRAY_LEN(p));
	buf_addstr(&r->own_body, BODY_HEAD);
	for (; *from < d->count && b->count < KEYS_MAX; ++*from) {
		struct s3_deleted *result = &d->results[*from];
		size_t len = r->own_body.len;

		if (!is_asked(d, cluster, *from))
			continue;
		add_key(&r->own_body, result->key);
		if (r->own_body.len > BODY_MAX && b->count > 0) {
			r->own_body.len = len;
			break;
		}
		b->open[b->count++] = result;
	}
	close_body(r);
	if (b->count == 0) {
		/* The callback of this request reports the results of every
		 * key. */
		s3_request_refuse(s, r, ERR_INVALID, "no key to ask for");
		return;
	}
	qsort(b->open, b->count, sizeof(b->open[0]), by_key);
	if (s->deletes_single)
		err_set(&r->refused, ERR_CONFIG, 501, REFUSED);
	s3_request_submit(s, r);
}

/* Begin the requests to a single cluster for every key asked there. */
static void
begin_all(struct s3 *s, struct deletion *d, size_t cluster)
{
	size_t from = 0;

	for (;;) {
		while (from < d->count && !is_asked(d, cluster, from))
			from++;
		if (from == d->count)
			return;
		begin(s, d, cluster, &from);
	}
}

void
s3_delete_many(struct s3 *s, const struct str *keys, size_t count,
    s3_deleted_fn *done, void *arg)
{
	struct deletion *d = xcalloc(1, sizeof(*d));
	size_t clusters = s3_cluster_count(s), from = 0;

	d->results = xcalloc(count + 1, sizeof(*d->results));
	d->count = count;
	d->done = done;
	d->arg = arg;
	for (size_t i = 0; i < count; i++) {
		struct s3_deleted *result = &d->results[i];

		result->key = keep_str(d, keys[i]);
		result->version_id = STR("");
		if (keys[i].len == 0 || keys[i].len > S3_KEY_MAX)
			err_set(fail(d, result), ERR_INVALID, 0, "delete: "
			    "the key has %zu bytes, S3 takes 1 to %d",
			    keys[i].len, S3_KEY_MAX);
		else if (!s3_key_fits_xml(keys[i]))
			err_set(fail(d, result), ERR_INVALID, 0,
			    "delete: XML can't carry this key");
	}
	if (s3_cluster_tidy(s)) {
		d->clusters = xcalloc(count + 1, sizeof(*d->clusters));
		for (size_t i = 0; i < count; i++)
			d->clusters[i] = s3_place(keys[i], clusters);
	}
	for (size_t i = 0; i < clusters; i++)
		begin_all(s, d, i);
	if (d->batches == 0)
		begin(s, d, 0, &from);
}
