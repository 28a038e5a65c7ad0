/* The sender over a local tree, with an S3 that does as it is told. */

#include "kit/sender.h"

static void
test_moves(void **state UNUSED)
{
	/* Of two uploads, the fake would know one. */
	static const size_t sizes[] = { 0, 1, PART - 1, PART,
	    12 * PART + 5 };
	struct fixture *x = sender_setup();

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		write_file(x, i, sizes[i], 7);
	move(x, new_lease(x, 5));
	for (unsigned i = 0; i < 5; i++) {
		assert_stored(x, i);
		assert_int_equal(x->got[i].outcome, OUTCOME_MOVED);
	}
	assert_int_equal(x->got[3].part_size, 0);
	assert_int_equal(x->got[4].part_size, PART);
	assert_int_equal(x->got[4].part_count, 13);
	assert_int_equal(x->notes[UPLOAD_INTENT], 1);
	assert_int_equal(x->notes[UPLOAD_CREATED], 1);
	assert_int_equal(x->notes[UPLOAD_ENDED], 1);
	sender_teardown(x);
}

static void
test_dryrun(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	struct lease *l;

	x->c.dryrun = true;
	write_file(x, 0, 100, 7);
	write_file(x, 1, 9 * PART, 7);
	l = new_lease(x, 2);
	/* A killed run has left an upload: it stays for the next. */
	l->items[1].upload_id = xstrdup("U1");
	l->items[1].upload_part_size = PART;
	move(x, l);
	assert_int_equal(x->got[1].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[1].bytes_sent, 9 * PART);
	assert_int_equal(x->f.conn_count, 0);
	sender_teardown(x);
}

/* Stat says unchanged, and it is to be read again all the same: the bytes say
 * whether it would be sent. */
static void
test_dryrun_unchanged(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct lease *l;
	size_t conns;

	write_file(x, 0, 100, 7);
	write_file(x, 1, 3 * PART, 7);
	move(x, new_lease(x, 2));
	x->c.dryrun = true;
	conns = x->f.conn_count;
	for (unsigned i = 0; i < 2; i++) {
		l = held_lease(x, 2);
		l->items[0].flags = l->items[1].flags = ITEM_CHECKSUM;
		/* The second time they differ. */
		l->items[0].prev_md5[0] ^= (uint8_t)i;
		l->items[1].prev_md5[0] ^= (uint8_t)i;
		move(x, l);
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(x->got[k].outcome, i == 0 ?
			    OUTCOME_UNCHANGED : OUTCOME_MOVED);
	}
	assert_int_equal(x->f.conn_count, conns);
	sender_teardown(x);
}

static void
test_changed_before_read(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct lease *l;
	struct attrs now;

	write_file(x, 0, 100, 7);
	l = new_lease(x, 1);
	write_file(x, 0, 300, 8);
	now = attrs_of(x, 0);
	move(x, l);
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].attrs.size, 300);
	assert_int_equal(x->got[0].attrs.mtime_ns, now.mtime_ns);
	assert_int_equal(x->f.locked.puts, 1);
	sender_teardown(x);
}

static void
rewrite(void *arg, unsigned count)
{
	if (count == 1)
		write_file(arg, 0, 12 * PART, 8);
}

/* While its first part is on the way, the file becomes another one. */
static void
test_changed_while_read(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct attrs now;

	x->c.workers = 1;
	x->f.locked.on_put = rewrite;
	x->f.locked.arg = x;
	write_file(x, 0, 12 * PART, 7);
	move(x, new_lease(x, 1));
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	now = attrs_of(x, 0);
	assert_int_equal(x->got[0].attrs.mtime_ns, now.mtime_ns);
	assert_int_equal(x->f.locked.aborts, 1);
	assert_int_equal(x->f.locked.creates, 2);
	assert_null(x->f.locked.upload.key);
	sender_teardown(x);
}

/* A client moves only the version that it was told of. */
static void
test_exact(void **state UNUSED)
{
	for (int i = 0; i < 4; i++) {
		struct fixture *x = sender_setup();
		AUTOFREE char *path = path_of(x, 0);
		struct lease *l;

		x->c.exact = true;
		x->c.exact_but = i == 3 ? ATTRS_CTIME : 0;
		write_file(x, 0, 100, 7);
		l = new_lease(x, 1);
		if (i == 0)
			write_file(x, 0, 300, 8);
		else if (i == 1)
			assert_int_equal(unlink(path) | mkdir(path, 0755), 0);
		else
			assert_int_equal(chmod(path, 0600), 0);
		move(x, l);
		assert_int_equal(x->got[0].outcome, i == 3 ? OUTCOME_MOVED :
		    OUTCOME_CHANGED);
		assert_int_equal(x->f.locked.puts, i == 3);
		if (i == 0)
			assert_int_equal(x->got[0].attrs.size, 300);
		assert_int_equal(x->got[0].attrs.kind, i == 1 ? ENTRY_DIR :
		    ENTRY_FILE);
		if (i == 1)
			assert_int_equal(rmdir(path), 0);
		sender_teardown(x);
	}
}

static void
rewrite_denied(void *arg, unsigned count)
{
	struct fixture *x = arg;

	rewrite(x, count);
	x->f.locked.denies = true;
}

/* The upload has ended before the master hears that the file has changed, or
 * the file has failed. */
static void
test_exact_upload(void **state UNUSED)
{
	for (int i = 0; i < 2; i++) {
		struct fixture *x = sender_setup();

		x->c.exact = true;
		x->c.workers = 1;
		x->f.locked.on_put = i == 1 ? rewrite_denied : rewrite;
		x->f.locked.arg = x;
		write_file(x, 0, 12 * PART, 7);
		move(x, new_lease(x, 1));
		assert_int_equal(x->got[0].outcome, i == 1 ? OUTCOME_FAILED :
		    OUTCOME_CHANGED);
		assert_int_equal(x->f.locked.creates, 1);
		assert_int_equal(x->notes[UPLOAD_ENDED], i == 0);
		assert_int_equal(x->ended_at, 0);
		sender_teardown(x);
	}
}

static void
test_gone(void **state UNUSED)
{
	AUTOFREE char *path = NULL;
	struct fixture *x = sender_setup();
	struct lease *l;

	write_file(x, 0, 100, 7);
	l = new_lease(x, 1);
	path = path_of(x, 0);
	assert_int_equal(unlink(path), 0);
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_GONE);
	assert_int_equal(x->f.locked.puts, 0);
	sender_teardown(x);
}

/* Bytes that arrive wrong are sent again. */
static void
test_corrupt(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	x->f.locked.wrong_etags = 2;
	write_file(x, 0, 100, 7);
	move(x, new_lease(x, 1));
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->f.locked.puts, 3);
	sender_teardown(x);
}

/* An upload is made, but the connection, one that was kept, ends without an
 * answer: what nobody knows is aborted. */
static void
test_create_unanswered(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	x->c.workers = 1;
	write_file(x, 0, 100, 7);
	sender_begin(x);
	sender_give(x->sender, new_lease(x, 1));
	sender_finish(x, 1);
	forget(x);
	pthread_mutex_lock(&x->f.lock);
	x->f.locked.swallow = true;
	pthread_mutex_unlock(&x->f.lock);
	write_file(x, 0, 3 * PART, 7);
	sender_give(x->sender, new_lease(x, 1));
	sender_finish(x, 1);
	end_sender(x);
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->f.locked.aborts, 1);
	assert_null(x->f.locked.orphan);
	sender_teardown(x);
}

/* Open leases of a run that died: what arrived is not sent again. */
static void
test_settle(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct fake_object *o;
	struct lease *l;

	write_file(x, 0, 100, 7);
	write_file(x, 1, 100, 7);
	write_file(x, 2, 3 * PART, 7);
	move(x, new_lease(x, 3));
	forget(x);
	/* Of another content, though size and time are the same. */
	o = fake_find_locked(&x->f, "s/f0");
	o->data.data[0]++;
	memset(o->etag, '0', 32);
	l = new_lease(x, 3);
	for (unsigned i = 0; i < 3; i++)
		l->items[i].flags = ITEM_SETTLE;
	move(x, l);
	for (unsigned i = 0; i < 3; i++) {
		assert_stored(x, i);
		assert_int_equal(x->got[i].outcome, OUTCOME_MOVED);
	}
	assert_int_equal(x->f.locked.heads, 3);
	assert_int_equal(x->f.locked.puts, 2 + 1);
	assert_int_equal(x->f.locked.creates, 1);
	sender_teardown(x);
}

/* Settling is no proof: what arrives wrong again and again has failed. */
static void
test_settle_corrupt(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct lease *l;

	x->f.locked.wrong_etags = 100;
	write_file(x, 0, 100, 7);
	l = new_lease(x, 1);
	l->items[0].flags = ITEM_SETTLE;
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_FAILED);
	assert_int_equal(x->got[0].err.kind, ERR_CORRUPT);
	sender_teardown(x);
}

static void
test_compare(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	for (unsigned i = 0; i < 4; i++)
		write_file(x, i, i == 3 ? 3 * PART : 100, 7);
	move(x, new_lease(x, 4));
	/* 0 as it was, 1 and 3 of another time, 2 of other bytes. */
	touch(x, 1);
	touch(x, 3);
	write_file(x, 2, 100, 8);
	move(x, held_lease(x, 4));
	for (unsigned i = 0; i < 4; i++) {
		assert_stored(x, i);
		assert_int_equal(x->got[i].outcome, i == 2 ? OUTCOME_MOVED :
		    OUTCOME_UNCHANGED);
	}
	assert_int_equal(x->f.locked.copies, 2);
	assert_int_equal(x->f.locked.puts, 3 + 1);
	assert_int_equal(x->f.locked.creates, 1);
	assert_non_null(strstr(fake_find_locked(&x->f, "s/f1")->meta.data,
	    "file-mtime: 5000000000ns"));
	sender_teardown(x);
}

/* Several clients have sent it: there is no digest of the whole. */
static void
move_sent_by_many(struct fixture *x, uint32_t flags)
{
	struct lease *l = held_lease(x, 1);

	l->items[0].prev_has_md5 = false;
	l->items[0].flags = flags;
	x->f.locked.creates = x->f.locked.parts = 0;
	move(x, l);
	assert_stored(x, 0);
	assert_true(x->got[0].has_md5);		/* from now on */
}

static void
test_compare_by_parts(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	write_file(x, 0, 3 * PART + 7, 7);
	move(x, new_lease(x, 1));
	x->c.part_size = 2 * PART;
	move_sent_by_many(x, ITEM_CHECKSUM);
	assert_int_equal(x->got[0].outcome, OUTCOME_UNCHANGED);
	assert_int_equal(x->got[0].part_size, PART);
	assert_int_equal(x->f.locked.creates, 0);

	write_file(x, 0, 3 * PART + 7, 8);
	move_sent_by_many(x, ITEM_CHECKSUM);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->f.locked.creates, 1);
	assert_int_equal(x->f.locked.parts, 2);

	touch(x, 0);
	move_sent_by_many(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_UNCHANGED);
	assert_int_equal(x->f.locked.creates, 0);
	assert_int_equal(x->f.locked.copies, 1);
	sender_teardown(x);
}

/* The file is again what was stored, but another version of it was sent since
 * and its result lost: S3 holds that one. */
static void
test_reverted(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct lease *l;

	write_file(x, 0, 100, 7);
	move(x, new_lease(x, 1));
	l = held_lease(x, 1);
	memset(x->f.locked.objects[0].etag, '0', 32);
	x->f.locked.objects[0].data.data[0]++;
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->f.locked.puts, 2);
	assert_stored(x, 0);
	sender_teardown(x);
}

static void
wait_for_puts(struct fixture *x, unsigned count)
{
	pthread_mutex_lock(&x->f.lock);
	while (x->f.locked.in_flight < count)
		pthread_cond_wait(&x->f.changed, &x->f.lock);
	pthread_mutex_unlock(&x->f.lock);
}

static void
release(struct fixture *x)
{
	pthread_mutex_lock(&x->f.lock);
	x->f.locked.held = false;
	pthread_cond_broadcast(&x->f.changed);
	pthread_mutex_unlock(&x->f.lock);
}

/* No more files are in memory than fit. */
static void
test_memory(void **state UNUSED)
{
	struct s3_stats stats = { .requests = 0 };
	struct fixture *x = sender_setup();
	uint64_t read = 0;

	x->c.workers = 1;
	x->c.memory_bytes = 2 * PART;
	x->f.locked.held = true;
	for (unsigned i = 0; i < 20; i++)
		write_file(x, i, PART, 7);
	sender_begin(x);
	sender_give(x->sender, new_lease(x, 20));
	wait_for_puts(x, 2);
	pool_stats(sender_pool(x->sender), &stats, &read);
	assert_int_equal(read, 2 * PART);
	release(x);
	sender_finish(x, 20);
	end_sender(x);
	for (unsigned i = 0; i < 20; i++)
		assert_stored(x, i);
	forget(x);
	sender_teardown(x);
}

/* Parts that no worker can hold are streamed, also after one arrived wrong. */
static void
test_stream(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	x->c.workers = 1;
	x->c.part_size = 16 * PART;
	x->c.memory_bytes = 8 * PART;
	write_file(x, 0, 80 * PART + 1, 7);
	move(x, new_lease(x, 1));
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].part_count, 6);
	assert_true(x->got[0].has_md5);
	forget(x);
	x->f.locked.wrong_etags = 2;
	write_file(x, 1, 48 * PART, 8);
	{
		struct lease *l = new_lease(x, 2);

		item_release(&l->items[0]);
		l->items[0] = l->items[1];
		l->count = 1;
		move(x, l);
	}
	assert_stored(x, 1);
	sender_teardown(x);
}

/* A worker that holds 8 parts of 64 KiB, and parts of twice that size. */
static struct fixture *
setup_streams(void)
{
	struct fixture *x = sender_setup();

	x->c.workers = 1;
	x->c.part_size = 16 * PART;
	x->c.memory_bytes = 8 * PART;
	return x;
}

/* A part that failed, or that was damaged, goes again alone, and S3 checks
 * each with a digest of its own, as its ETag may be none. */
static void
test_stream_proof(void **state UNUSED)
{
	struct fixture *x = setup_streams();

	x->c.s3.store.sse = "aws:kms";
	x->f.locked.opaque_etags = true;
	x->f.locked.fail_parts = 1;
	x->f.locked.damaged = 2;
	write_file(x, 0, 40 * PART + 1, 7);
	move(x, new_lease(x, 1));
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->f.locked.without_md5, 0);
	assert_int_equal(x->f.locked.parts, 3 + 2);
	assert_int_equal(x->f.locked.creates, 1);
	sender_teardown(x);
}

/* The file was stored in large parts, is changed in place, and other parts
 * are configured by now: its upload goes on in its own parts after a fault. */
static void
test_stream_other_plan(void **state UNUSED)
{
	for (unsigned part = 1; part <= 24; part += part < 4 ? 3 : 20) {
		struct fixture *x = setup_streams();

		write_file(x, 0, 12 * PART + 1, 7);
		x->c.part_size = 9 * PART;
		move(x, new_lease(x, 1));
		assert_int_equal(x->got[0].part_count, 2);
		write_file(x, 0, 12 * PART + 1, 8);
		x->c.part_size = part * PART;
		x->f.locked.fail_parts = 1;
		x->f.locked.wrong_etags = 1;
		move(x, held_lease(x, 1));
		assert_stored(x, 0);
		assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
		sender_teardown(x);
	}
}

/* Streamed parts are compared too: nothing is sent that S3 has. */
static void
test_stream_compare(void **state UNUSED)
{
	struct fixture *x = setup_streams();
	struct lease *l;

	write_file(x, 0, 40 * PART, 7);
	move(x, new_lease(x, 1));
	forget(x);
	l = new_lease(x, 1);
	l->items[0].flags = ITEM_SETTLE;
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->f.locked.parts, 3);
	touch(x, 0);
	move(x, held_lease(x, 1));
	assert_int_equal(x->got[0].outcome, OUTCOME_UNCHANGED);
	assert_int_equal(x->f.locked.parts, 3);
	assert_int_equal(x->f.locked.copies, 1);
	/* What another content left there is sent. */
	x->f.locked.objects[0].etag[0] ^= 1;
	l = new_lease(x, 1);
	l->items[0].flags = ITEM_SETTLE;
	forget(x);
	move(x, l);
	assert_stored(x, 0);
	assert_int_equal(x->f.locked.parts, 6);
	sender_teardown(x);
}

static void
test_stream_dryrun(void **state UNUSED)
{
	struct fixture *x = setup_streams();

	x->c.dryrun = true;
	write_file(x, 0, 40 * PART + 1, 7);
	move(x, new_lease(x, 1));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].bytes_sent, 40 * PART + 1);
	assert_int_equal(x->f.conn_count, 0);
	sender_teardown(x);
}

/* What is on the way ends; nothing else begins. */
static void
test_stop(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	x->f.locked.held = true;
	for (unsigned i = 0; i < ITEMS; i++)
		write_file(x, i, 100, 7);
	sender_begin(x);
	sender_give(x->sender, new_lease(x, ITEMS));
	wait_for_puts(x, 2 * 8);
	pool_stop(sender_pool(x->sender), 600000);
	assert_int_equal(pool_backlog(sender_pool(x->sender)),
	    ITEMS - 2 * 2 * 8);
	release(x);
	end_sender(x);
	assert_int_equal(x->count, 2 * 2 * 8);
	for (unsigned i = 0; i < ITEMS; i++)
		if (x->got[i].object != 0) {
			assert_int_equal(x->got[i].outcome, OUTCOME_MOVED);
			assert_stored(x, i);
		}
	sender_teardown(x);
}

/* What does not end in time has no result. */
static void
test_stop_at_once(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	x->f.locked.held = true;
	for (unsigned i = 0; i < 40; i++)
		write_file(x, i, i == 20 ? 9 * PART : 100, 7);
	sender_begin(x);
	sender_give(x->sender, new_lease(x, 40));
	wait_for_puts(x, 2 * 8);
	pool_stop(sender_pool(x->sender), 0);
	while (!pool_idle(sender_pool(x->sender)))
		take_mail(x, 1);
	/* The answer to an intent, too late. */
	sender_noted(x->sender, 0, 21);
	end_sender(x);
	assert_int_equal(x->count, 0);
	release(x);
	sender_teardown(x);
}

/* Its time is over before it begins: nothing goes out until the end is moved
 * on. */
static void
test_valid_until(void **state UNUSED)
{
	static struct s3_gate gate;
	struct fixture *x = sender_setup();

	write_file(x, 0, 1000, 1);
	write_file(x, 1, 4 * PART, 1);
	x->c.s3.gate = &gate;
	sender_begin(x);
	s3_gate_valid_until(&gate, 1);
	sender_give(x->sender, new_lease(x, 2));
	/* Both have been read by then, and are to be sent. */
	while (x->notes[UPLOAD_INTENT] == 0)
		take_mail(x, -1);
	for (int i = 0; i < 5; i++)
		take_mail(x, 10);
	pthread_mutex_lock(&x->f.lock);
	assert_int_equal(x->f.locked.puts + x->f.locked.creates, 0);
	pthread_mutex_unlock(&x->f.lock);
	s3_gate_valid_until(&gate, clock_mono_ms() + 3600000);
	sender_finish(x, 2);
	assert_stored(x, 0);
	assert_stored(x, 1);
	sender_teardown(x);
}

/* A rate at which this would last for years, raised while it goes on. */
static void
test_limits_change(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	write_file(x, 0, PART, 1);
	write_file(x, 1, 4 * PART, 1);
	x->c.bwlimit = 1;
	sender_begin(x);
	pool_limits(sender_pool(x->sender), 1, 1);
	sender_give(x->sender, new_lease(x, 2));
	take_mail(x, 10);
	pool_limits(sender_pool(x->sender), 1 * GIB, 0);
	take_mail(x, 10);
	pool_limits(sender_pool(x->sender), 0, 0);
	sender_finish(x, 2);
	assert_stored(x, 0);
	assert_stored(x, 1);
	sender_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_dryrun),
		cmocka_unit_test(test_dryrun_unchanged),
		cmocka_unit_test(test_changed_before_read),
		cmocka_unit_test(test_changed_while_read),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_exact_upload),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_create_unanswered),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_compare_by_parts),
		cmocka_unit_test(test_settle_corrupt),
		cmocka_unit_test(test_reverted),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_proof),
		cmocka_unit_test(test_stream_other_plan),
		cmocka_unit_test(test_stream_compare),
		cmocka_unit_test(test_stream_dryrun),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_at_once),
		cmocka_unit_test(test_valid_until),
		cmocka_unit_test(test_limits_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
