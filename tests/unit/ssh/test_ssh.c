/* Quoting, and hosts that don't answer; a real sshd is in tests/system. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ssh/ssh.h"

/* What a shell makes of the line: its words, each ended by NUL. */
static void
ask_shell(const char *shell, const char *line, struct buf *out)
{
	char script[8192];
	char room[4096];
	int fds[2];
	ssize_t n;
	pid_t pid;

	snprintf(script, sizeof(script), "printf '%%s\\0' %s", line);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(shell, shell, "-c", script, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	for (;;) {
		n = read(fds[0], room, sizeof(room));
		if (n <= 0)
			break;
		assert_int_equal(buf_add(out, room, (size_t)n), 0);
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
check_words(const char *const *argv)
{
	static const char *const shells[] = { "/bin/sh", "/bin/bash" };
	struct buf line, wanted, got;

	buf_init(&line, 65536);
	buf_init(&wanted, 65536);
	buf_init(&got, 65536);
	ssh_quote(&line, argv);
	for (size_t i = 0; argv[i] != NULL; i++)
		assert_int_equal(buf_add(&wanted, argv[i],
		    strlen(argv[i]) + 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		buf_clear(&got);
		ask_shell(shells[i], line.data, &got);
		assert_int_equal(got.len, wanted.len);
		assert_memory_equal(got.data, wanted.data, wanted.len);
	}
	buf_release(&line);
	buf_release(&wanted);
	buf_release(&got);
}

static void
test_quote(void **state)
{
	static const char *const hard[] = { "a b", "", "'", "''", "a'b",
	    "$HOME", "`id`", "$(id)", "a;b", "a\nb", "\\", "a\\'b", "\\n",
	    "*", "~", "=ls", "A=b", "!!", "#x", "-n", "\xff\xfe", "\"",
	    "x\ty", "&", "|", ">", "{a,b}", "plain-1_2./:@,+", NULL };
	const char *all[] = { NULL, NULL };
	char bytes[256];

	(void)state;
	check_words(hard);
	for (int i = 1; i < 256; i++)
		bytes[i - 1] = (char)i;
	bytes[255] = '\0';
	all[0] = bytes;
	check_words(all);
}

static void
test_quote_plain(void **state)
{
	static const char *const argv[] = { "/usr/bin/datamover", "client",
	    NULL };
	static const char *const odd[] = { "a'b\\c d", "x=1", NULL };
	struct buf line;

	(void)state;
	buf_init(&line, 1024);
	ssh_quote(&line, argv);
	assert_string_equal(line.data, "/usr/bin/datamover client");
	buf_clear(&line);
	ssh_quote(&line, odd);
	assert_string_equal(line.data, "'a'\\''b'\\\\'c d' 'x=1'");
	buf_release(&line);
}

static int
listener(unsigned *ret_port, int backlog)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	if (backlog > 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void
test_nothing_listens(void **state)
{
	struct ssh_config c = { .host = "127.0.0.1" };
	struct err err = ERR_INIT;
	struct ssh *s;
	int fd = listener(&c.port, 0);

	(void)state;
	assert_int_equal(ssh_open(&s, &c, &err), -1);
	assert_null(s);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_non_null(strstr(err.msg, "refused"));
	close(fd);
}

static void
test_silent(void **state)
{
	struct ssh_config c = { .host = "127.0.0.1", .timeout_ms = 300 };
	struct err err = ERR_INIT;
	struct ssh *s;
	int fd = listener(&c.port, 5);

	(void)state;
	assert_int_equal(ssh_open(&s, &c, &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_non_null(strstr(err.msg, "no answer within"));
	close(fd);
}

/* Sends the words, then closes. */
struct speaker {
	int	 fd;
	const char *words;
};

static void *
speak(void *arg)
{
	struct speaker *p = arg;
	int fd = accept(p->fd, NULL, NULL);

	if (fd != -1) {
		if (send(fd, p->words, strlen(p->words), MSG_NOSIGNAL) == -1)
			perror("send");
		close(fd);
	}
	return NULL;
}

static void
hear(const char *words, struct err *err)
{
	struct ssh_config c = { .host = "localhost", .timeout_ms = 20000 };
	struct speaker p = { .words = words };
	pthread_t thread;
	struct ssh *s;

	p.fd = listener(&c.port, 5);
	assert_int_equal(pthread_create(&thread, NULL, speak, &p), 0);
	assert_int_equal(ssh_open(&s, &c, err), -1);
	pthread_join(thread, NULL);
	close(p.fd);
}

static void
test_not_ssh(void **state)
{
	static const char *const words[] = { "", "SSH-2.0-x\r\n",
	    "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-1.0-old\r\n",
	    "Exceeded MaxStartups\r\n",
	    "SSH-2.0-x\r\n\x7f\xff\xff\xff\x01\x14garbage" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct err err = ERR_INIT;

		hear(words[i], &err);
		assert_int_equal(err.kind, ERR_RETRY);
		assert_non_null(strstr(err.msg, "handshake"));
	}
}

static _Atomic bool stop;

static void *
stop_it(void *arg)
{
	int *fd = arg;
	int peer = accept(*fd, NULL, NULL);

	/* It is connected, and waits for our greeting. */
	stop = true;
	return peer == -1 ? NULL : (void *)(intptr_t)peer;
}

static void
test_stop(void **state)
{
	struct ssh_config c = { .host = "127.0.0.1", .timeout_ms = 100000,
	    .stop = &stop };
	struct err err = ERR_INIT;
	pthread_t thread;
	struct ssh *s;
	void *peer;
	int fd = listener(&c.port, 5);

	(void)state;
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, stop_it, &fd), 0);
	assert_int_equal(ssh_open(&s, &c, &err), -1);
	assert_int_equal(err.kind, ERR_STOPPED);
	pthread_join(thread, &peer);
	close((int)(intptr_t)peer);
	close(fd);
}

static void
test_bad_names(void **state)
{
	static const char *const names[] = { "", "-oProxyCommand=x", "a b",
	    "user@host", "a;b", "$(x)", "a\nb" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct ssh_config c = { .host = names[i] };
		struct err err = ERR_INIT;
		struct ssh *s;

		assert_int_equal(ssh_open(&s, &c, &err), -1);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_quote_plain),
		cmocka_unit_test(test_nothing_listens),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_not_ssh),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_bad_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
