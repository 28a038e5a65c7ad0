/*
 * The frame of the verbs: what a step, a mail and a signal do to the loop, and
 * who frees a mail that the verb does not know.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/signals.h"
#include "frame/frame.h"

#include <cmocka.h>

struct fixture {
	struct run r;
	struct conf conf;
	struct job job;
	unsigned steps;
	unsigned stops;
	unsigned known;		/* mail that the verb took */
};

static struct fixture *
fixture_of(struct run *r)
{
	return (struct fixture *)(void *)r;
}

/* The verb knows the end of a crawl thread alone. */
static bool
mail(struct run *r, struct mail *m)
{
	if (m->type != MAIL_CRAWLED)
		return false;
	fixture_of(r)->known++;
	r->out--;
	free(m);
	return true;
}

static void
stop(struct run *r)
{
	fixture_of(r)->stops++;
}

static const struct run_ops ops = { .mail = mail, .stop = stop };

static struct fixture *
setup(void)
{
	struct fixture *x = xcalloc(1, sizeof(*x));

	conf_init(&x->conf);
	x->r = (struct run){ .conf = &x->conf, .job = &x->job, .ops = &ops,
	    .in = mailbox_new(0), .signals = -1 };
	return x;
}

static void
teardown(struct fixture *x)
{
	mailbox_free(&x->r.in);
	conf_release(&x->conf);
	free(x);
}

/* Mail of this type and size, all zeros behind. */
static void *
send_mail(struct fixture *x, int type, size_t size)
{
	struct mail *m = xcalloc(1, size);

	m->type = type;
	mailbox_put(x->r.in, m);
	return m;
}

/* The last of three steps gives an item, and says that it was the last. */
static bool
three_steps(void *arg)
{
	struct fixture *x = arg;

	if (++x->steps == 3) {
		x->r.out++;
		send_mail(x, MAIL_CRAWLED, sizeof(struct mail));
	}
	return x->steps >= 3;
}

/* The loop goes on until nothing is left to be given and nothing is out. */
static void
test_loop(void **state UNUSED)
{
	struct fixture *x = setup();

	run_loop(&x->r, three_steps, x);
	assert_int_equal(x->steps, 4);
	assert_int_equal(x->known, 1);
	assert_int_equal(x->stops, 0);
	assert_false(run_stopped(&x->r));
	teardown(x);
}

static bool
never_done(void *arg)
{
	struct fixture *x = arg;

	x->steps++;
	return false;
}

/* The first failure counts, and ends the loop. */
static void
test_failures(void **state UNUSED)
{
	struct fixture *x = setup();
	struct crew_failure *c;
	struct catalog_failure *f;

	c = send_mail(x, MAIL_CREW_FAILED, sizeof(*c));
	err_set(&c->err, ERR_UNREACHABLE, 0, "nobody is left");
	f = send_mail(x, MAIL_CATALOG_FAILED, sizeof(*f));
	err_set(&f->err, ERR_RESOURCE, 0, "the disk is full");
	run_loop(&x->r, never_done, x);
	assert_int_equal(x->steps, 1);
	assert_int_equal(x->stops, 1);
	assert_true(x->r.failed);
	assert_string_equal(x->r.err.msg, "nobody is left");
	teardown(x);
}

static void
test_signals(void **state UNUSED)
{
	struct fixture *x = setup();
	struct err err = ERR_INIT;

	x->r.signals = signals_block(&err);
	assert_int_not_equal(x->r.signals, -1);
	kill(getpid(), SIGTERM);
	run_loop(&x->r, never_done, x);
	assert_int_equal(x->steps, 1);
	assert_int_equal(x->r.stop_signal, SIGTERM);
	assert_int_equal(x->stops, 1);
	assert_false(x->r.failed);
	close(x->r.signals);
	teardown(x);
}

/* Mail that the verb does not know is freed with all that it owns: the
 * sanitizer would tell. */
static void
test_unknown_mail(void **state UNUSED)
{
	struct fixture *x = setup();
	struct lease *l = send_mail(x, MAIL_LEASE, sizeof(*l));
	struct upload_note *u = send_mail(x, MAIL_UPLOAD_NOTED, sizeof(*u));
	struct outcomes *d = send_mail(x, MAIL_DELETE_NOTED, sizeof(*d));
	struct fetch_item *it = send_mail(x, MAIL_FETCHED, sizeof(*it));
	struct source_page *p = send_mail(x, MAIL_SOURCE_PAGE, sizeof(*p));

	l->items = xcalloc(1, sizeof(*l->items));
	u->upload_id = xstrdup("id");
	d->v = xcalloc(1, sizeof(*d->v));
	it->key = xstrdup("key");
	p->text = xstrdup("key");
	send_mail(x, MAIL__OWN, sizeof(struct mail));
	run_turn(&x->r, 0);
	assert_int_equal(x->known, 0);
	assert_false(run_stopped(&x->r));
	teardown(x);
}

static void
see(struct fixture *x, enum err_kind kind, int code, unsigned times)
{
	struct err err = { .kind = kind, .code = code, .msg = "why" };

	while (times-- > 0)
		run_saw(&x->r, &err);
}

/* Only refusals of everything end a run, and only in a row. */
static void
test_refusals(void **state)
{
	struct fixture *x = setup();

	(void)state;
	x->job.op = OP_GET;
	see(x, ERR_REFUSED, 403, 19);
	see(x, ERR_NONE, 0, 1);
	see(x, ERR_REFUSED, 403, 19);
	/* These say nothing of the store. */
	see(x, ERR_GONE, 2, 1);
	see(x, ERR_DENIED, 13, 100);
	see(x, ERR_RETRY, 503, 100);
	assert_false(x->r.failed);
	see(x, ERR_REFUSED, 507, 1);
	assert_true(x->r.failed);
	assert_int_equal(x->r.err.kind, ERR_REFUSED);
	assert_int_equal(x->r.err.code, 507);
	assert_string_equal(x->r.err.msg, "the store has refused 20 requests "
	    "in a row: why");
	assert_int_equal(x->stops, 1);
	see(x, ERR_REFUSED, 507, 100);
	assert_int_equal(x->stops, 1);
	teardown(x);
}

/* A GET has no write that could decide. */
static void
test_denials(void **state)
{
	struct fixture *x = setup();

	(void)state;
	x->job.op = OP_GET;
	see(x, ERR_DENIED, 403, 100);
	assert_false(x->r.failed);
	assert_null(x->r.s3);
	teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_unknown_mail),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_denials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
