/*
 * The ground floor: buf, escapes, err, backoff, idset, mailbox.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/idset.h"
#include "base/mailbox.h"

static void
test_buf(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(buf_str(&b).len, 0);
	assert_int_equal(buf_addstr(&b, "one"), 0);
	assert_int_equal(buf_addch(&b, ' '), 0);
	assert_int_equal(buf_addf(&b, "%d-%s", 2, "three"), 0);
	assert_int_equal(buf_add(&b, "\0x", 2), 0);
	assert_int_equal(b.len, 13);
	assert_memory_equal(b.data, "one 2-three\0x", 14);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	buf_clear(&b);
	assert_string_equal(b.data, "");
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_addch(&b, 'x'), 0);
	assert_int_equal(b.len, 1000);
	buf_release(&b);
	assert_null(b.data);
}

/* Over the ceiling nothing is appended, then or later, until it is cleared. */
static void
test_buf_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_int_equal(buf_addstr(&b, "1234"), 0);
	assert_false(buf_overflowed(&b));
	assert_int_equal(buf_addstr(&b, "56"), -1);
	assert_true(buf_overflowed(&b));
	assert_int_equal(buf_addch(&b, '5'), -1);
	assert_int_equal(buf_addf(&b, "%d", 5), -1);
	assert_string_equal(b.data, "1234");
	buf_clear(&b);
	assert_false(buf_overflowed(&b));
	assert_int_equal(buf_addstr(&b, "12345"), 0);
	assert_int_equal(buf_add(&b, "x", SIZE_MAX - 2), -1);
	buf_release(&b);
	assert_int_equal(buf_addstr(&b, "12345"), 0);
	assert_int_equal(buf_addch(&b, '6'), -1);
	buf_release(&b);
}

static void
test_str(void **state)
{
	(void)state;
	assert_true(str_eq(STR("abc"), str_of("abc")));
	assert_false(str_eq(STR("abc"), STR("abd")));
	assert_false(str_eq(STR("abc"), STR("ab")));
	assert_true(str_eq(STR(""), (struct str){ NULL, 0 }));
	assert_true(str_starts(STR("abc"), STR("ab")));
	assert_true(str_starts(STR("abc"), STR("")));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_false(str_starts(STR("xbc"), STR("ab")));
	assert_true(str_ends(STR("abc"), STR("bc")));
	assert_false(str_ends(STR("c"), STR("bc")));
	assert_false(str_ends(STR("abx"), STR("bc")));
}

/* RFC 3629: the byte ranges, at both ends of each. */
static void
test_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t want;
	} rows[] = {
		{ "", 0 }, { "a", 1 }, { "\x7f", 1 }, { "\x80", 0 },
		{ "\xbf", 0 }, { "\xc1\xbf", 0 }, { "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 }, { "\xc2\x7f", 0 }, { "\xc2\xc0", 0 },
		{ "\xc2", 0 }, { "\xe0\x9f\xbf", 0 }, { "\xe0\xa0\x80", 3 },
		{ "\xef\xbf\xbf", 3 }, { "\xed\x9f\xbf", 3 },
		{ "\xed\xa0\x80", 0 }, { "\xee\x80\x80", 3 },
		{ "\xe1\x80", 0 }, { "\xe1\x80\x7f", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 }, { "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 }, { "\xf4\x90\x80\x80", 0 },
		{ "\xf1\x80\x80\xc0", 0 }, { "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(utf8_len(rows[i].text,
		    strlen(rows[i].text)), rows[i].want);
	/* It doesn't look behind the end. */
	assert_int_equal(utf8_len("\xc3\xa9", 1), 0);
	assert_int_equal(utf8_len("\0", 1), 1);
}

static void
test_escape(void **state)
{
	static const char *const pairs[][2] = {
		{ "plain", "plain" }, { "a\nb", "a\\x0ab" },
		{ "\x1b[31m", "\\x1b[31m" }, { "\x7f", "\\x7f" },
		{ "back\\slash", "back\\\\slash" },
		{ "\xc3\xa9", "\xc3\xa9" }, { "\xff", "\\xff" },
		{ "\xc2\x9b", "\\xc2\\x9b" }, { "\xc2\xa0", "\xc2\xa0" },
	};
	struct buf b;
	char out[8], all[16];

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_clear(&b);
		assert_int_equal(buf_add_escaped(&b, str_of(pairs[i][0])), 0);
		assert_string_equal(b.data, pairs[i][1]);
		assert_string_equal(str_escape(str_of(pairs[i][0]), all,
		    sizeof(all)), pairs[i][1]);
	}
	buf_clear(&b);
	assert_int_equal(buf_add_escaped(&b, STR("a\0b")), 0);
	assert_string_equal(b.data, "a\\x00b");
	buf_release(&b);
	/* Cut, but never inside an escape. */
	assert_string_equal(str_escape(STR("abcdefghij"), out, sizeof(out)),
	    "abcd...");
	assert_string_equal(str_escape(STR("a\n\n\n"), out, sizeof(out)),
	    "a...");
}

static void
test_err(void **state)
{
	char longer[400];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&e, ERR_DENIED, 403, "part %d", 3), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_int_equal(e.code, 403);
	assert_int_equal(err_wrap(&e, "put %s", "key"), -1);
	assert_string_equal(e.msg, "put key: part 3");
	assert_int_equal(e.kind, ERR_DENIED);
	assert_int_equal(err_errno(&e, ERR_GONE, ENOENT, "open"), -1);
	assert_string_equal(e.msg, "open: No such file or directory");
	assert_int_equal(e.code, ENOENT);
	err_clear(&e);
	assert_int_equal(e.kind, ERR_NONE);
	assert_string_equal(e.msg, "");

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	err_set(&e, ERR_BUG, 0, "%s", longer);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	err_wrap(&e, "%s", longer);
	err_errno(&e, ERR_BUG, EIO, "%s", longer);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);

	assert_int_equal(err_set(NULL, ERR_BUG, 0, "x"), -1);
	assert_int_equal(err_errno(NULL, ERR_BUG, 0, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
	err_clear(NULL);
}

/* The names are stored: each kind has its own. */
static void
test_err_names(void **state)
{
	(void)state;
	for (int i = 0; i < ERR__MAX; i++) {
		const char *name = err_kind_name((enum err_kind)i);

		assert_string_not_equal(name, "?");
		for (int k = 0; k < i; k++)
			assert_string_not_equal(name,
			    err_kind_name((enum err_kind)k));
	}
	assert_string_equal(err_kind_name(ERR__MAX), "?");
	assert_string_equal(err_kind_name(ERR_UNREACHABLE), "unreachable");
}

static void
test_backoff(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(1, 100, 10000, 100), 100);
	assert_int_equal(backoff_ms(1, 100, 10000, 101), 0);
	assert_int_equal(backoff_ms(3, 100, 10000, 400), 400);
	assert_int_equal(backoff_ms(3, 100, 10000, 401), 0);
	assert_int_equal(backoff_ms(50, 100, 10000, 10000), 10000);
	assert_int_equal(backoff_ms(4000000000U, 100, 10000, 10001), 0);
	assert_int_equal(backoff_ms(1, 100, 50, 51), 0);
	assert_int_equal(backoff_ms(5, 0, 10000, 12345), 0);
}

static void
test_rng(void **state)
{
	struct rng a, b;
	unsigned high = 0;

	(void)state;
	rng_seed(&a, 0);
	rng_seed(&b, 1);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_next(&a);

		assert_true(x != 0);
		assert_true(x != rng_next(&b));
		high += (unsigned)(x >> 63);
	}
	assert_in_range(high, 400, 600);
}

static void
test_clock(void **state)
{
	char out[32];
	uint64_t ns = clock_mono_ns();

	(void)state;
	clock_iso8601(0, out);
	assert_string_equal(out, "1970-01-01T00:00:00Z");
	clock_iso8601(1795348800, out);
	assert_string_equal(out, "2026-11-22T12:00:00Z");
	assert_true(clock_mono_ns() >= ns);
	assert_true(clock_wall_ns() > 1600000000 * (int64_t)1000000000);
}

static void
test_idset(void **state)
{
	struct idset s;

	(void)state;
	idset_init(&s);
	assert_false(idset_has(&s, 0));
	assert_true(idset_add(&s, 0));
	assert_true(idset_has(&s, 0));
	assert_false(idset_add(&s, 0));
	assert_false(idset_has(&s, 1));
	assert_true(idset_add(&s, INT64_MAX));
	assert_true(idset_has(&s, INT64_MAX));
	assert_false(idset_has(&s, INT64_MAX - 1));
	/* Dense, then far apart: every third id of each. */
	for (int64_t i = 3; i < 30000; i += 3) {
		assert_true(idset_add(&s, i));
		assert_true(idset_add(&s, i * 1000003));
	}
	for (int64_t i = 3; i < 30000; i++) {
		assert_int_equal(idset_has(&s, i), i % 3 == 0);
		assert_int_equal(idset_has(&s, i * 1000003), i % 3 == 0);
	}
	for (int64_t i = 3; i < 30000; i += 3)
		assert_false(idset_add(&s, i));
	idset_release(&s);
	assert_false(idset_has(&s, 3));
	idset_release(&s);
}

static bool
readable(const struct mailbox *m)
{
	struct pollfd p = { .fd = mailbox_fd(m), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
test_mailbox(void **state)
{
	struct mailbox *m = mailbox_new(0);
	struct mail a = { .type = 1 }, b = { .type = 2 };
	struct mail *got;

	(void)state;
	assert_null(mailbox_take(m));
	assert_false(readable(m));
	assert_null(mailbox_wait(m, 0));
	mailbox_put(m, &a);
	mailbox_put(m, &b);
	assert_true(readable(m));
	got = mailbox_take(m);
	assert_ptr_equal(got, &a);
	assert_ptr_equal(got->next, &b);
	assert_null(b.next);
	assert_false(readable(m));
	/* The descriptor rings anew for what comes after. */
	mailbox_put(m, &a);
	assert_true(readable(m));
	assert_ptr_equal(mailbox_wait(m, -1), &a);
	mailbox_free(&m);
	assert_null(m);
	mailbox_free(&m);
}

#define WRITERS 4
#define EACH 5000

struct note {
	struct mail mail;
	int	 writer;
	int	 n;
};

struct writer {
	struct mailbox *to;
	int	 id;
};

static void *
write_notes(void *arg)
{
	struct writer *w = arg;

	for (int n = 0; n < EACH; n++) {
		struct note *note = xcalloc(1, sizeof(*note));

		note->writer = w->id;
		note->n = n;
		mailbox_put(w->to, &note->mail);
	}
	return NULL;
}

/* Read until the writers have given want notes; each writer's come in the
 * order in which they were put. */
static void
read_notes(struct mailbox *m, int want, size_t limit)
{
	int next[WRITERS] = { 0 };

	while (want > 0) {
		struct mail *head = mailbox_wait(m, -1);
		size_t batch = 0;

		while (head != NULL) {
			struct note *note = (struct note *)head;

			head = head->next;
			assert_int_equal(note->n, next[note->writer]++);
			free(note);
			want--;
			batch++;
		}
		assert_true(batch <= limit);
	}
}

static void
test_mailbox_threads(void **state)
{
	struct mailbox *m = mailbox_new(10);
	struct writer w[WRITERS];
	pthread_t t[WRITERS];

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ .to = m, .id = i };
		assert_int_equal(pthread_create(&t[i], NULL, write_notes,
		    &w[i]), 0);
	}
	read_notes(m, WRITERS * EACH, 10);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	assert_null(mailbox_take(m));
	mailbox_free(&m);
}

static void
test_memory(void **state)
{
	AUTOFREE char *text = xasprintf("%d %s", 7, "x");
	AUTOFREE char *cut = xstrndup("abcdef", 3);
	char *given = xstrdup("given"), *taken;

	(void)state;
	assert_string_equal(text, "7 x");
	assert_string_equal(cut, "abc");
	taken = STEAL(given);
	assert_null(given);
	assert_string_equal(taken, "given");
	free(taken);
}

static void
test_path_parent(void **state)
{
	static const char *const rows[][2] = {
		{ "a", "." }, { "a/b", "a" }, { "a/b/c", "a/b" },
		{ "/a", "/" }, { "/a/b", "/a" }, { "/", "/" }, { "", "." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTOFREE char *parent = path_parent(rows[i][0]);

		assert_string_equal(parent, rows[i][1]);
	}
}

/* What did not go in one piece is gone on with: here until the limit is met. */
static void
test_write_all(void **state)
{
	struct rlimit usual, small;
	char data[1500];
	int fd = memfd_create("written", MFD_CLOEXEC);

	(void)state;
	memset(data, 'x', sizeof(data));
	assert_int_not_equal(fd, -1);
	assert_int_equal(write_all(fd, NULL, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
	small = usual;
	small.rlim_cur = 1000;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(write_all(fd, data, sizeof(data)), -1);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(lseek(fd, 0, SEEK_END), 1000);
	assert_int_equal(write_all(fd, data, sizeof(data)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 2500);
	close_fd(&fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_buf_ceiling),
		cmocka_unit_test(test_str),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_err_names),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_rng),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_idset),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_mailbox_threads),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_path_parent),
		cmocka_unit_test(test_write_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
