/* A client of several clusters, each a server that follows a script: where
 * requests go, and what is found elsewhere. */
#include "rest/map.h"
#include "rest/place.h"
#include "kit/s3_script.h"

#define CLUSTERS 3
#define SOME_ETAG "ETag: \"e1\"\r\n"
/* Its end is the connection's, so that nobody need count. */
#define XML(status, headers, xml) \
	"HTTP/1.1 " status "\r\n" headers "\r\n" xml CLOSE
#define GONE	XML("404 None", "", "<Error><Code>NoSuchKey</Code></Error>")
#define HEAD_GONE "HTTP/1.1 404 None\r\n\r\n"
#define HEAD_OK	"HTTP/1.1 200 OK\r\n" SOME_ETAG "Content-Length: 3\r\n\r\n"
#define EMPTY	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define DONE	"HTTP/1.1 204 No Content\r\n\r\n"

struct dss {
	struct server v[CLUSTERS];
	struct s3_map *map;
	struct s3 *s;
	struct got g;
	char	 upload_id[64];
	size_t	 uploads;
	char	 uploads_of[8][64];
	char	 version[32];
	size_t	 deleted;
	struct err errs[8];
	char	 versions[8][32];
};

/* A script for each cluster; its last answer is left to nobody. */
static void
store_start(struct dss *t, const char *const *const scripts[CLUSTERS],
    bool deletes_listed)
{
	struct s3_config c = { .seed = 1 };
	struct err err = ERR_INIT;
	struct buf json;

	buf_init(&json, 4096);
	buf_addstr(&json, "{\"clusters\":[");
	for (size_t i = 0; i < CLUSTERS; i++) {
		server_start(&t->v[i], scripts[i]);
		buf_addf(&json, "%s{\"id\":%zu,\"endpoints\":[{\"ipv4\":"
		    "\"127.0.0.1\",\"port\":%s}]}", i == 0 ? "" : ",", i,
		    strrchr(t->v[i].url, ':') + 1);
	}
	buf_addstr(&json, "]}");
	if (s3_map_parse(&t->map, buf_str(&json), "http", &err) == -1)
		fail_msg("%s", err.msg);
	buf_release(&json);
	t->map->deletes_listed = deletes_listed;
	c.map = t->map;
	c.store.access_key = "AK";
	c.store.secret_key = SECRET;
	c.store.path_style = true;
	c.store.max_inflight = 4;
	buf_init(&t->g.body, MIB);
	if (s3_new(&t->s, &c, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
store_run(struct dss *t)
{
	while (s3_pending(t->s) > 0)
		s3_wait(t->s, NULL, 0, 1000);
	assert_int_equal(t->g.calls, 1);
	t->g.calls = 0;
}

static void
store_stop(struct dss *t)
{
	s3_free(&t->s);
	for (size_t i = 0; i < CLUSTERS; i++)
		server_stop(&t->v[i]);
	s3_map_free(&t->map);
	buf_release(&t->g.body);
}

/* How often a cluster was asked something that has these words. */
static unsigned
count(struct dss *t, size_t cluster, const char *words)
{
	unsigned n = 0;

	for (const char *p = asked(&t->v[cluster]);
	    (p = strstr(p, words)) != NULL; p++)
		n++;
	return n;
}

static struct str
key_of(size_t cluster, char text[32])
{
	for (unsigned i = 0;; i++) {
		snprintf(text, 32, "k%u", i);
		if (s3_place(str_of(text), CLUSTERS) == cluster)
			return str_of(text);
	}
}

static void
test_each_to_its_own(void **state)
{
	static const char *const one[] = { OK_PUT, NULL };
	const char *const *const scripts[CLUSTERS] = { one, one, one };
	struct dss t = { .map = NULL };
	struct s3_body body = { .data = "abc", .len = 3 };
	struct s3_meta meta = { .mode = 0644 };

	(void)state;
	store_start(&t, scripts, false);
	for (size_t i = 0; i < CLUSTERS; i++) {
		char text[32], line[64];
		struct str key = key_of(i, text);

		s3_put(t.s, key, &body, &meta, on_done, &t.g);
		store_run(&t);
		assert_int_equal(t.g.err.kind, ERR_NONE);
		snprintf(line, sizeof(line), "PUT /dss%zu/%s HTTP", i, text);
		assert_int_equal(count(&t, i, line), 1);
	}
	store_stop(&t);
}

/* An object that isn't where it belongs is looked for in the order in which
 * it may have come to another cluster; in the end it is gone. */
static void
test_found_elsewhere(void **state)
{
	static const char *const none[] = { HEAD_GONE, GONE, GONE, HEAD_GONE,
	    NULL };
	static const char *const has[] = { HEAD_OK, BODY("200 OK", SOME_ETAG,
	    "3", "abc"), XML("200 OK", "", "<CopyObjectResult><ETag>e1</ETag>"
	    "</CopyObjectResult>"), HEAD_GONE, NULL };
	static const char *const last[] = { HEAD_GONE, NULL };
	const char *const *scripts[CLUSTERS];
	struct dss t = { .map = NULL };
	struct s3_meta meta = { .mode = 0644 };
	char text[32];
	struct str key = key_of(1, text);

	(void)state;
	scripts[1] = none;
	scripts[s3_place_nth(key, CLUSTERS, 1)] = has;
	scripts[s3_place_nth(key, CLUSTERS, 2)] = last;
	store_start(&t, scripts, false);
	s3_head(t.s, key, on_done, &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	assert_int_equal(t.g.size, 3);
	assert_int_equal(t.g.attempts, 1);
	assert_int_equal(atomic_load(&t.map->found_astray), 1);
	s3_get(t.s, key, 0, 0, on_data, on_done, &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	assert_string_equal(t.g.body.data, "abc");
	s3_copy_self(t.s, key, &meta, on_done, &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	assert_int_equal(atomic_load(&t.map->found_astray), 3);
	s3_head(t.s, key, on_done, &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_GONE);
	assert_int_equal(t.v[1].count, 4);
	assert_int_equal(t.v[s3_place_nth(key, CLUSTERS, 1)].count, 4);
	assert_int_equal(t.v[s3_place_nth(key, CLUSTERS, 2)].count, 1);
	assert_int_equal(atomic_load(&t.map->found_astray), 3);
	store_stop(&t);
}

/* A missing bucket is no missing object. */
static void
test_not_elsewhere(void **state)
{
	static const char *const no_bucket[] = { XML("404 None", "",
	    "<Error><Code>NoSuchBucket</Code></Error>"), NULL };
	static const char *const nothing[] = { NULL };
	const char *const *scripts[CLUSTERS] = { nothing, nothing, nothing };
	struct dss t = { .map = NULL };
	char text[32];
	struct str key = key_of(2, text);

	(void)state;
	scripts[2] = no_bucket;
	store_start(&t, scripts, false);
	s3_get(t.s, key, 0, 0, on_data, on_done, &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_REFUSED);
	store_stop(&t);
}

static void
on_bucket_or_upload(void *arg, const struct s3_reply *r,
    const struct err *err)
{
	struct dss *t = arg;

	on_done(&t->g, r, err);
	snprintf(t->upload_id, sizeof(t->upload_id), "%.*s",
	    (int)r->upload_id.len, r->upload_id.p);
	snprintf(t->version, sizeof(t->version), "%.*s",
	    (int)r->version_id.len, r->version_id.p);
}

static void
on_upload(void *arg, const struct s3_upload *u)
{
	struct dss *t = arg;

	assert_in_range(t->uploads, 0, ARRAY_LEN(t->uploads_of) - 1);
	snprintf(t->uploads_of[t->uploads++], sizeof(t->uploads_of[0]), "%.*s",
	    (int)u->upload_id.len, u->upload_id.p);
}

/* The buckets of all; an error tells of which. */
static void
test_buckets(void **state)
{
	static const char *const good[] = { EMPTY, EMPTY, NULL };
	static const char *const bad[] = { EMPTY, HEAD_GONE, NULL };
	const char *const *const scripts[CLUSTERS] = { good, good, bad };
	struct dss t = { .map = NULL };

	(void)state;
	store_start(&t, scripts, false);
	s3_bucket(t.s, on_bucket_or_upload, &t);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	s3_bucket(t.s, on_bucket_or_upload, &t);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_UNREACHABLE);
	assert_non_null(strstr(t.g.err.msg, "cluster 2 (bucket dss2)"));
	for (size_t i = 0; i < CLUSTERS; i++)
		assert_int_equal(t.v[i].count, 2);
	store_stop(&t);
}

#define CREATED XML("200 OK", "", "<InitiateMultipartUploadResult>" \
	"<UploadId>7~u</UploadId></InitiateMultipartUploadResult>")
#define UPLOADS(xml) XML("200 OK", "", \
	"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>" xml \
	"</ListMultipartUploadsResult>")

/* An upload stays where it began, whatever the map says later. */
static void
test_uploads(void **state)
{
	static const char *const where[] = { CREATED, OK_PUT,
	    UPLOADS("<Upload><Key>k</Key><UploadId>7~u</UploadId>"
	    "<Initiated>2026-01-01T00:00:00Z</Initiated></Upload>"), DONE,
	    NULL };
	static const char *const other[] = { OK_PUT, UPLOADS(""), NULL };
	const char *const *scripts[CLUSTERS] = { other, other, other };
	struct dss t = { .map = NULL };
	struct s3_body body = { .data = "abc", .len = 3 };
	struct s3_meta meta = { .mode = 0644 };
	char text[32], another[32], id[64];
	struct str key = key_of(1, text);

	(void)state;
	scripts[1] = where;
	scripts[2] = &other[1];
	scripts[0] = &other[1];
	store_start(&t, scripts, false);
	s3_mpu_create(t.s, key, &meta, on_bucket_or_upload, &t);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	assert_string_equal(t.upload_id, "1.7~u");
	memcpy(id, t.upload_id, sizeof(id));
	/* Of a key that belongs elsewhere, as it would after a change. */
	key_of(2, another);
	s3_mpu_part(t.s, str_of(another), str_of(id), 1, &body, on_done,
	    &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	assert_int_equal(count(&t, 1, "partNumber=1&uploadId=7~u "), 1);
	s3_mpu_list(t.s, key, on_upload, on_bucket_or_upload, &t);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	assert_int_equal(t.uploads, 1);
	assert_string_equal(t.uploads_of[0], "1.7~u");
	for (size_t i = 0; i < CLUSTERS; i++)
		assert_int_equal(count(&t, i, "&uploads= HTTP"), 1);
	s3_mpu_abort(t.s, key, str_of(id), on_done, &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	assert_int_equal(count(&t, 1, "DELETE /dss1/"), 1);
	/* Of a cluster that the map doesn't have, or of none. */
	s3_mpu_abort(t.s, key, STR("3.7~u"), on_done, &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_GONE);
	s3_mpu_abort(t.s, key, STR("7~u"), on_done, &t.g);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_GONE);
	store_stop(&t);
}

#define UPLOADS_PAGE(key, id) XML("200 OK", "", \
	"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>" \
	"<NextKeyMarker>" key "</NextKeyMarker>" \
	"<NextUploadIdMarker>" id "</NextUploadIdMarker>" \
	"<Upload><Key>" key "</Key><UploadId>" id "</UploadId>" \
	"<Initiated>2026-01-01T00:00:00Z</Initiated></Upload>" \
	"</ListMultipartUploadsResult>")

/* Each cluster's list is as long as it is; one that goes in a circle is an
 * error. */
static void
test_uploads_in_pages(void **state)
{
	static const char *const pages[] = { UPLOADS_PAGE("k", "1"),
	    UPLOADS_PAGE("k", "2"), UPLOADS_PAGE("k%20b", "1"),
	    UPLOADS("<Upload><Key>k.c</Key><UploadId>1</UploadId>"
	    "<Initiated>2026-01-01T00:00:00Z</Initiated></Upload>"),
	    UPLOADS_PAGE("k", "1"), UPLOADS_PAGE("k", "1"), NULL };
	static const char *const other[] = { UPLOADS(""), UPLOADS(""), NULL };
	const char *const *scripts[CLUSTERS] = { other, pages, other };
	struct dss t = { .map = NULL };

	(void)state;
	store_start(&t, scripts, false);
	s3_mpu_list(t.s, STR("k"), on_upload, on_bucket_or_upload, &t);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_NONE);
	assert_int_equal(t.uploads, 4);
	assert_string_equal(t.uploads_of[1], "1.2");
	assert_string_equal(t.uploads_of[3], "1.1");
	assert_int_equal(count(&t, 0, "uploads= HTTP"), 1);
	assert_int_equal(count(&t, 1, "&prefix=k&uploads= HTTP"), 1);
	assert_int_equal(count(&t, 1, "&key-marker=k&max-uploads=1000&prefix=k"
	    "&upload-id-marker=1&"), 1);
	assert_int_equal(count(&t, 1, "&key-marker=k%20b&max-uploads=1000&"
	    "prefix=k&upload-id-marker=1&"), 1);
	t.uploads = 0;
	s3_mpu_list(t.s, STR("k"), on_upload, on_bucket_or_upload, &t);
	store_run(&t);
	assert_int_equal(t.g.err.kind, ERR_PEER);
	assert_int_equal(t.uploads, 2);
	store_stop(&t);
}

static void
on_deleted(void *arg, const struct s3_deleted *d, size_t n)
{
	struct dss *t = arg;

	t->g.calls++;
	t->deleted = n;
	for (size_t i = 0; i < MIN(n, (size_t)8); i++) {
		err_clear(&t->errs[i]);
		if (d[i].err != NULL)
			t->errs[i] = *d[i].err;
		snprintf(t->versions[i], sizeof(t->versions[i]), "%.*s",
		    (int)d[i].version_id.len, d[i].version_id.p);
	}
}

/* An answer that tells of these keys, and ends the connection. */
static char *
deleted(const char *const *keys, size_t n, const char *version)
{
	struct buf b;
	char *text;

	buf_init(&b, 4096);
	buf_addstr(&b, "HTTP/1.1 200 OK\r\n\r\n<DeleteResult>");
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "<Deleted><Key>%s</Key>%s</Deleted>", keys[i],
		    version);
	buf_addstr(&b, "</DeleteResult>" CLOSE);
	text = xstrdup(b.data);
	buf_release(&b);
	return text;
}

/* What was listed at its place only is deleted there; what may be in more
 * clusters, in all. */
static void
test_delete_many(void **state)
{
	char text[CLUSTERS][32];
	const char *keys[CLUSTERS];
	struct str strs[CLUSTERS];

	(void)state;
	for (size_t i = 0; i < CLUSTERS; i++) {
		strs[i] = key_of(i, text[i]);
		keys[i] = text[i];
	}
	for (unsigned way = 0; way < 3; way++) {
		struct dss t = { .map = NULL };
		const char *list[CLUSTERS][2] = { { NULL } };
		const char *const *scripts[CLUSTERS];

		for (size_t i = 0; i < CLUSTERS; i++) {
			list[i][0] = way == 0 ? deleted(&keys[i], 1, "") :
			    deleted(keys, CLUSTERS, i == 1 ?
			    "<VersionId>v</VersionId>" : "");
			scripts[i] = list[i];
		}
		store_start(&t, scripts, way != 1);
		if (way == 2)
			atomic_store(&t.map->listed_astray, 1);
		s3_delete_many(t.s, strs, CLUSTERS, on_deleted, &t);
		store_run(&t);
		assert_int_equal(t.deleted, CLUSTERS);
		for (size_t i = 0; i < CLUSTERS; i++) {
			if (t.errs[i].kind != ERR_NONE)
				fail_msg("%u %zu: %s", way, i, t.errs[i].msg);
			assert_string_equal(t.versions[i],
			    way == 0 ? "" : "v");
			assert_int_equal(count(&t, i, "POST /dss"), 1);
			assert_int_equal(count(&t, i, "<Key>"),
			    way == 0 ? 1 : CLUSTERS);
		}
		store_stop(&t);
		for (size_t i = 0; i < CLUSTERS; i++)
			free((void *)(uintptr_t)list[i][0]);
	}
}

/* One cluster that refuses: the key has failed. */
static void
test_delete_one(void **state)
{
	static const char *const good[] = { DONE, NULL };
	static const char *const marker[] = { "HTTP/1.1 204 No Content\r\n"
	    "x-amz-version-id: v7\r\nx-amz-delete-marker: true\r\n\r\n",
	    NULL };
	static const char *const bad[] = { XML("403 No", "",
	    "<Error><Code>AccessDenied</Code></Error>"), NULL };
	static const char *const nothing[] = { NULL };
	char text[32];
	struct str key = key_of(1, text);

	(void)state;
	for (unsigned way = 0; way < 3; way++) {
		const char *const *const scripts[CLUSTERS] = {
		    way == 2 ? nothing : good, way == 0 ? marker : good,
		    way == 0 ? good : way == 1 ? bad : nothing };
		struct dss t = { .map = NULL };

		store_start(&t, scripts, way == 2);
		s3_delete(t.s, key, on_bucket_or_upload, &t);
		store_run(&t);
		assert_int_equal(t.g.err.kind, way == 1 ? ERR_DENIED :
		    ERR_NONE);
		assert_string_equal(t.version, way == 0 ? "v7" : "");
		assert_int_equal(t.g.marker, way == 0);
		store_stop(&t);
	}
}

static void
test_stopped(void **state)
{
	static const char *const still[] = { SILENT, NULL };
	const char *const *const scripts[CLUSTERS] = { still, still, still };
	struct dss t = { .map = NULL };

	(void)state;
	store_start(&t, scripts, false);
	s3_bucket(t.s, on_bucket_or_upload, &t);
	s3_free(&t.s);
	assert_int_equal(t.g.calls, 1);
	assert_int_equal(t.g.err.kind, ERR_STOPPED);
	store_stop(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_to_its_own),
		cmocka_unit_test(test_found_elsewhere),
		cmocka_unit_test(test_not_elsewhere),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_uploads_in_pages),
		cmocka_unit_test(test_delete_many),
		cmocka_unit_test(test_delete_one),
		cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
