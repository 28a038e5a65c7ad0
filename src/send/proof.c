/*
 * proof.c: what proves that S3 holds the bytes of an object just sent: S3's
 * ETag, where that is a digest; else the Content-MD5 that went with each
 * request, if the store compares it. Where that is not known, a worker asks
 * once, with a body whose Content-MD5 is wrong, and the sender's results teach
 * the catalog what the store does.
 */
#include "model/store.h"
#include "send/send_internal.h"
#include "verify/etag.h"

#define MD5_TRIES	5	/* questions without an answer */

void
proof_expected(const struct transfer *t, char etag[72])
{
	if (transfer_is_multipart(t))
		etag_multipart(t->part_md5s, t->plan.count, etag);
	else
		etag_single(t->whole_md5, etag);
}

static unsigned
known(const struct transfer *t)
{
	return atomic_load_explicit(&t->w->sender->known,
	    memory_order_relaxed);
}

static void
learn(struct sender *s, unsigned what)
{
	/* Every worker reads this cache line: write rarely. */
	if ((atomic_load_explicit(&s->known, memory_order_relaxed) & what) !=
	    what)
		atomic_fetch_or(&s->known, what);
}

static enum etag_word
judge(const struct transfer *t, enum etag_of of, const char *expected,
    const char *got, bool opaque)
{
	struct etag_case c = { .of = of, .expected = expected, .got = got,
	    .opaque = opaque ||
	    !etag_is_digest(t->w->sender->c.s3.store.sse),
	    .known = known(t) };
	enum etag_word word = etag_judge(&c);

	learn(t->w->sender, etag_teaches(&c, word));
	return word;
}

static void
differs(struct transfer *t, const char *expected, const char *got)
{
	struct err err;

	err_set(&err, ERR_CORRUPT, 0, "S3 holds something else: its ETag is "
	    "\"%.71s\", the bytes read give \"%.71s\"", got, expected);
	transfer_s3_fault(t, &err);
}

bool
proof_is_md5(const char *etag, const uint8_t md5[MD5_LEN])
{
	char expected[72];

	etag_single(md5, expected);
	return strcmp(etag, expected) == 0;
}

bool
proof_part(struct transfer *t, const uint8_t md5[MD5_LEN],
    const struct s3_reply *r)
{
	char expected[72];

	etag_single(md5, expected);
	if (judge(t, ETAG_PART, expected, r->etag, r->etag_opaque) !=
	    ETAG_DIFFERS)
		return true;
	differs(t, expected, r->etag);
	return false;
}

static void
proved(struct transfer *t, enum proved by)
{
	t->proved = by;
	multipart_forget(t);
	transfer_end(t, OUTCOME_MOVED);
}

static void
unprovable(struct transfer *t, const char *why)
{
	err_set(&t->err, ERR_INVALID, 0, "nothing proves that the store holds "
	    "the bytes: its ETag \"%.71s\" is no digest, and %s", t->etag,
	    why);
	multipart_forget(t);
	transfer_end(t, OUTCOME_FAILED);
}

/* --- does the store compare Content-MD5? --- */

static void by_md5(struct transfer *);

/* Go on with each transfer of the worker that waits for the answer. */
static void
asked(struct worker *w, const struct err *err)
{
	for (struct transfer *t = w->active; t != NULL; t = t->next) {
		if (!t->waits_proof)
			continue;
		t->waits_proof = false;
		t->calls--;
		if (t->broken)
			continue;
		/* AWS compares Content-MD5 of what it encrypts with KMS. */
		if (err == NULL)
			by_md5(t);
		else if (err->kind == ERR_DENIED && t->opaque)
			proved(t, PROVED_MD5);
		else if (err->kind == ERR_DENIED)
			unprovable(t, "whether it compares Content-MD5 can't "
			    "be asked: these keys may not write "
			    PROBE_PREFIX);
		else
			transfer_s3_fault(t, err);
	}
}

static void
probe_deleted(void *arg, const struct s3_reply *r UNUSED,
    const struct err *err UNUSED)
{
	struct worker *w = arg;

	w->asks_md5 = false;
	asked(w, NULL);
}

static void
wrong_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct worker *w = arg;
	bool refused = err != NULL && (r->status == 500 || (r->status >= 400 &&
	    r->status < 500 && err->kind != ERR_DENIED &&
	    err->kind != ERR_REFUSED && err->kind != ERR_RETRY));
	struct err passing;

	/* No answer: a kept connection has ended, perhaps. */
	if (err != NULL && err->kind == ERR_RETRY && r->status == 0 &&
	    ++w->md5_tries < MD5_TRIES) {
		s3_put_wrong(w->p.s3, str_of(w->probe_key), wrong_done, w);
		return;
	}
	if (err == NULL) {
		learn(w->sender, KNOWN_MD5_IGNORED);
		s3_delete(w->p.s3, str_of(w->probe_key), probe_deleted, w);
		return;
	}
	w->asks_md5 = false;
	if (refused)
		learn(w->sender, KNOWN_MD5);
	passing = *err;
	asked(w, refused ? NULL : &passing);
}

static void
ask_md5(struct transfer *t)
{
	struct worker *w = t->w;
	uint8_t random[8];

	t->waits_proof = true;
	t->calls++;
	if (w->asks_md5)
		return;
	w->asks_md5 = true;
	w->md5_tries = 0;
	random_bytes(random, sizeof(random));
	memcpy(w->probe_key, PROBE_PREFIX, sizeof(PROBE_PREFIX) - 1);
	hex_encode(random, sizeof(random), w->probe_key +
	    sizeof(PROBE_PREFIX) - 1);
	s3_put_wrong(w->p.s3, str_of(w->probe_key), wrong_done, w);
}

/* The ETag says nothing. */
static void
by_md5(struct transfer *t)
{
	unsigned has = known(t);

	if (has & KNOWN_MD5)
		proved(t, PROVED_MD5);
	else if (has & KNOWN_MD5_IGNORED)
		unprovable(t, "it does not compare Content-MD5");
	else
		ask_md5(t);
}

/* --- the object --- */

/* HEAD of the object whose ETag was met for the first time. The wire may have
 * spoiled the ETag of the answer. */
static void
looked(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;
	bool denied = err != NULL && err->kind == ERR_DENIED;
	char expected[72];

	if (!transfer_answered(t, denied ? NULL : err))
		return;
	/* Keys that may only write. */
	if (denied) {
		by_md5(t);
		return;
	}
	proof_expected(t, expected);
	if (err == NULL && strcmp(r->etag, expected) == 0) {
		memcpy(t->etag, r->etag, sizeof(t->etag));
		proved(t, PROVED_ETAG);
	} else if (err == NULL && strcmp(r->etag, t->etag) == 0) {
		learn(t->w->sender, KNOWN_OPAQUE(transfer_is_multipart(t) ?
		    ETAG_JOINED : ETAG_WHOLE));
		t->opaque |= r->etag_opaque;
		by_md5(t);
	} else {
		differs(t, expected, err == NULL ? r->etag : t->etag);
	}
}

void
proof_object(struct transfer *t, const struct s3_reply *r)
{
	char expected[72];

	transfer_holds(t, EVENT_STORED, r);
	memcpy(t->etag, r->etag, sizeof(t->etag));
	t->opaque = r->etag_opaque ||
	    !etag_is_digest(t->w->sender->c.s3.store.sse);
	proof_expected(t, expected);
	switch (judge(t, transfer_is_multipart(t) ? ETAG_JOINED : ETAG_WHOLE,
	    expected, r->etag, r->etag_opaque)) {
	case ETAG_PROVES:
		proved(t, PROVED_ETAG);
		break;
	case ETAG_DIFFERS:
		differs(t, expected, r->etag);
		break;
	case ETAG_SILENT:
		by_md5(t);
		break;
	case ETAG_DOUBT:
		t->calls++;
		s3_head(t->w->p.s3, t->key, looked, t);
	}
}
