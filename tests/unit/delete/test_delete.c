/*
 * The deleter: what became of each key of a batch, and that every
 * batch comes back, also when it is stopped.
 */
#include "delete/delete.h"
#include "kit/s3_script.h"

#define ANSWER(body) "HTTP/1.1 200 OK\r\n\r\n<DeleteResult>" body \
	"</DeleteResult>" CLOSE
#define GONE	"HTTP/1.1 204 Gone\r\nx-amz-version-id: m9\r\n" \
	"x-amz-delete-marker: true\r\nContent-Length: 0\r\n\r\n"

static struct deleter *
begin(struct fixture *f, struct mailbox *up)
{
	struct delete_config c = { .s3 = f->c, .up = up };
	struct err err = ERR_INIT;
	struct deleter *d;

	if (delete_start(&d, &c, &err) == -1)
		fail_msg("%s", err.msg);
	return d;
}

static struct delete_batch *
batch(const char *const *keys, size_t count)
{
	struct delete_batch *b = xcalloc(1, sizeof(*b));

	b->v = xcalloc(count + 1, sizeof(*b->v));
	b->count = count;
	for (size_t i = 0; i < count; i++)
		b->v[i].key = xstrdup(keys[i]);
	return b;
}

static struct delete_batch *
take(struct mailbox *up)
{
	struct mail *m = mailbox_wait(up, -1);

	assert_non_null(m);
	assert_null(m->next);
	assert_int_equal(m->type, MAIL_DELETED);
	return (struct delete_batch *)(void *)m;
}

/* A key that XML can't carry stands between others; one is refused. */
static void
test_each_row(void **state UNUSED)
{
	static const char *const keys[] = { "a", "b\001c", "d", "e" };
	struct mailbox *up = mailbox_new(0);
	struct delete_batch *b = batch(keys, ARRAY_LEN(keys));
	struct deleter *d;
	struct s3_stats stats = { .requests = 0 };
	uint64_t bytes_read = 0;
	FIXTURE(f, ANSWER("<Deleted><Key>e</Key><VersionId>v1</VersionId>"
	    "</Deleted><Error><Key>d</Key><Code>AccessDenied</Code></Error>"
	    "<Deleted><Key>a</Key></Deleted>"), GONE);

	d = begin(&f, up);
	b->user = &f;
	delete_give(d, b);
	assert_ptr_equal(take(up), b);
	assert_ptr_equal(b->user, &f);
	assert_int_equal(b->v[0].err.kind, ERR_NONE);
	assert_null(b->v[0].version_id);
	assert_int_equal(b->v[1].err.kind, ERR_NONE);
	assert_string_equal(b->v[1].version_id, "m9");
	assert_int_equal(b->v[2].err.kind, ERR_DENIED);
	assert_int_equal(b->v[3].err.kind, ERR_NONE);
	assert_string_equal(b->v[3].version_id, "v1");
	assert_non_null(strstr(asked(&f.v), "<Key>d</Key></Object>"));
	assert_non_null(strstr(asked(&f.v), "DELETE /bkt/b%01c "));
	delete_batch_free(&b);
	/* Its thread waits no longer: what it published is all. */
	pool_stop(delete_pool(d), 60000);
	while (!pool_idle(delete_pool(d)))
		sched_yield();
	pool_stats(delete_pool(d), &stats, &bytes_read);
	assert_int_equal(stats.requests, 2);
	delete_free(&d);
	mailbox_free(&up);
	script_finish(&f);
}

#define THERE	"HTTP/1.1 200 OK\r\nETag: \"e\"\r\n" \
	"Content-Length: 3\r\n\r\n" CLOSE
#define MARKED	"HTTP/1.1 404 No\r\nx-amz-version-id: m1\r\n" \
	"x-amz-delete-marker: true\r\nContent-Length: 0\r\n\r\n" CLOSE

static unsigned
times(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

/* The answer is lost: only what is there still is deleted again, and what is
 * not was deleted. */
static void
test_lost_answer(void **state UNUSED)
{
	static const char *const keys[] = { "a", "b", "c\001d" };
	struct mailbox *up = mailbox_new(0);
	struct delete_batch *b = batch(keys, ARRAY_LEN(keys));
	struct deleter *d;
	FIXTURE(f, NOTHING, NOTHING, THERE, MARKED, THERE,
	    ANSWER("<Deleted><Key>a</Key></Deleted>"), GONE);

	d = begin(&f, up);
	delete_give(d, b);
	assert_ptr_equal(take(up), b);
	for (size_t i = 0; i < b->count; i++)
		assert_int_equal(b->v[i].err.kind, ERR_NONE);
	assert_null(b->v[0].version_id);
	assert_string_equal(b->v[1].version_id, "m1");
	assert_string_equal(b->v[2].version_id, "m9");
	assert_int_equal(times(asked(&f.v), "<Key>a</Key>"), 2);
	assert_int_equal(times(asked(&f.v), "<Key>b</Key>"), 1);
	assert_int_equal(times(asked(&f.v), "DELETE /bkt/c%01d "), 2);
	assert_int_equal(times(asked(&f.v), "HEAD "), 3);
	delete_batch_free(&b);
	delete_free(&d);
	mailbox_free(&up);
	script_finish(&f);
}

/* The answer is lost, and somebody else puts an object under the key: the one
 * that was meant is gone, and the other one stays. */
static void
test_lost_answer_replaced(void **state UNUSED)
{
	static const char *const keys[] = { "a", "b", "c" };
	static const char *const etags[] = { "other", "e", "e" };
	struct mailbox *up = mailbox_new(0);
	struct delete_batch *b = batch(keys, ARRAY_LEN(keys));
	struct deleter *d;
	FIXTURE(f, NOTHING, THERE, THERE, THERE,
	    ANSWER("<Deleted><Key>b</Key></Deleted>"));

	for (size_t i = 0; i < b->count; i++) {
		snprintf(b->v[i].etag, sizeof(b->v[i].etag), "%s",
		    etags[i]);
		b->v[i].size = i == 2 ? 4 : 3;
	}
	d = begin(&f, up);
	delete_give(d, b);
	assert_ptr_equal(take(up), b);
	for (size_t i = 0; i < b->count; i++)
		assert_int_equal(b->v[i].err.kind, ERR_NONE);
	assert_int_equal(times(asked(&f.v), "<Key>a</Key>"), 1);
	assert_int_equal(times(asked(&f.v), "<Key>b</Key>"), 2);
	assert_int_equal(times(asked(&f.v), "<Key>c</Key>"), 1);
	delete_batch_free(&b);
	delete_free(&d);
	mailbox_free(&up);
	script_finish(&f);
}

/* Another client may have deleted a row's object: HEAD comes first. */
static void
test_asked_before(void **state UNUSED)
{
	static const char *const keys[] = { "a", "b" };
	struct mailbox *up = mailbox_new(0);
	struct delete_batch *b = batch(keys, ARRAY_LEN(keys));
	struct deleter *d;
	FIXTURE(f, MARKED, ANSWER("<Deleted><Key>b</Key></Deleted>"));

	b->v[0].asked = true;
	d = begin(&f, up);
	delete_give(d, b);
	assert_ptr_equal(take(up), b);
	assert_int_equal(b->v[0].err.kind, ERR_NONE);
	assert_string_equal(b->v[0].version_id, "m1");
	assert_int_equal(b->v[1].err.kind, ERR_NONE);
	assert_int_equal(times(asked(&f.v), "<Key>a</Key>"), 0);
	delete_batch_free(&b);
	delete_free(&d);
	mailbox_free(&up);
	script_finish(&f);
}

static void
test_empty(void **state UNUSED)
{
	struct mailbox *up = mailbox_new(0);
	struct delete_batch *b = batch(NULL, 0);
	struct deleter *d;
	FIXTURE(f, GONE);

	d = begin(&f, up);
	delete_give(d, b);
	assert_ptr_equal(take(up), b);
	delete_batch_free(&b);
	delete_free(&d);
	mailbox_free(&up);
	script_finish(&f);
}

static void
all_stopped(struct delete_batch *b)
{
	assert_true(b->count > 0);
	for (size_t i = 0; i < b->count; i++)
		assert_int_equal(b->v[i].err.kind, ERR_STOPPED);
	delete_batch_free(&b);
}

/* No answer comes: all that was given is back after delete_free. */
static void
test_stop(void **state UNUSED)
{
	static const char *const keys[] = { "a", "b\001c" };
	struct mailbox *up = mailbox_new(0);
	struct deleter *d;
	struct mail *m;
	FIXTURE(f, SILENT);

	d = begin(&f, up);
	delete_give(d, batch(keys, 2));
	for (unsigned n = 0; n == 0; sched_yield()) {
		pthread_mutex_lock(&f.v.lock);
		n = f.v.count;
		pthread_mutex_unlock(&f.v.lock);
	}
	delete_give(d, batch(keys, 2));
	pool_stop(delete_pool(d), 0);
	delete_give(d, batch(keys, 1));
	delete_free(&d);
	m = mailbox_take(up);
	for (unsigned i = 0; i < 3; i++) {
		struct mail *next;

		assert_non_null(m);
		next = m->next;
		all_stopped((struct delete_batch *)(void *)m);
		m = next;
	}
	assert_null(m);
	mailbox_free(&up);
	script_finish(&f);
}

/* Freed, not stopped: what was given is waited for. */
static void
test_waits(void **state UNUSED)
{
	static const char *const keys[] = { "a" };
	struct mailbox *up = mailbox_new(0);
	struct delete_batch *b;
	struct deleter *d;
	FIXTURE(f, ERROR_503, ANSWER("<Deleted><Key>a</Key></Deleted>"));

	d = begin(&f, up);
	delete_give(d, batch(keys, 1));
	delete_free(&d);
	b = take(up);
	assert_int_equal(b->v[0].err.kind, ERR_NONE);
	delete_batch_free(&b);
	mailbox_free(&up);
	script_finish(&f);
}

static void
test_cannot_start(void **state UNUSED)
{
	struct delete_config c = { .s3 = { .store = { .bucket = "bkt" } } };
	struct err err = ERR_INIT;
	struct deleter *d = NULL;

	assert_int_equal(delete_start(&d, &c, &err), -1);
	assert_null(d);
	delete_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_row),
		cmocka_unit_test(test_lost_answer),
		cmocka_unit_test(test_lost_answer_replaced),
		cmocka_unit_test(test_asked_before),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_cannot_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
