/*
 * A file that is given up: is it stored? The store has what one of its clients
 * brought there before it died, and the master asks.
 */
#include "kit/fake_s3.h"
#include "kit/team.h"

#include <fcntl.h>
#include <time.h>

#pragma GCC diagnostic ignored "-Wunused-function"

#define S3_NOW_SEC	1700000000

static const char data[] = "0123456789";

/* What differs from a file that a client has stored in this run. */
struct odd {
	const char *name;
	const char *etag;	/* of the object that was there before */
	int64_t	 age_s;		/* of the object: stored before the run */
	int	 mode;		/* that it tells */
	size_t	 size;		/* of the object */
	bool	 changed;	/* the file, since it was seen */
	bool	 missing;	/* there is no object */
	bool	 denied;	/* nobody knows */
	enum outcome outcome;
};

static void
http_date(int64_t sec, char *out, size_t size)
{
	time_t t = (time_t)sec;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, size, "Last-Modified: %a, %d %b %Y %H:%M:%S GMT\r\n",
	    &tm);
}

static void
put_object(struct fake_s3 *s3, const struct stat *st, const struct odd *odd)
{
	struct fake_object *o;
	uint8_t md5[MD5_LEN];
	struct md5 sum;
	int64_t mtime_ns = st->st_mtim.tv_sec * 1000000000 +
	    st->st_mtim.tv_nsec;

	if (odd->missing)
		return;
	o = fake_store_locked(s3, "h/s/f0");
	buf_add(&o->data, data, odd->size);
	md5_init(&sum);
	md5_update(&sum, data, odd->size);
	md5_final(&sum, md5);
	etag_single(md5, o->etag);
	buf_addf(&o->meta, "x-amz-meta-file-mtime: %jdns\r\n"
	    "x-amz-meta-mtime: %jd.%09jd\r\n"
	    "x-amz-meta-file-permissions: %04o\r\n"
	    "x-amz-meta-file-owner: %u\r\nx-amz-meta-file-group: %u\r\n",
	    (intmax_t)mtime_ns, (intmax_t)mtime_ns / 1000000000,
	    (intmax_t)mtime_ns % 1000000000, (unsigned)odd->mode, st->st_uid,
	    st->st_gid);
}

static void
start_team(struct fixture *x, const char *tree, const char *url)
{
	struct err err = ERR_INIT;
	struct setup s;

	memset(&s, 0, sizeof(s));
	strlist_add(&x->conf.s3_storage.endpoints, url);
	x->conf.s3_storage.bucket = text("bkt");
	s.op = OP_PUT;
	s.conf = &x->conf;
	s.s3_clock_ms = S3_NOW_SEC * INT64_C(1000) - (int64_t)clock_boot_ms();
	s.export_count = 1;
	s.exports = xcalloc(1, sizeof(*s.exports));
	s.exports[0].type = TREE_POSIX;
	s.exports[0].share = text(tree);
	s.exports[0].root = text("h/s");
	if (crew_team(&x->crew, &s, x->up, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
give_file(struct fixture *x, const struct stat *st, const struct odd *odd)
{
	struct lease *l = xcalloc(1, sizeof(*l));
	struct item *it;

	l->id = ++x->leases * 100;
	l->count = 1;
	it = l->items = xcalloc(1, sizeof(*l->items));
	it->object = l->id;
	it->path = text("h/s/f0");
	it->raw = text("f0");
	it->attrs = (struct attrs){ .kind = ENTRY_FILE, .mode = 0600,
	    .uid = st->st_uid, .gid = st->st_gid, .ino = st->st_ino,
	    .size = (uint64_t)st->st_size,
	    .mtime_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	    .ctime_ns = st->st_ctim.tv_sec * 1000000000 +
	    st->st_ctim.tv_nsec };
	if (odd->etag != NULL)
		snprintf(it->prev_etag, sizeof(it->prev_etag), "%s",
		    odd->etag);
	crew_lease(x->crew, l);
}

/* Each client that gets the file is killed. */
static void
kill_all(struct fixture *x)
{
	struct fake *f = client(x, 1);

	f->host = "one";
	for (uint64_t pid = 2; !has_mail(x); pid++) {
		want(f, 10);
		while (!has(f, WIRE_LEASE_PUT) && !has_mail(x))
			pump_fake(f, 20);
		if (has_mail(x))
			break;
		drop(f, WIRE_LEASE_PUT);
		killed(f);
		f->host = pid % 2 == 0 ? "two" : "one";
		again(f, pid);
	}
	client_free(f);
}

static void
one(const struct odd *odd)
{
	struct fixture *x = team_setup();
	AUTOFREE char *tree = text("/tmp/test-team-last-XXXXXX");
	AUTOFREE char *file = NULL;
	struct fake_s3 s3;
	char when[64];
	struct results *r;
	struct stat st;
	FILE *out;

	assert_non_null(mkdtemp(tree));
	file = xasprintf("%s/f0", tree);
	out = fopen(file, "we");
	fputs(data, out);
	fclose(out);
	assert_int_equal(chmod(file, 0600), 0);
	assert_int_equal(stat(file, &st), 0);
	fake_start(&s3);
	http_date(S3_NOW_SEC + 5 - odd->age_s, when, sizeof(when));
	s3.locked.head_lines = when;
	s3.locked.denies_heads = odd->denied;
	put_object(&s3, &st, odd);
	start_team(x, tree, s3.url);
	give_file(x, &st, odd);
	if (odd->changed)
		assert_int_equal(truncate(file, 10) | truncate(file, 3), 0);
	kill_all(x);
	r = mail_of(x, MAIL_RESULTS);
	if (r->v[0].outcome != odd->outcome)
		fail_msg("%s: %s", odd->name, r->v[0].err.msg);
	assert_int_equal(s3.locked.heads, 1);
	if (odd->outcome == OUTCOME_MOVED) {
		assert_true(r->v[0].has_md5);
		assert_string_equal(r->v[0].etag,
		    "781e5e245d69b566979b86e28d23f2c7");
		assert_int_equal(r->v[0].attrs.ino, st.st_ino);
	} else {
		assert_non_null(strstr(r->v[0].err.msg, "clients were lost"));
		assert_int_equal(strstr(r->v[0].err.msg, "not known") != NULL,
		    odd->denied);
	}
	results_free(&r);
	team_finish(x);
	fake_stop(&s3);
	unlink(file);
	rmdir(tree);
}

static void
test_given_up(void **state)
{
	static const struct odd odds[] = {
		{ .name = "stored", .outcome = OUTCOME_MOVED },
		{ .name = "missing", .missing = true,
		    .outcome = OUTCOME_FAILED },
		{ .name = "not known", .denied = true,
		    .outcome = OUTCOME_FAILED },
		{ .name = "it was there", .outcome = OUTCOME_FAILED,
		    .etag = "781e5e245d69b566979b86e28d23f2c7" },
		{ .name = "of before", .age_s = 100,
		    .outcome = OUTCOME_FAILED },
		{ .name = "another mode", .mode = 0644,
		    .outcome = OUTCOME_FAILED },
		{ .name = "shorter", .size = 9, .outcome = OUTCOME_FAILED },
		{ .name = "changed", .changed = true,
		    .outcome = OUTCOME_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odds); i++) {
		struct odd o = odds[i];

		o.mode = o.mode == 0 ? 0600 : o.mode;
		o.size = o.size == 0 ? strlen(data) : o.size;
		one(&o);
	}
}

/* --- the last step of a file that several clients have sent --- */

#define SIZE	(64 * MIB)	/* eight parts */

static void
big_object(struct fake_s3 *s3, const struct stat *st, const char *etag)
{
	struct fake_object *o = fake_store_locked(s3, "h/s/f0");
	AUTOFREE char *zeros = xcalloc(1, SIZE);
	int64_t mtime_ns = st->st_mtim.tv_sec * 1000000000 +
	    st->st_mtim.tv_nsec;

	assert_int_equal(buf_add(&o->data, zeros, SIZE), 0);
	snprintf(o->etag, sizeof(o->etag), "%s", etag);
	buf_addf(&o->meta, "x-amz-meta-file-mtime: %jdns\r\n"
	    "x-amz-meta-file-permissions: 0600\r\n"
	    "x-amz-meta-file-owner: %u\r\nx-amz-meta-file-group: %u\r\n",
	    (intmax_t)mtime_ns, st->st_uid, st->st_gid);
}

static void
answer(struct fake *f, const struct wire_msg *m, struct result *r)
{
	struct wire_msg out = { .type = WIRE_RESULTS, .u.results = {
	    .lease = m->u.lease_put.lease, .v = r, .count = 1 } };

	r->object = m->u.lease_put.items[0].object;
	r->attempts = 1;
	send_msg(f, f->status, &out);
}

/* Do a step that is no last one; return false at the last one. */
static bool
do_step(struct fake *f, uint8_t md5s[8 * MD5_LEN])
{
	struct wire_msg m = wait_for(f, WIRE_LEASE_PUT);
	const struct item *it = &m.u.lease_put.items[0];
	uint8_t *own = md5s + (size_t)it->part_first * MD5_LEN;
	struct result opened = { .upload_id = (char []){ "UP" },
	    .part_size = 8 * MIB };
	struct result sent = { .part_count = it->part_count,
	    .part_md5s = own, .bytes_sent = 8 * MIB };
	bool last = it->step == SPLIT_END;

	if (it->step == SPLIT_BEGIN) {
		answer(f, &m, &opened);
	} else if (it->step == SPLIT_RANGE) {
		for (size_t i = 0; i < it->part_count * (size_t)MD5_LEN; i++)
			own[i] = (uint8_t)(it->part_first + i);
		answer(f, &m, &sent);
	}
	assert_int_not_equal(it->step, SPLIT_WHOLE);
	wire_msg_release(&m);
	return !last;
}

/* Each client that is to complete the upload is killed. */
static void
kill_at_the_end(struct fixture *x, struct fake *f)
{
	for (uint64_t pid = 3; ; pid++) {
		killed(f);
		f->host = pid % 2 == 0 ? "two" : "one";
		again(f, pid);
		want(f, 1);
		while (!has(f, WIRE_LEASE_PUT) && !has_mail(x))
			pump_fake(f, 20);
		if (has_mail(x))
			break;
		drop(f, WIRE_LEASE_PUT);
	}
}

static void
last_step(const char *other_etag, bool missing, enum outcome outcome)
{
	struct fixture *x = team_setup();
	AUTOFREE char *tree = text("/tmp/test-team-last-XXXXXX");
	AUTOFREE char *file = NULL;
	uint8_t md5s[8 * MD5_LEN];
	struct odd odd = { .name = "last" };
	struct fake_s3 s3;
	struct results *r;
	struct fake *f, *g;
	char when[64], etag[72];
	struct stat st;

	assert_non_null(mkdtemp(tree));
	file = xasprintf("%s/f0", tree);
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(truncate(file, SIZE), 0);
	assert_int_equal(stat(file, &st), 0);
	fake_start(&s3);
	http_date(S3_NOW_SEC + 5, when, sizeof(when));
	s3.locked.head_lines = when;
	start_team(x, tree, s3.url);
	f = client(x, 1);
	f->host = "one";
	g = client(x, 2);
	wait_clients(x, 2, "working");
	give_file(x, &st, &odd);
	do
		want(f, 1);
	while (do_step(f, md5s));
	client_free(g);
	etag_multipart(md5s, 8, etag);
	if (!missing)
		big_object(&s3, &st, other_etag != NULL ? other_etag : etag);
	kill_at_the_end(x, f);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, outcome);
	assert_int_equal(s3.locked.heads, 1);
	if (outcome == OUTCOME_MOVED) {
		assert_string_equal(r->v[0].etag, etag);
		assert_int_equal(r->v[0].part_size, 8 * MIB);
		assert_int_equal(r->v[0].part_count, 8);
		assert_memory_equal(r->v[0].part_md5s, md5s, sizeof(md5s));
	} else {
		assert_non_null(strstr(r->v[0].err.msg, "clients were lost"));
	}
	results_free(&r);
	client_free(f);
	team_finish(x);
	fake_stop(&s3);
	unlink(file);
	rmdir(tree);
}

static void
test_last_step(void **state)
{
	(void)state;
	last_step(NULL, false, OUTCOME_MOVED);
	last_step("00000000000000000000000000000000-8", false,
	    OUTCOME_FAILED);
	last_step(NULL, true, OUTCOME_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_last_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
