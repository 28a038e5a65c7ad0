#include <time.h>

#include "crypto/crypto.h"
#include "rest/sign.h"

/* A canonical request holds a key of 1,024 bytes thrice as long, an upload
 * id and some headers; a session token may take 4 KiB. */
#define CANONICAL_MAX	(256 * 1024)

void
s3_signer_init(struct s3_signer *s, const struct keys *keys,
    const char *region, const char *service)
{
	memset(s, 0, sizeof(*s));
	keys_copy(&s->keys, keys);
	s->region = xstrdup(region);
	s->service = service;
	s->second = -1;
	buf_init(&s->canonical, CANONICAL_MAX);
}

void
s3_signer_renew(struct s3_signer *s, const struct keys *keys)
{
	keys_release(&s->keys);
	keys_copy(&s->keys, keys);
	explicit_bzero(s->key, sizeof(s->key));
	s->day[0] = '\0';
}

void
s3_signer_move(struct s3_signer *s, const char *region)
{
	free(s->region);
	s->region = xstrdup(region);
	s->day[0] = '\0';
}

void
s3_signer_release(struct s3_signer *s)
{
	keys_release(&s->keys);
	free(s->region);
	buf_release(&s->canonical);
	explicit_bzero(s, sizeof(*s));
}

const char *
s3_sign_date(struct s3_signer *s, int64_t sec)
{
	time_t t = (time_t)sec;
	struct tm tm;

	if (s->second != sec || s->date[0] == '\0') {
		if (gmtime_r(&t, &tm) == NULL)
			memset(&tm, 0, sizeof(tm));
		strftime(s->date, sizeof(s->date), "%Y%m%dT%H%M%SZ", &tm);
		s->second = sec;
	}
	return s->date;
}

/* The key of a day, a region and a service: four HMACs, once a day. */
static void
make_key(struct s3_signer *s, const char *day)
{
	const char *steps[] = { s->region, s->service, "aws4_request" };
	char *first = xasprintf("AWS4%s", s->keys.secret_key);
	uint8_t next[32];

	hmac_sha256(first, strlen(first), day, 8, s->key);
	free_secret(&first);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		hmac_sha256(s->key, sizeof(s->key), steps[i],
		    strlen(steps[i]), next);
		memcpy(s->key, next, sizeof(next));
	}
	explicit_bzero(next, sizeof(next));
	memcpy(s->day, day, 8);
	s->day[8] = '\0';
}

static int
compare(struct str a, struct str b)
{
	int c = memcmp(a.p, b.p, MIN(a.len, b.len));

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

/* Sort by insertion: requests have a dozen headers, nearly in order. */
static void
sort_headers(struct s3_header *h, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct s3_header one = h[i];
		size_t j = i;

		for (; j > 0 && compare(h[j - 1].name, one.name) > 0; j--)
			h[j] = h[j - 1];
		h[j] = one;
	}
}

/* Drop blanks at the ends, and replace each row of blanks inside by a single
 * blank. */
static void
add_trimmed(struct buf *b, struct str v)
{
	while (v.len > 0 && (v.p[0] == ' ' || v.p[0] == '\t')) {
		v.p++;
		v.len--;
	}
	while (v.len > 0 &&
	    (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t'))
		v.len--;
	if (memmem(v.p, v.len, "  ", 2) == NULL) {
		buf_add(b, v.p, v.len);
		return;
	}
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] != ' ' || v.p[i + 1] != ' ')
			buf_addch(b, v.p[i]);
}

static void
add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.len);
}

static void
add_names(struct buf *b, const struct s3_header *h, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_addch(b, ';');
		add_str(b, h[i].name);
	}
}

static void
canonical(struct buf *b, const struct s3_to_sign *r)
{
	buf_clear(b);
	buf_addstr(b, r->method);
	buf_addch(b, '\n');
	add_str(b, r->path);
	buf_addch(b, '\n');
	add_str(b, r->query);
	buf_addch(b, '\n');
	for (size_t i = 0; i < r->header_count; i++) {
		add_str(b, r->headers[i].name);
		buf_addch(b, ':');
		add_trimmed(b, r->headers[i].value);
		buf_addch(b, '\n');
	}
	buf_addch(b, '\n');
	add_names(b, r->headers, r->header_count);
	buf_addch(b, '\n');
	buf_addstr(b, r->payload);
}

void
s3_sign(struct s3_signer *s, struct s3_to_sign *r, struct buf *out)
{
	struct buf *b = &s->canonical;
	const char *date = s3_sign_date(s, r->time);
	uint8_t mac[32];
	char hex[65];
	size_t scope, scope_len;

	if (memcmp(s->day, date, 8) != 0)
		make_key(s, date);
	sort_headers(r->headers, r->header_count);
	canonical(b, r);
	sha256(b->data, b->len, mac);
	hex_encode(mac, sizeof(mac), hex);

	buf_clear(b);
	buf_addstr(b, "AWS4-HMAC-SHA256\n");
	buf_add(b, date, 16);
	buf_addch(b, '\n');
	scope = b->len;
	buf_add(b, date, 8);
	buf_addch(b, '/');
	buf_addstr(b, s->region);
	buf_addch(b, '/');
	buf_addstr(b, s->service);
	buf_addstr(b, "/aws4_request");
	scope_len = b->len - scope;
	buf_addch(b, '\n');
	buf_add(b, hex, 64);
	hmac_sha256(s->key, sizeof(s->key), b->data, b->len, mac);
	hex_encode(mac, sizeof(mac), hex);

	buf_addstr(out, "AWS4-HMAC-SHA256 Credential=");
	buf_addstr(out, s->keys.access_key);
	buf_addch(out, '/');
	buf_add(out, b->data + scope, scope_len);
	buf_addstr(out, ",SignedHeaders=");
	add_names(out, r->headers, r->header_count);
	buf_addstr(out, ",Signature=");
	buf_add(out, hex, 64);
}

static bool
unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

void
s3_encode(struct buf *b, struct str s, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t plain = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char esc[3];

		if (unreserved(c) || (c == '/' && keep_slash))
			continue;
		buf_add(b, s.p + plain, i - plain);
		esc[0] = '%';
		esc[1] = digits[c >> 4];
		esc[2] = digits[c & 15];
		buf_add(b, esc, sizeof(esc));
		plain = i + 1;
	}
	if (s.len > plain)
		buf_add(b, s.p + plain, s.len - plain);
}

void
s3_query(struct buf *b, struct s3_param *p, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct s3_param one = p[i];
		size_t j = i;

		for (; j > 0 && strcmp(p[j - 1].name, one.name) > 0; j--)
			p[j] = p[j - 1];
		p[j] = one;
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_addch(b, '&');
		buf_addstr(b, p[i].name);
		buf_addch(b, '=');
		s3_encode(b, p[i].value, false);
	}
}

bool
s3_query_goes_on(const struct buf *b)
{
	return strstr(b->data, "start-after=") != NULL ||
	    strstr(b->data, "continuation-token=") != NULL;
}

void
s3_query_v1(struct buf *b)
{
	static const char *const names[][2] = {
		{ "delimiter=", "delimiter=" },
		{ "encoding-type=", "encoding-type=" },
		{ "continuation-token=", "marker=" },
		{ "start-after=", "marker=" },
		{ "max-keys=", "max-keys=" }, { "prefix=", "prefix=" },
	};
	struct buf v1;

	buf_init(&v1, 64 * KIB);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *p = b->data;

		while (p != NULL && strncmp(p, names[i][0],
		    strlen(names[i][0])) != 0) {
			p = strchr(p, '&');
			p += p != NULL;
		}
		if (p == NULL)
			continue;
		if (v1.len > 0)
			buf_addch(&v1, '&');
		buf_addstr(&v1, names[i][1]);
		p += strlen(names[i][0]);
		buf_add(&v1, p, strcspn(p, "&"));
	}
	buf_clear(b);
	buf_add(b, v1.data, v1.len);
	buf_release(&v1);
}
