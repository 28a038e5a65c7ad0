#include <inttypes.h>
#include <strings.h>
#include <time.h>

#include "crypto/crypto.h"
#include "rest/meta.h"

#define NS_PER_SEC	1000000000

void
s3_meta_format(const struct s3_meta *m, struct s3_meta_text *t)
{
	int64_t sec = m->mtime_ns / NS_PER_SEC;
	int64_t frac = m->mtime_ns % NS_PER_SEC;

	snprintf(t->mtime_ns, sizeof(t->mtime_ns), "%" PRId64 "ns",
	    m->mtime_ns);
	/* -0.5 s has no seconds to carry the sign. */
	snprintf(t->mtime, sizeof(t->mtime), "%s%" PRId64 ".%09" PRId64,
	    m->mtime_ns < 0 ? "-" : "", sec < 0 ? -sec : sec,
	    frac < 0 ? -frac : frac);
	snprintf(t->mode, sizeof(t->mode), "%04o", m->mode & 07777u);
	snprintf(t->uid, sizeof(t->uid), "%" PRIu32, m->uid);
	snprintf(t->gid, sizeof(t->gid), "%" PRIu32, m->gid);
}

static bool
eat_sign(struct str *s)
{
	if (s->len == 0 || s->p[0] != '-')
		return false;
	s->p++;
	s->len--;
	return true;
}

/* Read the digits at the start of s, in base 8 or 10. Return the number of
 * digits, or 0 if the value exceeds max. */
static size_t
digits(struct str s, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.len && s.p[i] >= '0' &&
	    s.p[i] < (char)('0' + (int)base); i++) {
		unsigned d = (unsigned)(s.p[i] - '0');

		if (v > (max - d) / base)
			return 0;
		v = v * base + d;
	}
	*ret = v;
	return i;
}

static bool
whole(struct str s, unsigned base, uint64_t max, uint64_t *ret)
{
	return s.len > 0 && digits(s, base, max, ret) == s.len;
}

/*
 * The suffix "ns" names the unit. Foreign tools write milliseconds or seconds
 * without a unit; the number of digits distinguishes both for any date from
 * 1973 to 5138.
 */
static bool
parse_file_mtime(struct str s, int64_t *ret)
{
	bool negative = eat_sign(&s);
	uint64_t v, scale;
	size_t n = digits(s, 10, INT64_MAX, &v);
	struct str unit;

	if (n == 0)
		return false;
	unit = (struct str){ s.p + n, s.len - n };
	if (str_eq(unit, STR("ns")))
		scale = 1;
	else if (str_eq(unit, STR("ms")))
		scale = 1000000;
	else if (str_eq(unit, STR("s")))
		scale = NS_PER_SEC;
	else if (unit.len > 0)
		return false;
	else if (n <= 11)
		scale = NS_PER_SEC;
	else
		scale = n <= 14 ? 1000000 : n <= 17 ? 1000 : 1;
	if (v > INT64_MAX / scale)
		return false;
	*ret = (int64_t)(v * scale);
	if (negative)
		*ret = -*ret;
	return true;
}

/* Seconds, with a fraction or without. */
static bool
parse_seconds(struct str s, int64_t *ret)
{
	bool negative = eat_sign(&s);
	uint64_t v, frac = 0;
	size_t n = digits(s, 10, INT64_MAX / NS_PER_SEC - 1, &v);
	unsigned got = 0;

	if (n == 0)
		return false;
	s.p += n;
	s.len -= n;
	if (s.len > 0 && s.p[0] != '.')
		return false;
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (got++ < 9)
			frac = frac * 10 + (uint64_t)(s.p[i] - '0');
	}
	for (; got < 9; got++)
		frac *= 10;
	*ret = (int64_t)(v * NS_PER_SEC + frac);
	if (negative)
		*ret = -*ret;
	return true;
}

static bool
is(struct str a, const char *name)
{
	return a.len == strlen(name) && strncasecmp(a.p, name, a.len) == 0;
}

void
s3_meta_see(struct s3_meta_seen *m, struct str name, struct str value)
{
	uint64_t v;
	int64_t t;

	if (is(name, "file-mtime")) {
		if (parse_file_mtime(value, &t)) {
			m->meta.mtime_ns = t;
			m->mtime = m->mtime_is_ns = true;
		}
	} else if (is(name, "mtime")) {
		if (!m->mtime_is_ns && parse_seconds(value, &t)) {
			m->meta.mtime_ns = t;
			m->mtime = true;
		}
	} else if (is(name, "file-permissions")) {
		/* Some write the type of the file in front: 0100644. */
		if (whole(value, 8, 0177777, &v)) {
			m->meta.mode = (uint32_t)v & 07777;
			m->mode = true;
		}
	} else if (is(name, "file-owner")) {
		if (whole(value, 10, UINT32_MAX, &v)) {
			m->meta.uid = (uint32_t)v;
			m->uid = true;
		}
	} else if (is(name, "file-group")) {
		if (whole(value, 10, UINT32_MAX, &v)) {
			m->meta.gid = (uint32_t)v;
			m->gid = true;
		}
	}
}

bool
s3_meta_complete(const struct s3_meta_seen *m)
{
	return m->mtime && m->mode && m->uid && m->gid;
}

/* Two digits, or -1. */
static int
two(const char *p)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return -1;
	return (p[0] - '0') * 10 + (p[1] - '0');
}

static bool
make_time(int year, int month, int day, const char *hms, int64_t *ret)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month,
	    .tm_mday = day, .tm_hour = two(hms), .tm_min = two(hms + 3),
	    .tm_sec = two(hms + 6) };

	if (year < 1970 || month < 0 || month > 11 || day < 1 || day > 31 ||
	    hms[2] != ':' || hms[5] != ':' || tm.tm_hour < 0 ||
	    tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
	    tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	*ret = timegm(&tm);
	return true;
}

bool
s3_http_date(struct str s, int64_t *ret)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int month, century, year;

	/* Fri, 24 May 2013 00:00:00 GMT */
	if (s.len != 29 || s.p[3] != ',' || memcmp(s.p + 25, " GMT", 4) != 0)
		return false;
	for (month = 0; month < 12; month++)
		if (memcmp(months + 3 * month, s.p + 8, 3) == 0)
			break;
	century = two(s.p + 12);
	year = two(s.p + 14);
	if (century < 0 || year < 0)
		return false;
	return make_time(century * 100 + year, month, two(s.p + 5),
	    s.p + 17, ret);
}

bool
s3_iso_date(struct str s, int64_t *ret)
{
	int century, year;

	/* 2009-10-12T17:50:30.000Z */
	if (s.len < 20 || s.p[4] != '-' || s.p[7] != '-' || s.p[10] != 'T' ||
	    s.p[s.len - 1] != 'Z')
		return false;
	century = two(s.p);
	year = two(s.p + 2);
	if (century < 0 || year < 0)
		return false;
	return make_time(century * 100 + year, two(s.p + 5) - 1, two(s.p + 8),
	    s.p + 11, ret);
}

static void
skip(struct str *s, size_t n)
{
	s->p += n;
	s->len -= n;
}

/* 32 digits, or 32 digits, '-' and a number of parts. */
static bool
is_digest(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (i < 2 * MD5_LEN ? hex_value(s.p[i]) < 0 :
		    i == 2 * MD5_LEN ? s.p[i] != '-' :
		    s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len >= 2 * MD5_LEN;
}

static void
long_etag(struct str s, char out[72])
{
	uint8_t digest[MD5_LEN];
	struct md5 m;

	md5_init(&m);
	md5_update(&m, s.p, s.len);
	md5_final(&m, digest);
	memcpy(out, "long:", 5);
	hex_encode(digest, MD5_LEN, out + 5);
}

void
s3_etag(struct str s, char out[72])
{
	while (s.len > 0 && s.p[0] == ' ')
		skip(&s, 1);
	if (str_starts(s, STR("W/\"")))
		skip(&s, 2);
	while (s.len > 0 && (s.p[0] == '"' || s.p[0] == ' '))
		skip(&s, 1);
	while (s.len > 0 && (s.p[s.len - 1] == '"' || s.p[s.len - 1] == ' '))
		s.len--;
	if (s.len > 71) {
		long_etag(s, out);
		return;
	}
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	if (!is_digest(s))
		return;
	for (size_t i = 0; i < 2 * MD5_LEN; i++)
		if (out[i] >= 'A' && out[i] <= 'F')
			out[i] = (char)(out[i] - 'A' + 'a');
}
