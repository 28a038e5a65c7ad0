/* Invitations, key files, names of hosts; launches where no sshd is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/launch.h"

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_launch.XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/key", dir);
	unlink(path);
	return rmdir(dir);
}

static void
fill_key(uint8_t key[TLS_KEY_LEN])
{
	for (unsigned i = 0; i < 48; i++)
		key[i] = (uint8_t)(i * 37 + 200);
}

static void
round_trip(const struct invite *v)
{
	struct err err = ERR_INIT;
	struct invite got;
	struct buf b;

	buf_init(&b, 65536);
	invite_write(&b, v);
	assert_false(buf_overflowed(&b));
	if (invite_read(&got, buf_str(&b), &err) == -1)
		fail_msg("%s", err.msg);
	assert_string_equal(got.address, v->address);
	assert_int_equal(got.port_index, v->port_index);
	assert_int_equal(got.port_status, v->port_status);
	assert_int_equal(got.client, v->client);
	assert_memory_equal(got.key, v->key, 48);
	assert_int_equal(got.retry_delay_s, v->retry_delay_s);
	assert_int_equal(got.give_up_s, v->give_up_s);
	invite_release(&got);
	/* Each shorter text is refused. */
	for (size_t n = 0; n < b.len; n++) {
		assert_int_equal(invite_read(&got,
		    (struct str){ b.data, n }, &err), -1);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
	buf_release(&b);
}

static void
test_round_trip(void **state)
{
	struct invite v = { .address = (char *)"10.0.0.1",
	    .port_index = 6000, .port_status = 65535, .client = 3 };
	char bytes[256];

	(void)state;
	fill_key(v.key);
	round_trip(&v);
	v.address = (char *)"s\\x41\n\n\"'";
	v.retry_delay_s = 2;
	v.give_up_s = INT32_MAX;
	round_trip(&v);
	for (int i = 1; i < 256; i++)
		bytes[i - 1] = (char)i;
	bytes[255] = '\0';
	v.address = bytes;
	round_trip(&v);
}

static void
test_wrong_invitations(void **state)
{
	static const char key[] = "key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
	static const char head[] = "datamover-invite 1\naddress a\n"
	    "port_index 1\nport_status 2\nclient 1\n";
	static const char *const tails[] = {
		"\nmore", "address b\n\n", "retry_delay 0\n\n",
		"access_key x\n\n", "unknown x\n\n",
	};
	static const char *const heads[] = {
		"datamover-invite 2\n", "",
		"datamover-invite 1\nport_index 0\n",
		"datamover-invite 1\nport_index 65536\n",
		"datamover-invite 1\nport_index 01\n",
		"datamover-invite 1\nport_index -1\n",
		"datamover-invite 1\nport_index 4294967297\n",
		"datamover-invite 1\nclient 0\n",
		"datamover-invite 1\nclient 2147483648\n",
		"datamover-invite 1\nkey AAAA\n",
		"datamover-invite 1\naddress \\\n",
		"datamover-invite 1\naddress \\x00\n",
		"datamover-invite 1\naddress \\xZZ\n",
		"datamover-invite 1\naddress a\tb\n",
		"datamover-invite 1\naddress\n"
	};
	struct err err = ERR_INIT;
	struct invite v;
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), "%s%s\n", head, key);
	assert_int_equal(invite_read(&v, str_of(text), &err), 0);
	invite_release(&v);
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(text, sizeof(text), "%s%s%s", head, key, tails[i]);
		assert_int_equal(invite_read(&v, str_of(text), &err), -1);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		snprintf(text, sizeof(text), "%s%s\n", heads[i], key);
		assert_int_equal(invite_read(&v, str_of(text), &err), -1);
	}
	/* Neither NUL nor a secret comes into the message. */
	snprintf(text, sizeof(text), "%sHIDDEN x\n\n", head);
	assert_int_equal(invite_read(&v, str_of(text), &err), -1);
	assert_null(strstr(err.msg, "HIDDEN"));
	assert_int_equal(invite_read(&v,
	    (struct str){ "datamover-invite 1\naddress \0\n\n", 31 }, &err),
	    -1);
}

static void
test_key_file(void **state)
{
	uint8_t a[TLS_KEY_LEN], b[TLS_KEY_LEN], zero[TLS_KEY_LEN] = { 0 };
	struct err err = ERR_INIT;
	char path[128], text[80];
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/key", dir);
	assert_int_equal(key_file_read(path, a, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	memset(a, 0, sizeof(a));
	assert_int_equal(key_file_make(path, a, &err), 0);
	assert_memory_not_equal(a, zero, sizeof(a));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 65);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(key_file_make(path, b, &err), 0);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(key_file_read(path, b, &err), 0);
	assert_memory_equal(a, b, sizeof(a));

	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(key_file_read(path, b, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "chmod 600"));
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(key_file_read(path, b, &err), 0);

	/* Something added, something missing, another character. */
	chmod(path, 0600);
	fd = open(path, O_RDWR);
	assert_int_not_equal(fd, -1);
	assert_int_equal(read(fd, text, 65), 65);
	assert_int_equal(pwrite(fd, "x", 1, 65), 1);
	assert_int_equal(key_file_read(path, b, &err), -1);
	assert_int_equal(ftruncate(fd, 64), 0);
	assert_int_equal(key_file_read(path, b, &err), 0);
	assert_int_equal(ftruncate(fd, 63), 0);
	assert_int_equal(key_file_read(path, b, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_int_equal(pwrite(fd, "=", 1, 63), 1);
	assert_int_equal(key_file_read(path, b, &err), -1);
	close(fd);
	assert_int_equal(key_file_read(dir, b, &err), -1);
	assert_int_equal(key_file_make("/nonexistent/key", b, &err), -1);
}

static void
test_parse_host(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
	} good[] = {
		{ "h", "h", 0 }, { "h:22", "h", 22 }, { "10.0.0.1:65535",
		"10.0.0.1", 65535 }, { "::1", "::1", 0 }, { "[::1]", "::1", 0 },
		{ "[::1]:2222", "::1", 2222 }, { "[h]:1", "h", 1 }
	};
	static const char *const bad[] = { "", ":22", "h:", "h:0", "h:65536",
	    "h:22x", "h:-1", "h: 1", "[::1", "[]", "[]:1", "[::1]x",
	    "[::1]:", "h:99999999999999999999" };
	struct err err = ERR_INIT;
	unsigned port;
	char host[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(launch_parse_host(good[i].text, host,
		    sizeof(host), &port, &err), 0);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(launch_parse_host(bad[i], host, sizeof(host),
		    &port, &err), -1);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
	assert_int_equal(launch_parse_host("sixteen-letters-", host,
	    sizeof(host), &port, &err), -1);
}

static void
no_invite(void *arg, unsigned client, const char *local, struct buf *b)
{
	(void)arg;
	(void)client;
	(void)local;
	(void)b;
	fail();
}

static int
listener(char *text, size_t len, int backlog)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t alen = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, alen), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &alen), 0);
	if (backlog > 0)
		assert_int_equal(listen(fd, backlog), 0);
	snprintf(text, len, "127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

/* One host refuses, one says nothing, six more wait for that one; then all
 * is stopped. Each is told of once. */
static void
test_stop(void **state)
{
	char down[32], silent[32];
	const char *hosts[8];
	struct launch_config c = { .hosts = hosts, .host_count = 8,
	    .path = "x", .invite = no_invite };
	bool told[9] = { false };
	struct err err = ERR_INIT;
	struct launch *l;
	struct mail *m, *next;
	size_t count = 0;
	int a = listener(down, sizeof(down), 0);
	int b = listener(silent, sizeof(silent), 9);
	int peer;

	(void)state;
	hosts[0] = down;
	for (int i = 1; i < 8; i++)
		hosts[i] = silent;
	c.ssh.timeout_ms = 100000;
	c.up = mailbox_new(0);
	assert_int_equal(launch_start(&l, &c, &err), 0);
	peer = accept(b, NULL, NULL);	/* one of them is on its way */
	assert_int_not_equal(peer, -1);
	m = mailbox_wait(c.up, 60000);
	assert_non_null(m);
	assert_int_equal(((struct launch_mail *)m)->client, 1);
	assert_int_equal(((struct launch_mail *)m)->event, LAUNCH_FAILED);
	assert_int_equal(((struct launch_mail *)m)->err.kind,
	    ERR_UNREACHABLE);
	assert_null(m->next);
	free(m);
	launch_stop(l);
	launch_free(&l, 60000);
	assert_null(l);
	for (m = mailbox_take(c.up); m != NULL; m = next) {
		struct launch_mail *one = (struct launch_mail *)m;

		next = m->next;
		assert_int_equal(m->type, MAIL_LAUNCH);
		assert_int_equal(one->event, LAUNCH_FAILED);
		assert_int_equal(one->err.kind, ERR_STOPPED);
		assert_in_range(one->client, 2, 8);
		assert_false(told[one->client]);
		told[one->client] = true;
		count++;
		free(m);
	}
	assert_int_equal(count, 7);
	mailbox_free(&c.up);
	close(peer);
	close(a);
	close(b);
}

static void
test_bad_host(void **state)
{
	const char *hosts[] = { "127.0.0.1:1", "h:x" };
	struct launch_config c = { .hosts = hosts, .host_count = 2 };
	struct err err = ERR_INIT;
	struct launch *l;

	(void)state;
	assert_int_equal(launch_start(&l, &c, &err), -1);
	assert_null(l);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "'h:x'"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_wrong_invitations),
		cmocka_unit_test_setup_teardown(test_key_file, setup,
		    teardown),
		cmocka_unit_test(test_parse_host),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_bad_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
