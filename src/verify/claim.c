/*
 * claim.c: what proves an object. S3's ETag is the MD5 of the bytes, or of
 * the MD5s of the parts with "-count"; see verify/etag.h.
 */
#include "verify/claim.h"
#include "verify/etag.h"

/* Well-known part sizes of S3 tools, in MiB, the frequent sizes first. */
static const uint16_t guesses[] = { 8, 5, 16, 50, 64, 100, 15, 10, 32, 128, 6,
    7, 12, 20, 24, 25, 30, 40, 48, 96, 200, 250, 256, 500, 512, 1000, 1024 };

bool
claim_digest(const char *etag, uint8_t digest[MD5_LEN])
{
	char hex[2 * MD5_LEN + 1] = "";

	memcpy(hex, etag, strnlen(etag, 2 * MD5_LEN));
	return hex_decode(hex, digest, MD5_LEN);
}

/* Return 0 for no digest, 1 for a digest of the whole, N + 1 for "digest-N". */
static uint32_t
etag_parts(const char *etag)
{
	uint8_t digest[MD5_LEN];
	char *end;
	unsigned long n;

	if (!claim_digest(etag, digest))
		return 0;
	if (strlen(etag) == 2 * MD5_LEN)
		return 1;
	etag += 2 * MD5_LEN;
	if (etag[0] != '-' || etag[1] < '1' || etag[1] > '9')
		return 0;
	n = strtoul(etag + 1, &end, 10);
	return *end == '\0' && n <= 10000 ? (uint32_t)n + 1 : 0;
}

/* Do count parts of this size, the last part perhaps shorter, make the
 * object? */
static bool
fits(uint64_t size, uint64_t part, uint32_t count)
{
	if (count == 1)
		return part >= size;
	return part > 0 && size > part * (count - 1) && size <= part * count;
}

/* Return the number of parts of this size: an empty object has a single
 * part. */
static uint32_t
parts_of(uint64_t size, uint64_t part)
{
	return (uint32_t)((MAX(size, (uint64_t)1) - 1) / part + 1);
}

static bool
stored_fits(const struct fetch_item *it)
{
	return it->has_stored && it->etag[0] != '\0' &&
	    it->stored.attrs.size == it->size &&
	    strcmp(it->stored.etag, it->etag) == 0;
}

void
claim_make(struct fetch_claim *c, const struct fetch_item *it,
    const char *sse)
{
	uint32_t parts = etag_parts(it->etag);
	const struct stored *s = &it->stored;

	memset(c, 0, sizeof(*c));
	if (stored_fits(it)) {
		bool digest = parts > 1 && etag_is_digest(sse);
		uint32_t n = s->part_size == 0 ? 0 :
		    parts_of(it->size, s->part_size);

		c->proof = PROOF_CATALOG;
		if (n > 0 && s->part_md5s != NULL && s->part_count == n)
			c->part_md5s = s->part_md5s;
		if (n > 0 && (c->part_md5s != NULL ||
		    (digest && parts == n + 1))) {
			c->part_size = s->part_size;
			c->part_count = n;
			return;
		}
		if (s->has_md5) {
			c->has_md5 = true;
			memcpy(c->md5, s->md5, MD5_LEN);
			return;
		}
	}
	c->proof = parts > 0 && etag_is_digest(sse) ? PROOF_ETAG :
	    PROOF_NONE;
	if (c->proof == PROOF_NONE || parts == 1)
		return;
	c->part_count = parts - 1;
	if (c->part_count == 1)
		c->part_size = MAX(it->size, (uint64_t)1);
	else
		c->ask = true;
}

/* Hash in parts if the part MD5s or the ETag in the catalog prove as much as
 * the whole MD5 does, or if the catalog has no whole MD5. */
void
claim_open(struct fetch_claim *c, const struct fetch_item *it,
    const char *sse)
{
	const struct stored *s = &it->stored;
	uint32_t n;

	memset(c, 0, sizeof(*c));
	c->open = true;
	if (!it->has_stored || s->part_size == 0)
		return;
	n = parts_of(s->attrs.size, s->part_size);
	if ((s->part_md5s != NULL && s->part_count == n) || !s->has_md5 ||
	    (etag_parts(s->etag) == n + 1 && etag_is_digest(sse))) {
		c->part_size = s->part_size;
		c->part_count = parts_of(it->size, s->part_size);
	}
}

static bool
guess_from(struct fetch_claim *c, uint64_t size, size_t i)
{
	c->guessed = true;
	for (; i < ARRAY_LEN(guesses); i++)
		if (fits(size, guesses[i] * MIB, c->part_count)) {
			c->part_size = guesses[i] * MIB;
			return true;
		}
	return false;
}

bool
claim_guess(struct fetch_claim *c, const struct fetch_item *it)
{
	size_t i = 0;

	if (!c->guessed)
		return false;
	while (i < ARRAY_LEN(guesses) && guesses[i] * MIB != c->part_size)
		i++;
	return guess_from(c, it->size, i + 1);
}

bool
claim_answer(struct fetch_claim *c, const struct fetch_item *it,
    uint64_t first_part, unsigned parts_count)
{
	c->ask = false;
	if (parts_count == 0)
		return guess_from(c, it->size, 0);
	c->part_size = first_part;
	return parts_count == c->part_count &&
	    fits(it->size, first_part, c->part_count);
}

bool
claim_is_odd(const struct fetch_claim *c)
{
	return c->proof == PROOF_ETAG && c->part_size > 0 &&
	    c->part_count == 1;
}

bool
claim_holds(const struct fetch_claim *c, struct fetch_item *it,
    const struct md5 *whole, const uint8_t *part_md5s)
{
	struct fetch_result *r = &it->result;
	uint8_t digest[MD5_LEN];

	r->etag_computed[0] = '\0';
	if (whole != NULL) {
		md5_final(whole, r->md5);
		r->hashed = true;
	}
	if (c->part_size > 0) {
		etag_multipart(part_md5s, c->part_count, r->etag_computed);
		if (c->open)
			return claim_digest(r->etag_computed, r->md5);
		if (c->part_md5s != NULL)
			return memcmp(part_md5s, c->part_md5s,
			    c->part_count * (size_t)MD5_LEN) == 0;
		return strcmp(r->etag_computed, it->etag) == 0;
	}
	memcpy(digest, r->md5, MD5_LEN);
	etag_single(digest, r->etag_computed);
	if (c->open)
		return true;
	if (c->has_md5)
		return memcmp(digest, c->md5, MD5_LEN) == 0;
	return strcmp(r->etag_computed, it->etag) == 0;
}
