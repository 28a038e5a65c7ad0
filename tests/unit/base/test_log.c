#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

static char dir[] = "/tmp/test_log.XXXXXX";
static char path[64];
static char err_path[64];
static int saved_stderr = -1;

static void
slurp(const char *name, char *out, size_t len)
{
	FILE *f = fopen(name, "r");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, len - 1, f);
	out[n] = '\0';
	fclose(f);
}

static int
setup(void **state)
{
	int fd;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_log.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(err_path, sizeof(err_path), "%s/stderr", dir);
	saved_stderr = dup(STDERR_FILENO);
	fd = open(err_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_int_not_equal(fd, -1);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "log", "log.1", "log.2", "log.3",
		"stderr" };

	(void)state;
	log_close();
	log_set_hook(NULL, NULL, NULL);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[80];

		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		unlink(name);
	}
	return rmdir(dir);
}

static void
open_log(enum log_level file, enum log_level people, uint64_t max,
    unsigned count)
{
	struct log_config c = { .file_level = file, .stderr_level = people,
		.path = path, .max_bytes = max, .backup_count = count };
	struct err err = ERR_INIT;

	if (log_open(&c, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
both_targets_get_their_levels(void **state)
{
	char text[4096];

	(void)state;
	open_log(LOG_INFO, LOG_WARN, 0, 0);
	assert_true(log_enabled(LOG_INFO));
	assert_false(log_enabled(LOG_DEBUG));
	log_event(LOG_WARN, EVENT_EXPORT, LOG_WITH(LOG_TEXT("path", "a/b"),
	    LOG_SHOW_NUMBER("seconds", -12), LOG_SHOW_TEXT("host", "h"),
	    LOG_TEXT("reason", NULL), LOG_SHOW_TEXT("none", NULL)),
	    "%s is away", "a/b");
	log_set_run(7);
	log_event(LOG_INFO, EVENT_STOPPING, NULL, "%s", "soon");
	log_event(LOG_DEBUG, EVENT_VERDICT, NULL, "key=%s", "x");
	log_set_run(0);
	slurp(err_path, text, sizeof(text));
	assert_string_equal(text,
	    "datamover: warn export seconds=-12 host=h a/b is away\n");
	slurp(path, text, sizeof(text));
	assert_non_null(strstr(text, "\"level\":\"warn\",\"event\":\"export\","
	    "\"pid\":"));
	assert_non_null(strstr(text, "\",\"path\":\"a/b\",\"seconds\":-12,"
	    "\"host\":\"h\",\"msg\":\"a/b is away\"}\n"));
	assert_non_null(strstr(text, "\"event\":\"stopping\",\"run\":7,"));
	assert_null(strstr(text, "verdict"));
	/* {"time":"2026-11-22T12:00:00.123Z", */
	assert_memory_equal(text, "{\"time\":\"20", 11);
	assert_memory_equal(text + 32, "Z\",", 3);
}

static void
bytes_are_escaped_in_both(void **state)
{
	char text[4096];

	(void)state;
	open_log(LOG_INFO, LOG_INFO, 0, 0);
	log_event(LOG_INFO, EVENT_CONFIG, LOG_WITH(LOG_TEXT("path",
	    "b\n\"\x1b\xff")), "key=%s", "a\n\"\x1b[2J\xff\\\xc3\xa9");
	slurp(err_path, text, sizeof(text));
	assert_string_equal(text, "datamover: info config key=a\\x0a\"\\x1b[2J"
	    "\\xff\\\\\xc3\xa9\n");
	slurp(path, text, sizeof(text));
	assert_non_null(strstr(text,
	    "\"path\":\"b\\\\x0a\\\"\\\\x1b\\\\xff\""));
	assert_non_null(strstr(text, "\"msg\":\"key=a\\\\x0a\\\"\\\\x1b[2J"
	    "\\\\xff\\\\\\\\\xc3\xa9\"}\n"));
}

static void
file_is_rotated(void **state)
{
	char text[4096], name[80];
	struct stat st;

	(void)state;
	open_log(LOG_INFO, LOG_ERROR, 170, 2);
	/* Each line is between 86 and 170 bytes: one a file. */
	for (int i = 0; i < 5; i++)
		log_event(LOG_INFO, EVENT_CONFIG, NULL, "%d", i);
	slurp(path, text, sizeof(text));
	assert_non_null(strstr(text, "\"msg\":\"4\""));
	snprintf(name, sizeof(name), "%s.1", path);
	slurp(name, text, sizeof(text));
	assert_non_null(strstr(text, "\"msg\":\"3\""));
	snprintf(name, sizeof(name), "%s.2", path);
	slurp(name, text, sizeof(text));
	assert_non_null(strstr(text, "\"msg\":\"2\""));
	snprintf(name, sizeof(name), "%s.3", path);
	assert_int_equal(stat(name, &st), -1);
}

static void
file_is_continued_and_its_size_counts(void **state)
{
	char text[4096], name[80];

	(void)state;
	open_log(LOG_INFO, LOG_ERROR, 170, 1);
	log_event(LOG_INFO, EVENT_CONFIG, NULL, "one");
	log_close();
	log_event(LOG_INFO, EVENT_CONFIG, NULL, "lost");
	open_log(LOG_INFO, LOG_ERROR, 170, 1);
	log_event(LOG_INFO, EVENT_CONFIG, NULL, "two");
	slurp(path, text, sizeof(text));
	assert_non_null(strstr(text, "\"two\""));
	assert_null(strstr(text, "\"one\""));
	snprintf(name, sizeof(name), "%s.1", path);
	slurp(name, text, sizeof(text));
	assert_non_null(strstr(text, "\"one\""));
	assert_null(strstr(text, "\"lost\""));
}

static void
no_backups_means_the_file_begins_again(void **state)
{
	char text[4096];

	(void)state;
	open_log(LOG_INFO, LOG_ERROR, 170, 0);
	log_event(LOG_INFO, EVENT_CONFIG, NULL, "one");
	log_event(LOG_INFO, EVENT_CONFIG, NULL, "two");
	slurp(path, text, sizeof(text));
	assert_null(strstr(text, "\"one\""));
	assert_non_null(strstr(text, "\"two\""));
}

static void
unwritable_file_is_an_error(void **state)
{
	struct log_config c = { .path = "/dev/null/x" };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(log_open(&c, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "/dev/null/x"));
}

static void
note(void *arg)
{
	(*(int *)arg)++;
}

static void
hook_is_told_of_lines_on_stderr(void **state)
{
	int told = 0;

	(void)state;
	open_log(LOG_DEBUG, LOG_WARN, 0, 0);
	log_set_hook(note, note, &told);
	log_event(LOG_INFO, EVENT_CONFIG, NULL, "%s", "");
	assert_int_equal(told, 0);
	log_event(LOG_WARN, EVENT_CONFIG, NULL, "%s", "");
	assert_int_equal(told, 2);
}

/* A line for each object would bury everything else on a terminal. */
static void
failures_are_for_the_file(void **state)
{
	struct err err = ERR_INIT;
	char text[4096];

	(void)state;
	err_set(&err, ERR_DENIED, 13, "Permission denied");
	open_log(LOG_WARN, LOG_WARN, 0, 0);
	log_failed("s/v/f", 3, &err);
	slurp(err_path, text, sizeof(text));
	assert_string_equal(text, "");
	slurp(path, text, sizeof(text));
	assert_non_null(strstr(text, "\"event\":\"failed\",\"pid\""));
	assert_non_null(strstr(text, "\"path\":\"s/v/f\",\"kind\":\"denied\","
	    "\"reason\":\"Permission denied\",\"attempts\":3,"));
	open_log(LOG_WARN, LOG_DEBUG, 0, 0);
	log_failed("s/v/f", 3, &err);
	slurp(err_path, text, sizeof(text));
	assert_string_equal(text,
	    "datamover: warn failed s/v/f: Permission denied\n");
}

static void *
write_many(void *arg)
{
	for (int i = 0; i < 200; i++)
		log_event(LOG_INFO, EVENT_CONFIG, NULL, "%s %d",
		    (const char *)arg, i);
	return NULL;
}

static void
threads_do_not_mix_lines(void **state)
{
	static char text[256 * 1024];
	pthread_t t[2];
	size_t lines = 0;

	(void)state;
	open_log(LOG_INFO, LOG_ERROR, 0, 0);
	assert_int_equal(pthread_create(&t[0], NULL, write_many, "one"), 0);
	assert_int_equal(pthread_create(&t[1], NULL, write_many, "two"), 0);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	slurp(path, text, sizeof(text));
	for (char *p = text; *p != '\0'; lines++) {
		char *end = strchr(p, '\n');

		assert_non_null(end);
		assert_memory_equal(p, "{\"time\":", 8);
		assert_memory_equal(end - 2, "\"}", 2);
		p = end + 1;
	}
	assert_int_equal(lines, 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_targets_get_their_levels),
		TEST(bytes_are_escaped_in_both),
		TEST(file_is_rotated),
		TEST(file_is_continued_and_its_size_counts),
		TEST(no_backups_means_the_file_begins_again),
		TEST(unwritable_file_is_an_error),
		TEST(hook_is_told_of_lines_on_stderr),
		TEST(failures_are_for_the_file),
		TEST(threads_do_not_mix_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
