/* Keys that end in the middle of a run, see model/keyring.h; and the region
 * that goes with them into the signature. */
#include "s3/s3_internal.h"

#include "base/log.h"

void
s3_keys_take(struct s3 *s)
{
	CLEANUP(keys_release) struct keys k = { .access_key = NULL };
	struct keyring *ring = s->store.keyring;

	if (ring == NULL || keyring_number(ring) == s->keys_number)
		return;
	s->keys_number = keyring_get(ring, &k);
	s3_signer_renew(&s->signer, &k);
}

bool
s3_keys_awaited(const struct s3 *s)
{
	return s->store.keyring != NULL && keyring_awaits(s->store.keyring);
}

unsigned
s3_keys_failed(const struct s3_slot *t, const char *code)
{
	static const char *const codes[] = { "ExpiredToken",
	    "ExpiredTokenException", "TokenRefreshRequired" };
	const struct s3 *s = t->s3;

	if (t->status != 400 && t->status != 401 && t->status != 403)
		return 0;
	/* Other keys have come meanwhile: perhaps because of these. */
	if (s->keys_number != 0 && t->keys_number !=
	    keyring_number(s->store.keyring))
		return S3_FAULT_EXPIRED;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (s->keys_number != 0 && strcmp(code, codes[i]) == 0)
			return S3_FAULT_EXPIRED;
	/* A new key is not known everywhere at once, and one that was replaced
	 * may go a moment before the file with the new one is read. */
	if (s->keys_number != 0 && keyring_is_renewed(s->store.keyring) &&
	    strcmp(code, "InvalidAccessKeyId") == 0)
		return S3_FAULT_RETRY | S3_FAULT_BRIEF;
	/* The answer to HEAD has no body to say so. The first HEAD of a run, of
	 * the bucket, finds other faults, too: a wrong region, wrong keys. */
	return t->mode == S3_MODE_HEAD && !t->req->asked_why &&
	    ((s->keys_number != 0 && s->signer.keys.session_token != NULL) ||
	    t->req->op->of_bucket) ? S3_FAULT_WHY : 0;
}

int
s3_keys_refused_head_alone(struct s3_slot *t, unsigned *flags,
    struct err *err)
{
	t->req->ask_why = false;
	*flags = S3_FAULT_RETRY | S3_FAULT_BRIEF;
	return err_set(err, ERR_PEER, t->status, "HEAD was refused, and GET "
	    "was not");
}

bool
s3_keys_expired(struct s3_slot *t, struct err *err)
{
	struct s3 *s = t->s3;
	struct s3_request *r = t->req;
	struct err why = ERR_INIT, was = *err;

	if (s->keys_number == 0)
		return false;
	r->ask_why = false;
	if (r->first_expired_ms == 0)
		r->first_expired_ms = s->now_ms + 1;
	if (s->now_ms >= r->first_expired_ms + s->retry_for_ms)
		err_set(&why, ERR_DENIED, 0, "other keys expire at once, too");
	else if (keyring_expired(s->store.keyring, t->keys_number, &why))
		return true;
	err_set(err, err->kind, err->code, "%.140s; the keys were not "
	    "renewed: %s", was.msg, why.msg);
	return false;
}

static bool
is_region(const char *s)
{
	return s[0] != '\0' && s[strspn(s,
	    "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

bool
s3_region_take(struct s3_slot *t)
{
	static _Atomic bool said;
	struct s3 *s = t->s3;
	struct s3_request *r = t->req;

	/* A redirection needs another endpoint, too. */
	if (t->status != 400 || r->region_taken || !is_region(t->region))
		return false;
	r->region_taken = true;
	r->ask_why = r->asked_why = false;
	if (!atomic_exchange(&said, true))
		log_event(LOG_WARN, EVENT_REGION,
		    LOG_WITH(LOG_TEXT("region", t->region)),
		    "the bucket is in region %s, requests were signed for %s: "
		    "set region in [s3_storage]", t->region, s->signer.region);
	if (strcmp(t->region, s->signer.region) != 0)
		s3_signer_move(&s->signer, t->region);
	return true;
}
