/*
 * sink_http.h: the HTTP/1.1 that S3 clients speak: one connection, requests
 * one after the other, bodies by length or in chunks (also those that the
 * AWS SDKs sign). Included by sink.c alone.
 */
#ifndef BENCH_SINK_HTTP_H
#define BENCH_SINK_HTTP_H

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "crypto/crypto.h"

#define PACED_PIECE	((size_t)64 * 1024)
#define CONN_BUF ((size_t)256 * 1024)
#define LINE_MAX_BYTES ((size_t)16 * 1024)
#define QUERY_MAX 24

struct conn {
	int	 fd;
	char	*in;		/* CONN_BUF bytes */
	size_t	 start;
	size_t	 end;
	uint64_t rate;	/* bytes a second, either way; 0: no limit */
	unsigned served;	/* requests before */
	bool	 mute;	/* answers are made and not sent */
};

/* As long as so many bytes take at the connection's rate. */
static void
conn_pace(const struct conn *c, size_t n)
{
	uint64_t ns;
	struct timespec t;

	if (c->rate == 0)
		return;
	ns = (uint64_t)n * 1000000000 / c->rate;
	t.tv_sec = (time_t)(ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	nanosleep(&t, NULL);
}

struct request {
	char	 method[16];
	char	*path;		/* decoded */
	struct {
		char *name;
		char *value;	/* decoded */
	} query[QUERY_MAX];
	size_t	 query_count;
	uint64_t length;
	uint64_t range_from;
	uint64_t range_to;
	bool	 range;
	bool	 chunked;
	bool	 expect;
	bool	 close;
	char	*copy;		/* its source, decoded; NULL: it is none */
	char	*copy_version;	/* of the source; NULL: the newest */
	bool	 replace;	/* the copy has metadata of its own */
	char	*match;		/* If-Match, NULL: there is none */
	bool	 has_sum;	/* x-amz-checksum-... */
	bool	 has_md5;
	uint8_t	 md5[MD5_LEN];	/* Content-MD5 */
	struct buf meta;	/* header lines to keep */
};

static int
conn_fill(struct conn *c)
{
	ssize_t n;

	if (c->start == c->end)
		c->start = c->end = 0;
	if (c->end == CONN_BUF) {
		memmove(c->in, c->in + c->start, c->end - c->start);
		c->end -= c->start;
		c->start = 0;
	}
	do
		n = recv(c->fd, c->in + c->end, CONN_BUF - c->end, 0);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return -1;
	c->end += (size_t)n;
	return 0;
}

/* The next line without its end, NUL-terminated, valid until the next call;
 * NULL at the end of the connection. */
static char *
conn_line(struct conn *c)
{
	size_t seen = 0;

	for (;;) {
		char *line = c->in + c->start;
		char *nl = memchr(line + seen, '\n', c->end - c->start -
		    seen);

		if (nl != NULL) {
			c->start += (size_t)(nl + 1 - line);
			if (nl > line && nl[-1] == '\r')
				nl--;
			*nl = '\0';
			return line;
		}
		seen = c->end - c->start;
		if (seen > LINE_MAX_BYTES || conn_fill(c) == -1)
			return NULL;
	}
}

static int
conn_send(const struct conn *c, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0 && !c->mute) {
		ssize_t n = send(c->fd, p, c->rate == 0 ? len :
		    MIN(len, PACED_PIECE), MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
		conn_pace(c, (size_t)n);
	}
	return 0;
}

static void
percent_decode(char *s, bool plus)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		char two[3] = { 0 };

		if (s[0] == '%' && s[1] != '\0') {
			memcpy(two, s + 1, 2);
			if (hex_decode(two, out, 1)) {
				out++;
				s += 2;
				continue;
			}
		}
		*out++ = plus && *s == '+' ? ' ' : *s;
	}
	*out = '\0';
}

static void
percent_encode(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (strchr("-._~/", *s) != NULL ||
		    (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') ||
		    (*s >= 'A' && *s <= 'Z'))
			buf_addch(b, *s);
		else
			buf_addf(b, "%%%02X", (unsigned char)*s);
	}
}

static const char *
query_get(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->query_count; i++)
		if (strcmp(r->query[i].name, name) == 0)
			return r->query[i].value;
	return NULL;
}

static const char *
query_or(const struct request *r, const char *name, const char *other)
{
	const char *value = query_get(r, name);

	return value == NULL ? other : value;
}

static void
request_init(struct request *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->meta, 64 * 1024);
}

static void
request_release(struct request *r)
{
	free(r->path);
	free(r->copy);
	free(r->copy_version);
	free(r->match);
	for (size_t i = 0; i < r->query_count; i++) {
		free(r->query[i].name);
		free(r->query[i].value);
	}
	buf_release(&r->meta);
}

static void
request_query(struct request *r, char *text)
{
	while (text != NULL && r->query_count < QUERY_MAX) {
		char *item = strsep(&text, "&");
		char *name = strsep(&item, "=");

		if (*name == '\0')
			continue;
		percent_decode(name, true);
		if (item != NULL)
			percent_decode(item, true);
		r->query[r->query_count].name = xstrdup(name);
		r->query[r->query_count++].value =
		    xstrdup(item == NULL ? "" : item);
	}
}

static bool
base64_decode_md5(const char *text, uint8_t out[MD5_LEN])
{
	char again[25];

	/* 16 bytes are 24 characters: try what stands in each byte. */
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	size_t have = 0, n = 0;

	for (const char *p = text; *p != '\0' && *p != '='; p++) {
		const char *d = strchr(digits, *p);

		if (d == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(d - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			if (n == MD5_LEN)
				return false;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	if (n != MD5_LEN)
		return false;
	base64_encode(out, MD5_LEN, again);
	return strcmp(again, text) == 0;
}

static void
request_range(struct request *r, const char *value)
{
	char *end;

	if (strncmp(value, "bytes=", 6) != 0)
		return;
	r->range_from = strtoull(value + 6, &end, 10);
	if (end == value + 6 || *end != '-')
		return;
	r->range = true;
	r->range_to = end[1] == '\0' ? UINT64_MAX :
	    strtoull(end + 1, NULL, 10);
}

static void
request_text(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
	percent_decode(*text, false);
}

/* "bucket/key?versionId=ID" */
static void
request_copy(struct request *r, const char *value)
{
	static const char query[] = "?versionId=";
	const char *id = strstr(value, query);
	AUTOFREE char *name = xstrndup(value, id == NULL ? strlen(value) :
	    (size_t)(id - value));

	request_text(&r->copy, name);
	if (id != NULL)
		request_text(&r->copy_version, id + strlen(query));
}

static void
request_header(struct request *r, const char *name, const char *value)
{
	if (strcasecmp(name, "content-length") == 0)
		r->length = strtoull(value, NULL, 10);
	else if (strcasecmp(name, "transfer-encoding") == 0)
		r->chunked = strcasecmp(value, "chunked") == 0;
	else if (strcasecmp(name, "x-amz-content-sha256") == 0)
		r->chunked |= strncmp(value, "STREAMING-", 10) == 0;
	else if (strcasecmp(name, "expect") == 0)
		r->expect = strcasecmp(value, "100-continue") == 0;
	else if (strcasecmp(name, "connection") == 0)
		r->close = strcasecmp(value, "close") == 0;
	else if (strcasecmp(name, "range") == 0)
		request_range(r, value);
	else if (strcasecmp(name, "content-md5") == 0)
		r->has_md5 = base64_decode_md5(value, r->md5);
	else if (strncasecmp(name, "x-amz-checksum-", 15) == 0)
		r->has_sum = true;
	else if (strcasecmp(name, "if-match") == 0)
		request_text(&r->match, value);
	else if (strcasecmp(name, "x-amz-copy-source") == 0)
		request_copy(r, value);
	else if (strcasecmp(name, "x-amz-metadata-directive") == 0)
		r->replace = strcasecmp(value, "REPLACE") == 0;
	else if (strncasecmp(name, "x-amz-meta-", 11) == 0 ||
	    strcasecmp(name, "content-type") == 0)
		buf_addf(&r->meta, "%s: %s\r\n", name, value);
}

/* -1: the connection ended, or what came is no request. */
static int
request_read(struct conn *c, struct request *r)
{
	char *line = conn_line(c), *query, *method;

	if (line == NULL || strlen(line) > LINE_MAX_BYTES)
		return -1;
	method = strsep(&line, " ");
	if (line == NULL || strlen(method) >= sizeof(r->method))
		return -1;
	memcpy(r->method, method, strlen(method) + 1);
	r->path = xstrdup(strsep(&line, " "));
	query = strchr(r->path, '?');
	if (query != NULL) {
		*query++ = '\0';
		request_query(r, query);
	}
	percent_decode(r->path, false);
	for (;;) {
		char *value = conn_line(c), *name;

		if (value == NULL)
			return -1;
		if (*value == '\0')
			return 0;
		name = strsep(&value, ":");
		if (value == NULL)
			return -1;
		value += strspn(value, " \t");
		request_header(r, name, value);
	}
}

/* Where a body goes: it is called with each piece. */
typedef void body_fn(void *, const void *, size_t);

static int
body_piece(struct conn *c, uint64_t len, body_fn *fn, void *arg)
{
	while (len > 0) {
		size_t n;

		if (c->start == c->end && conn_fill(c) == -1)
			return -1;
		n = (size_t)MIN((uint64_t)(c->end - c->start), len);
		fn(arg, c->in + c->start, n);
		conn_pace(c, n);
		c->start += n;
		len -= n;
	}
	return 0;
}

/* Chunks end with an empty one, and lines of trailers up to an empty one. A
 * signed chunk has ";chunk-signature=..." behind its length. */
static int
body_chunks(struct conn *c, body_fn *fn, void *arg)
{
	char *line;

	for (;;) {
		uint64_t len;

		line = conn_line(c);
		if (line == NULL)
			return -1;
		len = strtoull(line, NULL, 16);
		if (len == 0)
			break;
		if (body_piece(c, len, fn, arg) == -1 ||
		    conn_line(c) == NULL)
			return -1;
	}
	do {
		line = conn_line(c);
		if (line == NULL)
			return -1;
	} while (*line != '\0');
	return 0;
}

static int
body_read(struct conn *c, const struct request *r, body_fn *fn, void *arg)
{
	static const char go[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (r->expect && conn_send(c, go, sizeof(go) - 1) == -1)
		return -1;
	if (r->chunked)
		return body_chunks(c, fn, arg);
	return body_piece(c, r->length, fn, arg);
}

static const char *
status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 204:
		return "No Content";
	case 206:
		return "Partial Content";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 403:
		return "Forbidden";
	case 405:
		return "Method Not Allowed";
	case 412:
		return "Precondition Failed";
	case 416:
		return "Range Not Satisfiable";
	case 500:
		return "Internal Server Error";
	case 503:
		return "Slow Down";
	default:
		return "Not Implemented";
	}
}

/* Head of an answer with length bytes behind it, and body's bytes in the
 * same packet; more are header lines with CRLF, or NULL. */
static int
reply_with(struct conn *c, int status, uint64_t length, const char *more,
    const struct buf *body)
{
	time_t now = time(NULL);
	struct buf b;
	char date[40];
	struct tm tm;
	int rc;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_init(&b, 16 * MIB);
	buf_addf(&b, "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: sink\r\n"
	    "x-amz-request-id: sink\r\n", status, status_text(status), date);
	if (status != 204)
		buf_addf(&b, "Content-Length: %lu\r\n",
		    (unsigned long)length);
	buf_addf(&b, "%s\r\n", more == NULL ? "" : more);
	if (body != NULL)
		buf_add(&b, body->data, body->len);
	rc = conn_send(c, b.data, b.len);
	buf_release(&b);
	return rc;
}

static int
reply(struct conn *c, int status, const char *more, const struct buf *body)
{
	return reply_with(c, status, body == NULL ? 0 : body->len, more,
	    body);
}

#endif
