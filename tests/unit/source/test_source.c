/*
 * Where GET, DEL and TEST get their keys from: which prefixes, all keys of
 * them once, and no more pages at once than there may be.
 */
#include "kit/run.h"

#include "source/source.h"

struct fixture {
	struct fake_s3 f;
	struct conf conf;
	struct job job;
	struct mailbox *up;
	struct source *s;
};

static struct fixture *
setup(void)
{
	struct fixture *x = xcalloc(1, sizeof(*x));

	fake_start(&x->f);
	conf_of_fake(&x->conf, &x->f);
	x->up = mailbox_new(0);
	return x;
}

static void
teardown(struct fixture *x)
{
	struct mail *m, *next;

	source_free(&x->s);
	for (m = mailbox_take(x->up); m != NULL; m = next) {
		struct source_page *p = (struct source_page *)(void *)m;

		next = m->next;
		source_page_free(NULL, &p);
	}
	mailbox_free(&x->up);
	fake_stop(&x->f);
	conf_release(&x->conf);
	free(x);
}

static void
share(struct fixture *x, const char *server, const char *path)
{
	size_t n = x->conf.fs_config.nfs_count++;

	x->conf.fs_config.nfs = xreallocarray(x->conf.fs_config.nfs, n + 1,
	    sizeof(*x->conf.fs_config.nfs));
	x->conf.fs_config.nfs[n] = (struct conf_nfs){
	    .name = xstrdup(server), .server = xstrdup(server) };
	strlist_add(&x->conf.fs_config.nfs[n].shares, path);
}

static void
begin(struct fixture *x, bool ordered)
{
	struct source_config c = { .conf = &x->conf, .job = &x->job,
	    .ordered = ordered, .up = x->up };
	struct err err = ERR_INIT;

	if (source_start(&x->s, &c, &err) == -1)
		fail_msg("%s", err.msg);
}

/* The prefixes, each with a blank behind. */
static void
expect_prefixes(struct fixture *x, const char *expected)
{
	struct err err = ERR_INIT;
	struct strlist l = { .v = NULL };
	char all[200] = "";

	if (source_prefixes(&x->conf, &x->job, &l, &err) == -1)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < l.n; i++) {
		strncat(all, l.v[i], sizeof(all) - strlen(all) - 2);
		strncat(all, " ", 2);
	}
	assert_string_equal(all, expected);
	strlist_clear(&l);
}

static void
test_prefixes(void **state UNUSED)
{
	struct fixture *x = setup();
	struct err err = ERR_INIT;
	struct strlist l = { .v = NULL };

	share(x, "h2", "/b/c");
	share(x, "h1", "/b");
	share(x, "h2", "/b");
	share(x, "h2", "/bc");
	/* Sorted; what lies in another comes with it. */
	expect_prefixes(x, "h1/b/ h2/b/ h2/bc/ ");
	x->conf.fs_config.server_as_prefix = false;
	expect_prefixes(x, "b/ bc/ ");
	x->conf.fs_config.server_as_prefix = true;
	x->job.prefix = (char []){ "h1/b/dir/" };
	expect_prefixes(x, "h1/b/dir/ ");
	x->job.prefix = (char []){ "else/" };
	assert_int_equal(source_prefixes(&x->conf, &x->job, &l, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	x->job.all = true;
	expect_prefixes(x, "else/ ");
	x->job.prefix = NULL;
	expect_prefixes(x, " ");
	teardown(x);
}

static void
fill(struct fixture *x, const char *prefix, unsigned count)
{
	pthread_mutex_lock(&x->f.lock);
	for (unsigned i = 0; i < count; i++) {
		AUTOFREE char *key = xasprintf("%s%03u", prefix, i);
		struct fake_object *o = fake_store_locked(&x->f, key);

		for (unsigned k = 0; k < i; k++)
			buf_addch(&o->data, 'x');
		snprintf(o->etag, sizeof(o->etag), "etag-%u", i);
	}
	pthread_mutex_unlock(&x->f.lock);
}

/* Take pages until the end comes; frees each. In all: the keys. */
static unsigned
take_all(struct fixture *x, struct err *err)
{
	char last[100] = "";
	unsigned count = 0;

	for (bool end = false; !end;) {
		struct mail *m = mailbox_wait(x->up, 20000), *next;

		assert_non_null(m);
		for (; m != NULL; m = next) {
			struct source_page *p =
			    (struct source_page *)(void *)m;

			next = m->next;
			assert_false(end);
			for (size_t i = 0; i < p->count; i++) {
				const struct source_key *k = &p->keys[i];
				char etag[72];

				/* Each once, and with what is known. */
				assert_true(strcmp(last, k->key) < 0);
				assert_int_equal(k->len, strlen(k->key));
				assert_int_equal(k->size,
				    strtoul(k->key + k->len - 3, NULL, 10));
				snprintf(etag, sizeof(etag), "etag-%ju",
				    (uintmax_t)k->size);
				assert_string_equal(k->etag, etag);
				assert_int_equal(k->modified_sec, 1577836800);
				snprintf(last, sizeof(last), "%s", k->key);
				count++;
			}
			end = p->end;
			*err = p->err;
			source_page_free(x->s, &p);
		}
	}
	return count;
}

static void
test_all_keys(void **state UNUSED)
{
	struct fixture *x = setup();
	struct err err;

	share(x, "h", "/b");
	share(x, "h", "/d");
	fill(x, "h/a/", 5);
	fill(x, "h/b/", 30);
	fill(x, "h/bb/", 5);
	fill(x, "h/d/", 20);
	x->f.locked.page_keys = 7;
	begin(x, true);
	assert_int_equal(take_all(x, &err), 50);
	assert_int_equal(err.kind, ERR_NONE);
	source_free(&x->s);
	x->job.all = true;
	begin(x, true);
	assert_int_equal(take_all(x, &err), 60);
	assert_int_equal(err.kind, ERR_NONE);
	teardown(x);
}

/* Nobody frees pages: the listing waits, and goes on when somebody does. */
static void
test_pages_wait(void **state UNUSED)
{
	struct source_page *held[SOURCE_PAGES + 8];
	struct fixture *x = setup();
	unsigned pages = 0, keys = 0;
	struct err err;

	fill(x, "k", 100);
	x->job.all = true;
	x->f.locked.page_keys = 3;
	begin(x, true);
	while (pages < SOURCE_PAGES) {
		struct mail *m = mailbox_wait(x->up, 20000), *next;

		assert_non_null(m);
		for (; m != NULL; m = next) {
			next = m->next;
			assert_true(pages < ARRAY_LEN(held));
			held[pages++] = (struct source_page *)(void *)m;
		}
	}
	assert_null(mailbox_wait(x->up, 50));
	assert_int_equal(pages, SOURCE_PAGES);
	for (unsigned i = 0; i < pages; i++) {
		keys += (unsigned)held[i]->count;
		source_page_free(x->s, &held[i]);
	}
	assert_int_equal(keys + take_all(x, &err), 100);
	assert_int_equal(err.kind, ERR_NONE);
	teardown(x);
}

/* Why it broke off, the last page says. */
static void
test_refused(void **state UNUSED)
{
	struct fixture *x = setup();
	struct err err;

	fill(x, "k", 5);
	x->job.all = true;
	x->f.locked.denies = true;
	begin(x, false);
	assert_int_equal(take_all(x, &err), 0);
	assert_int_equal(err.kind, ERR_DENIED);
	teardown(x);
}

/* In the middle of it, with pages out and pages left in the mailbox. */
static void
test_freed_early(void **state UNUSED)
{
	struct fixture *x = setup();
	struct source_page *p;
	struct mail *m;

	fill(x, "k", 100);
	x->job.all = true;
	x->f.locked.page_keys = 1;
	begin(x, false);
	m = mailbox_wait(x->up, 20000);
	assert_non_null(m);
	source_free(&x->s);
	assert_null(x->s);
	for (struct mail *next; m != NULL; m = next) {
		next = m->next;
		p = (struct source_page *)(void *)m;
		source_page_free(NULL, &p);
		assert_null(p);
	}
	teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_pages_wait),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_freed_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
