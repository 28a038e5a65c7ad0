/*
 * The clients of a run in a report, from the catalog to each format.
 */
#include "kit/catalog.h"

#include <fcntl.h>
#include <unistd.h>

#include "report/report.h"

static const struct client_line CLIENTS[] = {
	{ .number = 1, .host = "one", .state = "working", .moved = 12345,
	  .failed = 2, .bytes = 3 * MIB, .items_per_s = 1.5,
	  .bytes_per_s = 2048 },
	{ .number = 2, .host = "<two>,\x1b", .state = "lost",
	  .reason = "reset, \"by\" <peer>" },
};

static char page[200000];

/* The report of the last run in this format. */
static const char *
report(struct kit *k, const char *format)
{
	AUTOFREE char *file = xasprintf("%s/report", k->dir);
	struct catalog_view *view = NULL;
	struct err err = ERR_INIT;
	struct report r;
	ssize_t n;
	int fd;

	if (catalog_view_open(&view, k->path, &err) == -1 ||
	    report_collect(&r, view, k->path, 0, &err) == -1 ||
	    report_write(&r, report_output_of(format), file, &err) == -1)
		fail_msg("%s", err.msg);
	report_release(&r);
	catalog_view_close(&view);
	fd = open(file, O_RDONLY);
	n = read(fd, page, sizeof(page) - 1);
	assert_true(n > 0);
	page[n] = '\0';
	close(fd);
	unlink(file);
	return page;
}

static void
has(const char *text)
{
	if (strstr(page, text) == NULL)
		fail_msg("no \"%s\" in:\n%s", text, page);
}

static void
begin(struct kit *k)
{
	kit_open(k);
	kit_begin(k);
	catalog_put_clients(k->c, CLIENTS, ARRAY_LEN(CLIENTS));
	kit_flush(k, 1);
}

static void
in_each_format(void **state)
{
	struct kit *k = *state;

	begin(k);
	report(k, "text");
	has("\nclients\n");
	has("\n    1 one                  working         12,345          2"
	    "    3.0 MiB\n");
	has("\n    2 <two>,\\x1b           lost                 0          0"
	    "        0 B   reset, \"by\" <peer>\n");
	report(k, "json");
	has("\"clients\":[{\"number\":1,\"host\":\"one\",\"state\":\"working\","
	    "\"moved\":12345,\"failed\":2,\"bytes\":3145728,"
	    "\"items_per_second\":1.5");
	has("\"host\":\"<two>,\\u001b\",\"state\":\"lost\","
	    "\"reason\":\"reset, \\\"by\\\" <peer>\"");
	report(k, "csv");
	has("\nclient,1,host,one\n");
	has("\nclient,1,moved,12345\n");
	has("\nclient,1,bytes_per_second,2048.000\n");
	has("\nclient,2,reason,\"reset, \"\"by\"\" <peer>\"\n");
	report(k, "html");
	has("<table id=\"clients\">");
	has("<bdi>&lt;two&gt;,\\x1b</bdi></th>"
	    "<td data-n=\"State\">lost</td>");
	has("reset, &quot;by&quot; &lt;peer&gt;</td></tr>");
}

/* Of a killed run nobody could say that its clients ended. */
static void
of_a_killed_run(void **state)
{
	struct kit *k = *state;

	begin(k);
	kit_close(k);
	report(k, "text");
	has("run 1: killed,");
	has("to an end that nobody saw");
	has(" one                  ended ");
	has("lost ");
	assert_null(strstr(page, "working"));
}

/* Alone, nothing is said of clients. */
static void
of_one_machine(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	kit_begin(k);
	assert_null(strstr(report(k, "text"), "client"));
	assert_null(strstr(report(k, "html"), "id=\"clients\""));
	assert_null(strstr(report(k, "csv"), "client"));
	report(k, "json");
	has("\"clients\":[]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
		T(in_each_format),
		T(of_a_killed_run),
		T(of_one_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
