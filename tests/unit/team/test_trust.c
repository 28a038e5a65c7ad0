/*
 * What a client is believed, and what it is not told.
 */
#include "kit/team.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "tree/tree.h"

/* The answer that a TEST asks for is not in the question: not the MD5, not the
 * ETag, which is one, and not those of parts. How to hash is. */
static void
test_no_answer(void **state)
{
	struct fixture *x = team_setup();
	struct fetch_item *it = xcalloc(1, sizeof(*it));
	struct fetch_item became = { .size = 20, .result.hashed = true };
	struct wire_msg m, answer = { .type = WIRE_FETCHED };
	struct wire_fetch v = { .item = &became };
	const struct stored *s;
	struct fake *f;

	(void)state;
	team_start(x, OP_TEST);
	f = client(x, 1);
	it->key = text("h/s/f");
	it->size = 20;
	strcpy(it->etag, "0123456789abcdef0123456789abcdef-2");
	it->has_stored = true;
	it->stored.path = text("h/s/f");
	it->stored.has_md5 = true;
	memset(it->stored.md5, 7, sizeof(it->stored.md5));
	strcpy(it->stored.etag, it->etag);
	it->stored.attrs.size = 20;
	it->stored.part_size = 12;
	it->stored.part_count = 2;
	it->stored.part_md5s = xmalloc(32);
	memset(it->stored.part_md5s, 8, 32);
	crew_fetch(x->crew, it);
	want(f, 1);
	m = wait_for(f, WIRE_LEASE_FETCH);
	it = m.u.lease_fetch.v[0].item;
	s = &it->stored;
	assert_string_equal(it->etag, "");
	assert_true(it->has_stored);
	assert_false(s->has_md5);
	assert_int_equal(s->md5[0], 0);
	assert_string_equal(s->etag, "");
	assert_null(s->part_md5s);
	assert_int_equal(s->attrs.size, 20);
	assert_int_equal(s->part_size, 12);
	v.id = m.u.lease_fetch.v[0].id;
	answer.u.fetched = (struct wire_fetched){
	    .lease = m.u.lease_fetch.lease, .v = &v, .count = 1 };
	send_msg(f, f->status, &answer);
	it = mail_of(x, MAIL_FETCHED);
	assert_true(it->stored.has_md5);
	assert_int_equal(it->stored.md5[15], 7);
	assert_int_equal(it->stored.part_md5s[31], 8);
	assert_string_equal(it->stored.path, "h/s/f");
	assert_string_equal(it->etag, it->stored.etag);
	fetch_item_free(&it);
	wire_msg_release(&m);
	client_free(f);
	team_finish(x);
}

/* The only task that there is for this client. */
static struct wire_msg
take(struct fake *f)
{
	struct wire_msg lease;

	want(f, 1);
	lease = wait_for(f, WIRE_LEASE_PUT);
	assert_int_equal(lease.u.lease_put.count, 1);
	return lease;
}

/* Answer it; the attributes that the task told. */
static struct attrs
answer_to(struct fake *f, struct wire_msg lease, enum outcome outcome,
    struct result r)
{
	struct wire_msg m = { .type = WIRE_RESULTS, .u.results = {
	    .lease = lease.u.lease_put.lease, .v = &r, .count = 1 } };
	struct attrs told = lease.u.lease_put.items[0].attrs;

	r.object = lease.u.lease_put.items[0].object;
	r.outcome = outcome;
	r.attempts = 1;
	r.attrs.kind = ENTRY_FILE;
	send_msg(f, f->status, &m);
	wire_msg_release(&lease);
	return told;
}

static struct attrs
answer(struct fake *f, enum outcome outcome, struct result r)
{
	return answer_to(f, take(f), outcome, r);
}

static void
answer_put(struct fake *f, struct result r)
{
	answer(f, OUTCOME_MOVED, r);
}

static void
answer_changed(struct fake *f, struct result r)
{
	answer(f, OUTCOME_CHANGED, r);
}

/* Results that can't be: another client does it, and if that is no better, the
 * file has failed. Nothing of them is counted. */
static void
test_nonsense(void **state)
{
	struct result bad[5] = {
		{ .attrs.size = 11, .has_md5 = true,
		    .etag = "00000000000000000000000000000000" },
		{ .attrs.size = INT64_MAX, .bytes_sent = UINT64_MAX / 2 },
		{ .attrs.size = 10, .has_md5 = true,
		    .etag = "0123456789abcdef0123456789abcdef" },
		{ .attrs.size = 10, .part_size = 5, .part_count = 3,
		    .part_md5s = xcalloc(3, 16) },
		{ .attrs.size = 10, .part_size = 5, .part_count = 2,
		    .part_md5s = xcalloc(2, 16),
		    .etag = "0123456789abcdef0123456789abcdef-2" },
	};
	struct result good = { .attrs.size = 10, .has_md5 = true,
	    .bytes_sent = 10, .etag = "00000000000000000000000000000000" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fixture *x = team_setup();
		struct fake *f, *g;
		struct results *r;

		team_start(x, OP_PUT);
		f = client(x, 1);
		g = client(x, 2);
		give(x, 1, 1, 10);
		answer_put(f, bad[i]);
		answer_put(g, good);
		r = mail_of(x, MAIL_RESULTS);
		assert_int_equal(r->v[0].outcome, OUTCOME_MOVED);
		assert_int_equal(r->v[0].attrs.size, 10);
		results_free(&r);
		give(x, 1, 2, 10);
		answer_put(g, bad[i]);
		answer_put(f, bad[i]);
		r = mail_of(x, MAIL_RESULTS);
		assert_int_equal(r->v[0].outcome, OUTCOME_FAILED);
		assert_int_equal(r->v[0].attrs.size, 10);
		assert_int_equal(r->v[0].bytes_sent, 0);
		assert_non_null(strstr(r->v[0].err.msg, "(fakehost) tells of"));
		results_free(&r);
		client_free(f);
		client_free(g);
		team_finish(x);
		free(bad[i].part_md5s);
	}
}

/* --- another tree --- */

static char *tree;		/* the master's */
static int64_t ahead_s;		/* of the wall clock */

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, clock, ts);

	if (clock == CLOCK_REALTIME)
		ts->tv_sec += ahead_s;
	return (int)rc;
}

static struct result
version(struct stat *st, int64_t age_s)
{
	return (struct result){ .attrs = { .size = (uint64_t)st->st_size,
	    .ino = st->st_ino, .mtime_ns = st->st_mtim.tv_sec * 1000000000 +
	    st->st_mtim.tv_nsec, .ctime_ns = (st->st_ctim.tv_sec - age_s) *
	    1000000000 + st->st_ctim.tv_nsec } };
}

/* A team whose master has a tree, with one file f0 in it. */
static struct fixture *
with_tree(enum op op, struct stat *st)
{
	struct fixture *x = team_setup();
	AUTOFREE char *file = NULL;
	struct err err = ERR_INIT;
	struct setup s;
	int fd;

	tree = text("/tmp/test-team-tree-XXXXXX");
	assert_non_null(mkdtemp(tree));
	file = xasprintf("%s/f0", tree);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	assert_int_equal(fstat(fd, st), 0);
	close(fd);
	x->conf.socket_options.recv_timeout = 2;
	memset(&s, 0, sizeof(s));
	s.op = op;
	s.conf = &x->conf;
	s.only_read = op == OP_TEST;
	s.export_count = 1;
	s.exports = xcalloc(1, sizeof(*s.exports));
	s.exports[0].type = TREE_POSIX;
	s.exports[0].share = text(tree);
	s.exports[0].root = text("h/s");
	if (crew_team(&x->crew, &s, x->up, &err) == -1)
		fail_msg("%s", err.msg);
	return x;
}

static void
without_tree(struct fixture *x)
{
	AUTOFREE char *file = xasprintf("%s/f0", tree);

	team_finish(x);
	unlink(file);
	rmdir(tree);
	free(tree);
}

static void
give_seen(struct fixture *x, const struct result *seen)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->id = ++x->leases * 100;
	l->count = 1;
	l->items = xcalloc(1, sizeof(*l->items));
	l->items[0].object = l->id;
	l->items[0].path = text("h/s/f0");
	l->items[0].raw = text("f0");
	l->items[0].attrs = seen->attrs;
	l->items[0].attrs.kind = ENTRY_FILE;
	crew_lease(x->crew, l);
}

static void
answer_gone(struct fake *f)
{
	answer(f, OUTCOME_GONE, (struct result){ .took_ms = 1 });
}

static struct fake *
on_good_host(struct fixture *x)
{
	struct fake *g = xcalloc(1, sizeof(*g));

	g->x = x;
	g->pid = 2;
	g->host = "good";
	join_ready(g);
	return g;
}

/* A client that says "gone" of what the master sees, or finds what is older
 * than the crawl saw, or what the master would see by now, sees another tree:
 * another client does the work, and that client gets nothing more, whenever it
 * comes. */
static void
other_tree(bool gone, int64_t age_s)
{
	struct stat st;
	struct fixture *x = with_tree(OP_PUT, &st);
	struct result now = version(&st, 0), old = version(&st, age_s);
	struct results *r;
	struct wire_msg m;
	struct fake *f = client(x, 1), *g;

	give_seen(x, &now);
	old.attrs.size = 7;
	if (gone)
		answer_gone(f);
	else
		answer_changed(f, old);
	wait_clients(x, 1, "lost");
	fake_hang_up(f);
	f->closed = false;
	f->pid = 7;
	f->index = dial_team(x, 0);
	send_hello(f, f->index, 0, WIRE_PROTOCOL, DATAMOVER_VERSION);
	m = wait_for(f, WIRE_REFUSED);
	assert_non_null(strstr(m.u.refused.reason, "another tree"));
	wire_msg_release(&m);
	g = on_good_host(x);
	answer_put(g, now);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, OUTCOME_MOVED);
	assert_int_equal(r->v[0].attrs.size, 10);
	results_free(&r);
	client_free(f);
	client_free(g);
	without_tree(x);
}

static void
test_other_tree(void **state)
{
	(void)state;
	other_tree(true, 100);
	other_tree(false, 100);
	ahead_s = 1000;
	other_tree(false, -100);
	ahead_s = 0;
}

/* A mounted tree may show the master for a while what it was: another client
 * may do it. The one that found another version is named with the failure. */
static void
cached_tree(bool others)
{
	struct stat st;
	struct fixture *x = with_tree(OP_PUT, &st);
	struct result now = version(&st, 0), new = version(&st, -10);
	struct results *r;
	struct fake *f = client(x, 1);

	give_seen(x, &now);
	new.attrs.size = 7;
	answer_changed(f, new);
	if (others) {
		struct fake *g = client(x, 2);

		answer_put(g, now);
		client_free(g);
	}
	for (unsigned i = 0; i < ITEM_CHANGES_MAX && !others; i++)
		answer_changed(f, new);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, others ? OUTCOME_MOVED :
	    OUTCOME_FAILED);
	assert_int_equal(r->v[0].attrs.size, 10);
	if (!others)
		assert_non_null(strstr(r->v[0].err.msg, "(fakehost) finds"));
	results_free(&r);
	assert_false(f->closed);
	client_free(f);
	without_tree(x);
}

static void
test_cached_tree(void **state)
{
	(void)state;
	cached_tree(false);
	cached_tree(true);
}

/* What is gone is gone; what changed since the crawl saw it is what the master
 * sees, too, and is then asked for. Nobody is blamed. */
static void
test_same_tree(void **state)
{
	struct stat st;
	struct fixture *x = with_tree(OP_PUT, &st);
	struct result now = version(&st, 0), old = version(&st, 100);
	AUTOFREE char *file = xasprintf("%s/f0", tree);
	struct attrs told;
	struct results *r;
	struct fake *f = client(x, 1);

	(void)state;
	give_seen(x, &old);
	told = answer(f, OUTCOME_CHANGED, now);
	assert_int_equal(told.ctime_ns, old.attrs.ctime_ns);
	told = answer(f, OUTCOME_MOVED, now);
	assert_int_equal(told.ctime_ns, now.attrs.ctime_ns);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, OUTCOME_MOVED);
	assert_int_equal(r->v[0].attrs.ctime_ns, now.attrs.ctime_ns);
	results_free(&r);
	unlink(file);
	give_seen(x, &old);
	answer_gone(f);
	r = mail_of(x, MAIL_RESULTS);
	if (r->v[0].outcome != OUTCOME_GONE)
		fail_msg("%s", r->v[0].err.msg);
	results_free(&r);
	/* It was removed after the client had seen it. */
	give_seen(x, &old);
	answer_changed(f, now);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, OUTCOME_GONE);
	results_free(&r);
	assert_false(f->closed);
	client_free(f);
	without_tree(x);
}

/* A file that changes all the time: the master asks for what it has just seen,
 * and gives up at last. */
static void
test_grows(void **state)
{
	struct stat st;
	struct fixture *x = with_tree(OP_PUT, &st);
	struct result now = version(&st, 0);
	AUTOFREE char *file = xasprintf("%s/f0", tree);
	struct results *r;
	struct fake *f = client(x, 1);
	int fd = open(file, O_WRONLY | O_APPEND);

	(void)state;
	give_seen(x, &now);
	for (unsigned i = 0; i <= ITEM_CHANGES_MAX; i++) {
		struct wire_msg lease = take(f);
		struct attrs told;

		assert_int_equal(write(fd, "x", 1), 1);
		assert_int_equal(fstat(fd, &st), 0);
		told = answer_to(f, lease, OUTCOME_CHANGED, version(&st, 0));
		assert_int_equal(told.size, 10 + i);
	}
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, OUTCOME_FAILED);
	assert_non_null(strstr(r->v[0].err.msg, "it changed 6 times"));
	results_free(&r);
	assert_false(f->closed);
	close(fd);
	client_free(f);
	without_tree(x);
}

/* --- TEST: what a client says of the file --- */

static struct fetch_item
version_of(struct stat *st, int64_t age_s)
{
	struct result r = version(st, age_s);
	struct fetch_item it = { .size = 10, .result.hashed = true };

	r.attrs.kind = ENTRY_FILE;
	it.result.file_attrs = r.attrs;
	it.result.file_hashed = true;
	return it;
}

static struct fetch_item
gone(void)
{
	struct fetch_item it = { .size = 10, .result.hashed = true };

	err_set(&it.result.file_err, ERR_GONE, ENOENT, "the file is gone");
	return it;
}

/* An object of f0; of this version of it, or of one that nobody knows. */
static void
give_object(struct fixture *x, const struct fetch_item *seen)
{
	struct fetch_item *it = xcalloc(1, sizeof(*it));

	it->key = text("h/s/f0");
	it->raw = text("f0");
	it->size = 10;
	it->has_stored = seen != NULL;
	if (seen != NULL) {
		it->stored.path = text("h/s/f0");
		it->stored.attrs = seen->result.file_attrs;
	}
	crew_fetch(x->crew, it);
}

static void
answer_tested(struct fake *f, struct fetch_item it)
{
	struct wire_fetch v = { .item = &it };
	struct wire_msg m, out = { .type = WIRE_FETCHED };

	want(f, 1);
	m = wait_for(f, WIRE_LEASE_FETCH);
	v.id = m.u.lease_fetch.v[0].id;
	out.u.fetched = (struct wire_fetched){
	    .lease = m.u.lease_fetch.lease, .v = &v, .count = 1 };
	send_msg(f, f->status, &out);
	wire_msg_release(&m);
}

static struct fetch_result
tested(struct fixture *x)
{
	struct fetch_item *it = mail_of(x, MAIL_FETCHED);
	struct fetch_result r = it->result;

	fetch_item_free(&it);
	return r;
}

/* The client sees another tree: another one is asked. */
static void
test_tested_elsewhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct stat st;
		struct fixture *x = with_tree(OP_TEST, &st);
		struct fetch_item now = version_of(&st, 0);
		struct fetch_item said = i == 0 ? gone() :
		    version_of(&st, i == 1 ? 100 : -100);
		struct fetch_result r;
		struct fake *f = client(x, 1), *g;

		said.result.file_attrs.size = 7;
		if (i == 2)
			ahead_s = 1000;
		give_object(x, &now);
		answer_tested(f, said);
		wait_clients(x, 1, "lost");
		g = on_good_host(x);
		answer_tested(g, now);
		r = tested(x);
		assert_int_equal(r.file_err.kind, ERR_NONE);
		assert_int_equal(r.file_attrs.size, 10);
		assert_true(r.file_hashed);
		client_free(f);
		client_free(g);
		without_tree(x);
		ahead_s = 0;
	}
}

/* It may be that the master's mount is old: the client may err, or not. */
static void
tested_in_doubt(bool known, struct fetch_item (*say)(struct stat *),
    bool others)
{
	struct stat st;
	struct fixture *x = with_tree(OP_TEST, &st);
	struct fetch_item now = version_of(&st, 0);
	struct fetch_result r;
	struct fake *f = client(x, 1);

	give_object(x, known ? &now : NULL);
	answer_tested(f, say(&st));
	if (others) {
		struct fake *g = client(x, 2);

		answer_tested(g, now);
		client_free(g);
	}
	for (unsigned i = 0; i < ITEM_CHANGES_MAX && !others; i++)
		answer_tested(f, say(&st));
	r = tested(x);
	if (others) {
		assert_int_equal(r.file_err.kind, ERR_NONE);
		assert_int_equal(r.file_attrs.size, 10);
	} else {
		assert_int_equal(r.file_err.kind, ERR_UNREACHABLE);
		assert_non_null(strstr(r.file_err.msg, "(fakehost) finds"));
	}
	assert_false(f->closed);
	client_free(f);
	without_tree(x);
}

static struct fetch_item
say_newer(struct stat *st)
{
	struct fetch_item it = version_of(st, -10);

	it.result.file_attrs.size = 7;
	return it;
}

static struct fetch_item
say_torn(struct stat *st)
{
	struct fetch_item it = version_of(st, 0);

	it.result.file_torn = true;
	return it;
}

static struct fetch_item
say_gone(struct stat *st)
{
	(void)st;
	return gone();
}

static void
test_tested_in_doubt(void **state)
{
	(void)state;
	tested_in_doubt(true, say_newer, true);
	tested_in_doubt(true, say_newer, false);
	tested_in_doubt(true, say_torn, true);
	tested_in_doubt(false, say_newer, true);
	tested_in_doubt(false, say_gone, true);
	tested_in_doubt(false, say_gone, false);
}

/* What the master finds, too, stands, and nobody is blamed. Nothing is looked
 * up for a file that is as it was. */
static void
test_tested_as_is(void **state)
{
	struct stat st;
	struct fixture *x = with_tree(OP_TEST, &st);
	struct team *t = (struct team *)(void *)x->crew;
	struct fetch_item was = version_of(&st, 0), later = was, now;
	AUTOFREE char *file = xasprintf("%s/f0", tree);
	struct fetch_result r;
	struct fake *f = client(x, 1);
	int fd;

	(void)state;
	give_object(x, &was);
	answer_tested(f, was);
	assert_true(tested(x).file_hashed);
	assert_null(t->look.in);
	fd = open(file, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	now = version_of(&st, 0);
	/* Also if all times are older than those of the object's version, as
	 * after a restored image. */
	later.result.file_attrs.ctime_ns += INT64_C(1000000000000);
	for (unsigned i = 0; i < 4; i++) {
		struct fetch_item said = i == 1 ? gone() : now;

		give_object(x, i == 3 ? NULL : i == 2 ? &later : &was);
		answer_tested(f, said);
		r = tested(x);
		assert_int_equal(r.file_err.kind, ERR_NONE);
		assert_int_equal(r.file_attrs.size, 11);
		assert_true(r.file_hashed == (i == 3));
	}
	assert_int_equal(unlink(file), 0);
	for (unsigned i = 0; i < 3; i++) {
		give_object(x, i == 2 ? NULL : &was);
		answer_tested(f, i == 0 ? now : gone());
		assert_int_equal(tested(x).file_err.kind, ERR_GONE);
	}
	assert_int_equal(mkdir(file, 0700), 0);
	give_object(x, &was);
	answer_tested(f, gone());
	assert_int_equal(tested(x).file_err.kind, ERR_GONE);
	assert_int_equal(rmdir(file), 0);
	assert_false(f->closed);
	client_free(f);
	without_tree(x);
}

/* Nobody waits for a client that would be sent away, although its program runs
 * and may call again; for another one that was lost somebody does. */
static void
test_barred_is_not_awaited(void **state)
{
	struct conf conf = { .socket_options.recv_timeout = 30 };
	struct team_client barred = { .host = "bad",
	    .state = CLIENT_LOST, .running = true, .barred = true,
	    .err = { .kind = ERR_DENIED, .msg = "sees another tree" } };
	struct team_client lost = { .host = "good",
	    .state = CLIENT_LOST, .running = true };
	struct team_client next = { .host = "bad",
	    .state = CLIENT_LAUNCHING };
	struct team_client *clients[] = { &barred, &next, &lost };
	struct team t = { .conf = &conf, .up = mailbox_new(0),
	    .silence_ms = 30000, .now_ms = 1, .clients = clients,
	    .client_count = 3 };

	(void)state;
	team_watch(&t);
	assert_false(t.failed);
	t.client_count = 2;
	team_watch(&t);
	assert_true(t.failed);
	free(mailbox_take(t.up));
	mailbox_free(&t.up);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_other_tree),
		cmocka_unit_test(test_cached_tree),
		cmocka_unit_test(test_same_tree),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_tested_elsewhere),
		cmocka_unit_test(test_tested_in_doubt),
		cmocka_unit_test(test_tested_as_is),
		cmocka_unit_test(test_barred_is_not_awaited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
