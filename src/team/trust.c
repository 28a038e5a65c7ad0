/*
 * trust.c: hides from clients the values that clients must compute, and rejects
 * results that are impossible.
 */
#include "base/log.h"
#include "crew/setup.h"
#include "crypto/crypto.h"
#include "team/team_internal.h"
#include "verify/claim.h"
#include "verify/etag.h"

#define FILE_BYTES_MAX	(UINT64_C(1) << 56)	/* no file system has larger
						   files */

/* --- TEST --- */

/* Hide the stored values of TEST. The client learns only the attributes of the
 * file, and how to hash: as a whole or by parts, and of which size. */
void
team_hide(struct team *t, struct team_task *k)
{
	struct fetch_item *it = k->fetch;
	struct fetch_claim claim;

	k->secret = xcalloc(1, sizeof(*k->secret));
	claim_open(&claim, it, t->conf->s3_storage.sse);
	k->secret->stored = it->stored;
	memcpy(k->secret->etag, it->etag, sizeof(it->etag));
	memset(it->etag, 0, sizeof(it->etag));
	it->stored = (struct stored){ .attrs = it->stored.attrs,
	    .part_size = claim.part_size };
}

void
team_reveal(struct team_task *k)
{
	if (k->secret == NULL)
		return;
	stored_release(&k->fetch->stored);
	k->fetch->stored = k->secret->stored;
	memcpy(k->fetch->etag, k->secret->etag, sizeof(k->fetch->etag));
	free(STEAL(k->secret));
}

/* --- impossible results --- */

static bool
is_step(const struct team_task *k)
{
	return k->item.step != SPLIT_WHOLE;
}

/* Do the parts of a result fit the size of the file? A result without parts
 * fits. */
static bool
parts_fit(const struct result *r)
{
	uint64_t n;

	if (r->part_md5s == NULL)
		return true;
	if (r->part_size == 0)
		return false;
	n = r->attrs.size == 0 ? 1 : (r->attrs.size - 1) / r->part_size + 1;
	return n == r->part_count;
}

/* An ETag that is a digest must be the digest of the bytes that the client
 * read. */
static bool
etag_fits(const struct result *r)
{
	char etag[72];

	if (strchr(r->etag, '-') == NULL) {
		if (!r->has_md5 || strlen(r->etag) != 32)
			return true;
		etag_single(r->md5, etag);
		return strcasecmp(etag, r->etag) == 0;
	}
	if (r->part_md5s == NULL)
		return true;
	etag_multipart(r->part_md5s, (unsigned)r->part_count, etag);
	return strcasecmp(etag, r->etag) == 0;
}

/* Return the reason why a result is impossible, or NULL. */
static const char *
nonsense(const struct team *t, const struct team_task *k,
    const struct result *r)
{
	uint64_t size = MAX(r->attrs.size, k->item.attrs.size);

	if (r->attrs.size > FILE_BYTES_MAX)
		return "a size that no file has";
	if (r->attempts > 0 && r->bytes_sent / r->attempts > size + MIB &&
	    r->bytes_sent > FILE_BYTES_MAX)
		return "more bytes sent than there are";
	if (r->outcome == OUTCOME_CHANGED && is_step(k))
		return "another version of a part";
	if (r->outcome > OUTCOME_UNCHANGED)
		return NULL;
	if (r->attrs.kind == ENTRY_FILE && !attrs_same(&r->attrs,
	    &k->item.attrs, conf_ignored(t->conf)))
		return "a version of the file that was not asked for";
	if (is_step(k) || t->setup.dryrun)
		return NULL;
	if (r->attrs.kind != ENTRY_FILE && r->attrs.kind != ENTRY_UNKNOWN)
		return "something that is no file";
	if (!parts_fit(r))
		return "parts that the file doesn't have";
	if (r->outcome == OUTCOME_MOVED && !t->setup.adopt &&
	    r->proved != PROVED_MD5 && !etag_fits(r))
		return "an ETag that isn't the MD5 that it gives";
	return NULL;
}

void
team_believe(struct team_client *c, const struct team_task *k, struct result *r)
{
	const char *what = nonsense(c->team, k, r);
	char path[400];

	if (what == NULL)
		return;
	log_event(LOG_ERROR, EVENT_CLIENT_NONSENSE,
	    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
		LOG_SHOW_TEXT("client_host", c->host),
		LOG_TEXT("path", k->item.path), LOG_TEXT("reason", what)),
	    "tells of %s: %s: its result does not count",
	    str_escape(str_of(k->item.path == NULL ? "" : k->item.path), path,
		sizeof(path)),
	    what);
	r->outcome = OUTCOME_FAILED;
	r->attrs = k->item.attrs;
	r->bytes_sent = 0;
	/* The error is UNREACHABLE, a failure of the client and not of the
	 * file: a second client tries. */
	err_set(&r->err, ERR_UNREACHABLE, 0, "client %u (%s) tells of %s",
	    c->number, c->host, what);
	team_distrust(c);
}
