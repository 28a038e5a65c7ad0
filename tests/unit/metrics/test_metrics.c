#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/metrics.h"

static char page[100000];

static const struct client_line clients[] = {
	{ .number = 1, .host = "one", .state = "working", .leases = 2,
	  .items = 30, .moved = 400, .failed = 5, .bytes = 6000,
	  .items_per_s = 1.5, .bytes_per_s = 1048576, .heard_ms = 1250 },
	{ .number = 2, .host = "a\"b\\c\nd\xff", .state = "lost" },
};

static struct metrics_values
values(void)
{
	return (struct metrics_values){
		.operation = "PUT", .started_sec = 1700000000,
		.totals = { .found = 10, .moved = 4, .unchanged = 3,
		    .failed = 2, .excluded = 1, .bytes = UINT64_MAX,
		    .found_bytes = 77, .dirs = 5, .deleted = 6 },
		.requests = 8, .retries = 7, .slowdowns = 9,
		.bytes_sent = 11, .bytes_received = 12, .bytes_read = 13,
		.clients = clients, .client_count = 2,
	};
}

static void
has(const char *line)
{
	const char *at = strstr(page, line);

	if (at == NULL || (at != page && at[-1] != '\n'))
		fail_msg("no \"%s\" in:\n%s", line, page);
}

static void
write_page(const struct metrics_values *v)
{
	struct buf b;

	buf_init(&b, sizeof(page) - 1);
	metrics_text(&b, v);
	assert_false(buf_overflowed(&b));
	memcpy(page, b.data, b.len + 1);
	buf_release(&b);
}

static void
figures(void **state UNUSED)
{
	struct metrics_values v = values();

	write_page(&v);
	has("datamover_run_info{operation=\"PUT\"} 1\n");
	has("datamover_run_start_time_seconds 1700000000\n");
	has("datamover_crawl_done 0\n");
	has("# HELP datamover_objects_found_total Objects that the run found "
	    "so far.\n# TYPE datamover_objects_found_total counter\n"
	    "datamover_objects_found_total 10\n");
	has("datamover_objects_moved_total 4\n");
	has("datamover_objects_unchanged_total 3\n");
	has("datamover_objects_failed_total 2\n");
	has("datamover_objects_excluded_total 1\n");
	has("datamover_objects_deleted_total 6\n");
	has("datamover_found_bytes_total 77\n");
	has("datamover_moved_bytes_total 18446744073709551615\n");
	has("datamover_directories_total 5\n");
	has("datamover_s3_requests_total 8\n");
	has("datamover_s3_retries_total 7\n");
	has("datamover_s3_slowdowns_total 9\n");
	has("datamover_s3_sent_bytes_total 11\n");
	has("datamover_s3_received_bytes_total 12\n");
	has("datamover_source_read_bytes_total 13\n");
}

static void
figures_of_clients(void **state UNUSED)
{
	struct metrics_values v = values();

	write_page(&v);
	has("# TYPE datamover_client_up gauge\n"
	    "datamover_client_up{client=\"1\",host=\"one\"} 1\n"
	    "datamover_client_up{client=\"2\",host=\"a\\\"b\\\\\\\\c\\\\x0ad"
	    "\\\\xff\"} 0\n");
	has("datamover_client_leases{client=\"1\",host=\"one\"} 2\n");
	has("datamover_client_items{client=\"1\",host=\"one\"} 30\n");
	has("# TYPE datamover_client_objects_moved_total counter\n"
	    "datamover_client_objects_moved_total{client=\"1\",host=\"one\"} "
	    "400\n");
	has("datamover_client_objects_failed_total{client=\"1\",host=\"one\"} "
	    "5\n");
	has("datamover_client_bytes_total{client=\"1\",host=\"one\"} 6000\n");
	has("datamover_client_objects_per_second{client=\"1\",host=\"one\"} "
	    "1.5\n");
	has("datamover_client_bytes_per_second{client=\"1\",host=\"one\"} "
	    "1048576\n");
	has("datamover_client_last_heard_seconds{client=\"1\",host=\"one\"} "
	    "1.25\n");
	v.client_count = 0;
	write_page(&v);
	assert_null(strstr(page, "client"));
}

/* --- over the wire --- */

static int
dial(unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* What comes back, until the other side ends. */
static void
ask(unsigned port, const char *request)
{
	size_t len = 0;
	int fd = dial(port);
	ssize_t n;

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL),
	    (ssize_t)strlen(request));
	while ((n = recv(fd, page + len, sizeof(page) - 1 - len, 0)) > 0)
		len += (size_t)n;
	page[len] = '\0';
	close(fd);
}

static struct metrics *
open_at(const char *at)
{
	struct metrics *m = NULL;
	struct err err = ERR_INIT;

	if (metrics_open(&m, at, &err) == -1)
		fail_msg("%s", err.msg);
	assert_in_range(metrics_port(m), 1, 65535);
	return m;
}

static void
answers(void **state UNUSED)
{
	struct metrics *m = open_at("127.0.0.1:0");
	struct metrics_values v = values();
	unsigned port = metrics_port(m);
	char want[80];

	ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	has("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; "
	    "charset=utf-8\r\nContent-Length: ");
	has("datamover_objects_found_total 0\n");
	metrics_set(m, &v);
	/* What counts does not go down. */
	v.totals.found = 9;
	v.totals.moved = 5;
	v.requests = 0;
	v.client_count = 1;
	metrics_set(m, &v);
	ask(port, "GET /metrics?x=y HTTP/1.0\n\n");
	has("datamover_objects_found_total 10\n");
	has("datamover_objects_moved_total 5\n");
	has("datamover_s3_requests_total 8\n");
	has("datamover_client_up{client=\"1\"");
	assert_null(strstr(page, "client=\"2\""));
	snprintf(want, sizeof(want), "Content-Length: %zu\r\n",
	    strlen(strstr(page, "\r\n\r\n")) - 4);
	has(want);
	ask(port, "HEAD /metrics HTTP/1.1\r\n\r\n");
	has("HTTP/1.0 200 OK\r\n");
	assert_string_equal(strstr(page, "\r\n\r\n"), "\r\n\r\n");
	metrics_close(&m);
	assert_null(m);
	metrics_set(NULL, &v);
	metrics_close(&m);
}

static void
refuses(void **state UNUSED)
{
	struct metrics *m = open_at("[::1]:0");
	unsigned port;
	char *long_one;
	int fd;

	metrics_close(&m);
	m = open_at("localhost:0");
	metrics_close(&m);
	m = open_at("*:0");
	metrics_close(&m);
	m = open_at("0");
	port = metrics_port(m);
	ask(port, "GET / HTTP/1.0\r\n\r\n");
	has("HTTP/1.0 404 Not Found\r\n");
	ask(port, "GET /metricsx HTTP/1.0\r\n\r\n");
	has("HTTP/1.0 404 Not Found\r\n");
	ask(port, "POST /metrics HTTP/1.0\r\n\r\n");
	has("HTTP/1.0 405 Method Not Allowed\r\n");
	has("Allow: GET, HEAD\r\n");
	ask(port, "\r\n\r\n");
	has("HTTP/1.0 405 Method Not Allowed\r\n");
	/* Half a request; then a head without an end. */
	fd = dial(port);
	assert_int_equal(send(fd, "GET /met", 8, MSG_NOSIGNAL), 8);
	close(fd);
	long_one = xmalloc(8193);
	memset(long_one, 'a', 8192);
	long_one[8192] = '\0';
	ask(port, long_one);
	assert_string_equal(page, "");
	free(long_one);
	ask(port, "GET /metrics HTTP/1.0\r\n\r\n");
	has("HTTP/1.0 200 OK\r\n");
	/* The end does not wait for whoever says nothing. */
	fd = dial(port);
	metrics_close(&m);
	close(fd);
}

static void
places(void **state UNUSED)
{
	static const char *const bad[] = { "", ":", ":80", "x:", "65536",
		"80 ", "-1", "a:b", "::1:80", "99999999999999999999",
		"no.such.host.invalid:80", "[]:80" };
	struct metrics *m = open_at("127.0.0.1:0"), *second = NULL;
	struct err err = ERR_INIT;
	char at[32];

	snprintf(at, sizeof(at), "%u", metrics_port(m));
	assert_int_equal(metrics_open(&second, at, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "in use"));
	metrics_close(&m);
	/* All addresses are wanted, and one is taken. */
	m = open_at("[::1]:0");
	snprintf(at, sizeof(at), "*:%u", metrics_port(m));
	err_clear(&err);
	assert_int_equal(metrics_open(&second, at, &err), -1);
	assert_non_null(strstr(err.msg, "in use"));
	metrics_close(&m);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&err);
		if (metrics_open(&second, bad[i], &err) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
}

static void
read_page(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	page[n] = '\0';
	fclose(f);
}

/* A collector sees the whole page or the one before, under no umask. */
static void
file_for_a_collector(void **state UNUSED)
{
	static const struct metrics_last last[] = {
		{ "GET", 1700000100, 0, 3 },
		{ "PUT", 1700000200, 1700000200, 0 },
	};
	char dir[] = "/tmp/test_metrics.XXXXXX";
	struct metrics_values v = values();
	AUTOFREE char *path = NULL;
	struct err err = ERR_INIT;
	struct stat st;
	mode_t mask;

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/d.prom", dir);
	mask = umask(077);
	assert_int_equal(metrics_write(path, &v, 1.5, last, 2, &err), 0);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	read_page(path);
	has("datamover_objects_moved_total 4\n");
	has("datamover_run_duration_seconds 1.5\n");
	has("# TYPE datamover_last_exit_status gauge\n");
	has("datamover_last_exit_status{operation=\"GET\"} 3\n");
	has("datamover_last_exit_status{operation=\"PUT\"} 0\n");
	has("datamover_last_attempt_timestamp_seconds{operation=\"GET\"} "
	    "1700000100\n");
	has("datamover_last_success_timestamp_seconds{operation=\"PUT\"} "
	    "1700000200\n");
	has("datamover_last_success_timestamp_seconds{operation=\"GET\"} "
	    "0\n");
	v.totals.moved = 5;
	assert_int_equal(metrics_write(path, &v, 2, last, 0, &err), 0);
	read_page(path);
	has("datamover_objects_moved_total 5\n");
	assert_int_equal(unlink(path), 0);
	/* A directory in its place: said, and nothing is left behind. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(metrics_write(path, &v, 2, last, 0, &err), -1);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(metrics_write(path, &v, 2, last, 0, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_for_a_collector),
		cmocka_unit_test(figures),
		cmocka_unit_test(figures_of_clients),
		cmocka_unit_test(answers),
		cmocka_unit_test(refuses),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
