/*
 * sink.c: an S3 server for benchmarks: it takes what it is given, at little
 * cost, and counts requests. It knows no users, checks no signatures and
 * keeps names, sizes, ETags and metadata in memory (the data as well with
 * --keep; without it GET gives zeros). Every bucket exists.
 *
 *	sink [--port N] [--keep] [--no-md5] [--seed FILE] [--latency MS]
 *	    [--rate BYTES]
 *
 * prints the address it listens on, and its counts when it is ended by
 * SIGTERM; GET /_stats gives them at any time. With --no-md5 a Content-MD5
 * becomes the ETag unread, so that the sink costs less than it measures. A
 * seed file names objects that are there from the start, one a line: size,
 * seconds since 1970, bucket/key. Each request waits for the latency before
 * it is looked at, and a connection moves no more than the rate a second.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>

#include "sink_ops.h"

static const char *const kind_names[KIND__MAX] = {
	"put_object", "put_part", "post_create", "post_complete",
	"post_delete", "delete_object", "delete_upload", "head_object",
	"head_bucket", "get_object", "list_objects", "list_uploads",
	"list_parts", "other",
};

/* ListObjects and ListObjectsV2. A continuation token is the last key in
 * hex. */
static int
list_objects(struct conn *c, const struct request *r, const char *bucket)
{
	bool v2 = strcmp(query_or(r, "list-type", ""), "2") == 0;
	const char *token = query_get(r, "continuation-token");
	AUTOFREE char *hex = NULL;
	struct listing l = {
		.store = &sink.store,
		.bucket = bucket,
		.prefix = query_or(r, "prefix", ""),
		.delimiter = query_or(r, "delimiter", ""),
		.after = query_get(r, v2 ? "start-after" : "marker"),
		.url = strcmp(query_or(r, "encoding-type", ""), "url") == 0,
		.limit = strtoul(query_or(r, "max-keys", "1000"), NULL, 10),
	};
	int rc;

	if (v2 && token != NULL) {
		hex = xcalloc(strlen(token) / 2 + 1, 1);
		if (!hex_decode(token, hex, strlen(token) / 2))
			return reply_error(c, 400, "InvalidArgument");
		l.after = hex;
	}
	l.limit = MIN(l.limit, (size_t)1000);
	buf_init(&l.xml, 8 * MIB);
	buf_init(&l.last, 4 * KIB);
	buf_addf(&l.xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<ListBucketResult><Name>%s</Name><Prefix>", bucket);
	add_key(&l, &l.xml, l.prefix);
	buf_addf(&l.xml, "</Prefix><MaxKeys>%zu</MaxKeys>", l.limit);
	if (l.url)
		buf_addstr(&l.xml, "<EncodingType>url</EncodingType>");
	pthread_mutex_lock(&sink.lock);
	sink.counts[LIST_OBJECTS]++;
	list_locked(&l);
	pthread_mutex_unlock(&sink.lock);
	buf_addf(&l.xml, "<KeyCount>%zu</KeyCount><IsTruncated>%s"
	    "</IsTruncated>", l.given, l.more ? "true" : "false");
	if (l.more && v2) {
		char *text = xmalloc(2 * l.last.len + 1);

		hex_encode(l.last.data, l.last.len, text);
		buf_addf(&l.xml, "<NextContinuationToken>%s"
		    "</NextContinuationToken>", text);
		free(text);
	} else if (l.more) {
		buf_addstr(&l.xml, "<NextMarker>");
		add_key(&l, &l.xml, l.last.data);
		buf_addstr(&l.xml, "</NextMarker>");
	}
	buf_addstr(&l.xml, "</ListBucketResult>");
	rc = reply_xml(c, &l.xml);
	buf_release(&l.xml);
	buf_release(&l.last);
	return rc;
}

static int
list_uploads(struct conn *c, const struct request *r, const char *bucket)
{
	AUTOFREE char *start = xasprintf("%s/%s", bucket,
	    query_or(r, "prefix", ""));
	struct buf b;
	int rc;

	buf_init(&b, 16 * MIB);
	buf_addf(&b, "<ListMultipartUploadsResult><Bucket>%s</Bucket>"
	    "<IsTruncated>false</IsTruncated>", bucket);
	pthread_mutex_lock(&sink.lock);
	sink.counts[LIST_UPLOADS]++;
	for (struct upload *u = sink.store.uploads; u != NULL; u = u->next) {
		if (!str_starts(str_of(u->name), str_of(start)))
			continue;
		buf_addstr(&b, "<Upload><Key>");
		add_xml(&b, u->name + strlen(bucket) + 1);
		buf_addf(&b, "</Key><UploadId>%lu</UploadId>",
		    (unsigned long)u->id);
		add_time(&b, "Initiated", u->since);
		buf_addstr(&b, "</Upload>");
	}
	pthread_mutex_unlock(&sink.lock);
	buf_addstr(&b, "</ListMultipartUploadsResult>");
	rc = reply_xml(c, &b);
	buf_release(&b);
	return rc;
}

static int
list_parts(struct conn *c, const char *name, const char *id)
{
	struct upload *u;
	struct buf b;
	int rc;

	buf_init(&b, 16 * MIB);
	buf_addstr(&b, "<ListPartsResult>");
	pthread_mutex_lock(&sink.lock);
	sink.counts[LIST_PARTS]++;
	u = upload_get(&sink.store, id, name);
	for (unsigned i = 0; u != NULL && i < u->part_cap; i++) {
		char etag[72];

		if (!u->parts[i].given)
			continue;
		etag_single(u->parts[i].md5, etag);
		buf_addf(&b, "<Part><PartNumber>%u</PartNumber><ETag>&quot;"
		    "%s&quot;</ETag><Size>%lu</Size></Part>", i + 1, etag,
		    (unsigned long)u->parts[i].size);
	}
	pthread_mutex_unlock(&sink.lock);
	buf_addstr(&b, "<IsTruncated>false</IsTruncated></ListPartsResult>");
	rc = u == NULL ? reply_error(c, 404, "NoSuchUpload") :
	    reply_xml(c, &b);
	buf_release(&b);
	return rc;
}

static void
stats_text(struct buf *b)
{
	uint64_t total = 0;

	pthread_mutex_lock(&sink.lock);
	for (size_t i = 0; i < KIND__MAX; i++) {
		buf_addf(b, "%s %lu\n", kind_names[i],
		    (unsigned long)sink.counts[i]);
		total += sink.counts[i];
	}
	buf_addf(b, "requests %lu\nbytes_in %lu\nconnections %lu\n"
	    "objects %lu\n", (unsigned long)total,
	    (unsigned long)sink.bytes_in, (unsigned long)sink.connections,
	    (unsigned long)sink.store.objects);
	pthread_mutex_unlock(&sink.lock);
}

static int
get_stats(struct conn *c)
{
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	stats_text(&b);
	rc = reply(c, 200, "Content-Type: text/plain\r\n", &b);
	buf_release(&b);
	return rc;
}

static int
serve_bucket(struct conn *c, const struct request *r, const char *bucket)
{
	static const char *const known[] = { "PUT", "HEAD", "DELETE" };
	struct buf b;
	int rc;

	if (strcmp(r->method, "POST") == 0 && query_get(r, "delete") != NULL)
		return post_delete(c, r, bucket);
	if (strcmp(r->method, "GET") == 0 && query_get(r, "uploads") != NULL)
		return list_uploads(c, r, bucket);
	if (strcmp(r->method, "GET") == 0 &&
	    query_get(r, "location") == NULL &&
	    query_get(r, "versioning") == NULL)
		return list_objects(c, r, bucket);
	buf_init(&b, 4096);
	if (body_read(c, r, body_text, &b) == -1) {
		buf_release(&b);
		return -1;
	}
	buf_clear(&b);
	count(r->method[0] == 'H' ? HEAD_BUCKET : OTHER);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(r->method, known[i]) == 0)
			return reply(c, i == 2 ? 204 : 200, NULL, NULL);
	buf_addstr(&b, query_get(r, "location") != NULL ?
	    "<LocationConstraint></LocationConstraint>" :
	    "<VersioningConfiguration></VersioningConfiguration>");
	rc = reply_xml(c, &b);
	buf_release(&b);
	return rc;
}

static int
serve_key(struct conn *c, struct request *r, const char *name)
{
	const char *id = query_get(r, "uploadId");

	if (r->copy || strlen(r->method) > 6)
		return -1;
	if (strcmp(r->method, "PUT") == 0)
		return id != NULL && query_get(r, "partNumber") != NULL ?
		    put_part(c, r, name, id) : put_object(c, r, name);
	if (strcmp(r->method, "POST") == 0 && id != NULL)
		return post_complete(c, r, name, id);
	if (strcmp(r->method, "POST") == 0 && query_get(r, "uploads") != NULL)
		return post_create(c, r, name);
	if (strcmp(r->method, "DELETE") == 0)
		return delete_key(c, r, name);
	if (strcmp(r->method, "GET") == 0 && id != NULL)
		return list_parts(c, name, id);
	if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
		return get_object(c, r, name);
	count(OTHER);
	return reply_error(c, 501, "NotImplemented");
}

static int
serve_one(struct conn *c, struct request *r)
{
	char *name = r->path + 1, *slash;

	if (request_read(c, r) == -1 || r->path[0] != '/')
		return -1;
	if (strcmp(r->path, "/_stats") != 0)
		usleep((useconds_t)sink.latency_ms * 1000);
	name = r->path + 1;
	slash = strchr(name, '/');
	if (strcmp(r->path, "/_stats") == 0)
		return get_stats(c);
	if (*name == '\0') {
		count(OTHER);
		return reply_error(c, 501, "NotImplemented");
	}
	if (slash != NULL && slash[1] != '\0')
		return serve_key(c, r, name);
	if (slash != NULL)
		*slash = '\0';
	return serve_bucket(c, r, name);
}

static void *
serve(void *arg)
{
	struct conn c = { .fd = (int)(intptr_t)arg, .rate = sink.rate };
	bool go_on = true;

	c.in = xmalloc(CONN_BUF);
	while (go_on) {
		struct request r;

		request_init(&r);
		go_on = serve_one(&c, &r) == 0 && !r.close;
		request_release(&r);
	}
	close(c.fd);
	free(c.in);
	return NULL;
}

static void *
listener(void *arg)
{
	int fd = (int)(intptr_t)arg;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (;;) {
		int c = accept(fd, NULL, NULL), one = 1;
		pthread_t t;

		if (c == -1)
			continue;
		setsockopt(c, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
		pthread_mutex_lock(&sink.lock);
		sink.connections++;
		pthread_mutex_unlock(&sink.lock);
		if (pthread_create(&t, &attr, serve, (void *)(intptr_t)c) !=
		    0)
			close(c);
	}
	return NULL;
}

static int
listen_on(unsigned long port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(fd, 1024) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1) {
		close(fd);
		return -1;
	}
	printf("http://127.0.0.1:%u\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

/* The ETag is that of an empty object, whatever the size. The time is also
 * given as rclone writes it. */
static int
seed(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (f == NULL)
		return -1;
	while ((len = getline(&line, &cap, f)) != -1) {
		struct object *o;
		char *p = line, *size, *mtime;

		line[len - 1] = '\0';
		size = strsep(&p, " ");
		mtime = strsep(&p, " ");
		if (p == NULL)
			break;
		o = store_put(&sink.store, p);
		o->size = strtoull(size, NULL, 10);
		o->mtime = (time_t)strtoll(mtime, NULL, 10);
		o->meta = xasprintf("x-amz-meta-mtime: %s\r\n", mtime);
		snprintf(o->etag, sizeof(o->etag), "%s",
		    "d41d8cd98f00b204e9800998ecf8427e");
	}
	free(line);
	fclose(f);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *seed_file = NULL;
	unsigned long port = 0;
	struct buf b;
	sigset_t set;
	pthread_t t;
	int fd, sig;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--keep") == 0) {
			sink.keep = true;
		} else if (strcmp(argv[i], "--no-md5") == 0) {
			sink.no_md5 = true;
		} else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
			port = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			seed_file = argv[++i];
		} else if (strcmp(argv[i], "--latency") == 0 && i + 1 < argc) {
			sink.latency_ms = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--rate") == 0 && i + 1 < argc) {
			sink.rate = strtoull(argv[++i], NULL, 10);
		} else {
			fprintf(stderr, "usage: sink [--port N] [--keep] "
			    "[--no-md5] [--seed FILE] [--latency MS] "
			    "[--rate BYTES]\n");
			return 2;
		}
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rng_seed(&sink.store.rng, 1);
	if (seed_file != NULL && seed(seed_file) == -1) {
		perror(seed_file);
		return 1;
	}
	fd = listen_on(port);
	if (fd == -1) {
		perror("sink");
		return 1;
	}
	if (pthread_create(&t, NULL, listener, (void *)(intptr_t)fd) != 0)
		return 1;
	sigwait(&set, &sig);
	buf_init(&b, 4096);
	stats_text(&b);
	fputs(b.data, stdout);
	fflush(stdout);
	_exit(0);
}
