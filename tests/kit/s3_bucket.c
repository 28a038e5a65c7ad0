#include "kit/s3_bucket.h"

static struct str
bucket_param(const char *head, const char *name, char out[64])
{
	const char *p = strstr(head, name);
	const char *end = strstr(head, " HTTP/");
	size_t n = 0;

	if (p == NULL || p > end)
		return STR("");
	for (p += strlen(name); *p != '&' && *p != ' ' && n < 63; p++) {
		char digits[3] = { p[1], p[0] == '%' ? p[2] : '\0', '\0' };

		out[n++] = *p == '%' ? (char)strtoul(digits, NULL, 16) : *p;
		p += *p == '%' ? 2 : 0;
	}
	out[n] = '\0';
	return (struct str){ out, n };
}

static void
bucket_entry(struct buf *xml, const char *tag, struct str key, const char *end)
{
	buf_addf(xml, "<%s>", tag);
	s3_encode(xml, key, true);
	buf_addstr(xml, end);
}

/* From key i on; the answer's entries, and where the next page begins. */
static size_t
bucket_list(const struct bucket *b, size_t i, struct str prefix,
    struct str after, bool by_level, struct buf *xml)
{
	char level[64] = "";
	size_t n = 0;

	for (; i < b->count; i++) {
		const char *key = b->keys[i];
		const char *end;

		if (!str_starts(str_of(key), prefix) ||
		    (after.len > 0 && strcmp(key, after.p) <= 0) ||
		    (level[0] != '\0' && str_starts(str_of(key),
		    str_of(level))))
			continue;
		if (n++ == b->page)
			break;
		end = by_level ? strchr(key + prefix.len, '/') : NULL;
		if (end == NULL) {
			bucket_entry(xml, "Contents><Key", str_of(key),
			    "</Key><Size>1</Size></Contents>");
			continue;
		}
		snprintf(level, sizeof(level), "%.*s", (int)(end + 1 - key),
		    key);
		bucket_entry(xml, "CommonPrefixes><Prefix", str_of(level),
		    "</Prefix></CommonPrefixes>");
	}
	return i;
}

static void
bucket_answer(struct bucket *b, int fd, const char *head)
{
	char prefix[64], after[64], token[64], delimiter[64];
	struct str p = bucket_param(head, "&prefix=", prefix);
	struct str a = bucket_param(head, "start-after=", after);
	struct str t = bucket_param(head, "continuation-token=", token);
	struct str d = bucket_param(head, "delimiter=", delimiter);
	size_t from = t.len > 0 ? strtoul(t.p + 1, NULL, 10) : 0;
	struct buf xml, all;

	buf_init(&xml, MIB);
	buf_init(&all, MIB);
	b->requests++;
	if (b->ignores_start_after)
		a = STR("");
	if (b->ignores_prefix)
		p = STR("");
	if (b->ignores_token)
		from = 0;
	buf_addstr(&xml, "<ListBucketResult><EncodingType>url</EncodingType>");
	if (b->out_of_order && b->requests > 1)
		from = b->requests % 2 == 0 ? b->count / 2 : 0;
	from = bucket_list(b, from, p, b->out_of_order ? STR("") : a,
	    d.len > 0, &xml);
	buf_addf(&xml, "<IsTruncated>%s</IsTruncated>",
	    from < b->count ? "true" : "false");
	if (from < b->count)
		buf_addf(&xml, "<NextContinuationToken>T%zu"
		    "</NextContinuationToken>", b->same_token ? 0 :
		    b->ignores_token ? b->requests : from);
	buf_addstr(&xml, "</ListBucketResult>");
	if (b->requests == b->fail_at)
		buf_addstr(&all, "HTTP/1.1 403 F\r\nContent-Length: 0\r\n"
		    "\r\n");
	else
		buf_addf(&all, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
		    "\r\n%s", xml.len, xml.data);
	(void)send(fd, all.data, all.len, MSG_NOSIGNAL);
	buf_release(&xml);
	buf_release(&all);
}

static void
bucket_read(struct bucket *b, size_t i)
{
	char data[8192];
	ssize_t n = read(b->fds[i].fd, data, sizeof(data));

	if (n <= 0) {
		close(b->fds[i].fd);
		b->fds[i].fd = -1;
		return;
	}
	buf_add(&b->in[i], data, (size_t)n);
	if (strstr(b->in[i].data, "\r\n\r\n") == NULL)
		return;
	bucket_answer(b, b->fds[i].fd, b->in[i].data);
	buf_clear(&b->in[i]);
}

static void *
bucket_serve(void *arg)
{
	struct bucket *b = arg;

	for (;;) {
		poll(b->fds, CONNS, -1);
		if (b->fds[1].revents != 0)
			return NULL;
		for (size_t i = 2; i < CONNS; i++)
			if (b->fds[i].fd != -1 && b->fds[i].revents != 0)
				bucket_read(b, i);
		for (size_t i = 2; i < CONNS && b->fds[0].revents != 0; i++) {
			if (b->fds[i].fd != -1)
				continue;
			b->fds[i].fd = accept(b->fds[0].fd, NULL, NULL);
			buf_clear(&b->in[i]);
			break;
		}
	}
}

void
bucket_start(struct bucket *b)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(fd, CONNS), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%u",
	    ntohs(a.sin_port));
	assert_int_equal(pipe(b->stop), 0);
	for (size_t i = 0; i < CONNS; i++) {
		b->fds[i] = (struct pollfd){ i == 0 ? fd : i == 1 ?
		    b->stop[0] : -1, POLLIN, 0 };
		buf_init(&b->in[i], 64 * KIB);
	}
	b->requests = 0;
	assert_int_equal(pthread_create(&b->thread, NULL, bucket_serve, b),
	    0);
}

void
bucket_stop(struct bucket *b)
{
	assert_int_equal(write(b->stop[1], "x", 1), 1);
	pthread_join(b->thread, NULL);
	close(b->stop[1]);
	for (size_t i = 0; i < CONNS; i++) {
		if (b->fds[i].fd != -1)
			close(b->fds[i].fd);
		buf_release(&b->in[i]);
	}
}
