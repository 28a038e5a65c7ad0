#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cmd/conf.h"
#include "kit/conf_text.h"

/* Run the verb with both outputs in one file; returns its exit status. */
static int
run(const char *words, struct buf *output)
{
	CLEANUP(buf_release) struct buf copy;
	AUTOFREE char *path = text_path("secret");
	char *argv[8] = { NULL }, *rest = NULL, chunk[4096];
	int argc = 0, saved[2], rc;
	ssize_t n;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	buf_init(&copy, 1000);
	buf_addstr(&copy, words);
	for (char *w = strtok_r(copy.data, " ", &rest); w != NULL;
	    w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		saved[i] = dup(i + 1);
		assert_int_equal(dup2(fd, i + 1), i + 1);
	}
	rc = cmd_conf(argc, argv);
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	buf_clear(output);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		assert_int_equal(buf_add(output, chunk, (size_t)n), 0);
	close(fd);
	return rc;
}

static void
words_lead_to_an_exit_status(void **state)
{
	static const struct {
		const char *words;
		int rc;
		const char *output;
	} rows[] = {
		{ "conf --help", 0, "usage: datamover conf" },
		{ "conf --example", 0, "\n[s3_storage]\n" },
		{ "conf --check conf/config.json", 0, "settings are right" },
		{ "conf --config conf/config.json --check", 0,
		    "settings are right" },
		{ "conf conf/config.json", 0, "secret_key = (set)\n" },
		{ "conf --convert conf/config.json", 0,
		    "secret_key = minio123\n" },
		{ "conf --convert conf/config.json", 0,
		    "the output holds secrets" },
		{ "conf --check conf/datamover.conf", 0,
		    "settings are right" },
		{ "conf conf/datamover.conf", 0, "part_size = 8MiB\n" },
		{ "conf /nowhere.conf", 2, "/nowhere.conf: No such file" },
		{ "conf --check --convert x", 2, "takes one file and one" },
		{ "conf a b", 2, "takes one file and one of" },
		{ "conf --config a b", 2, "takes one file and one of" },
		{ "conf --config", 2, "--config needs a value" },
		{ "conf --nonsense", 2, "conf has no option --nonsense" },
	};
	CLEANUP(buf_release) struct buf output;

	(void)state;
	buf_init(&output, MIB);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = run(rows[i].words, &output);

		if (rc != rows[i].rc || strstr(buf_str(&output).p,
		    rows[i].output) == NULL)
			fail_msg("%s: status %d\n%s", rows[i].words, rc,
			    buf_str(&output).p);
	}
}

static void
advice_is_given_once(void **state)
{
	static const char *const texts[][2] = {
		{ "t.conf", "[fs_config]\nmounted = yes\n" },
		{ "t.json", "{\"fs_config\": {\"mounted\": true}}" },
	};
	CLEANUP(buf_release) struct buf output;

	(void)state;
	buf_init(&output, MIB);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		AUTOFREE char *path = text_path(texts[i][0]);
		AUTOFREE char *words = xasprintf("conf %s", path);
		const char *first;

		text_write(texts[i][0], str_of(texts[i][1]), 0600);
		assert_int_equal(run(words, &output), 0);
		first = strstr(output.data, "the original left out");
		assert_non_null(first);
		assert_null(strstr(first + 1, "the original left out"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_lead_to_an_exit_status),
		cmocka_unit_test(advice_is_given_once),
	};

	return cmocka_run_group_tests(tests, text_setup, text_teardown);
}
