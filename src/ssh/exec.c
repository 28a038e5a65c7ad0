/* A program on the remote host: start the program, feed its input, read its
 * output and its exit status. */
#include <signal.h>

#include "base/clock.h"
#include "ssh/ssh_internal.h"

#define CHUNK		(32U << 10)
/* A program may end and leave child processes holding its output open. */
#define LINGER_MS	1000

static bool
is_plain(const char *word)
{
	return *word != '\0' && word[strspn(word,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "_-./:@,+")] == '\0';
}

void
ssh_quote(struct buf *out, const char *const *argv)
{
	for (size_t i = 0; argv[i] != NULL; i++) {
		if (i > 0)
			(void)buf_addch(out, ' ');
		if (is_plain(argv[i])) {
			(void)buf_addstr(out, argv[i]);
			continue;
		}
		(void)buf_addch(out, '\'');
		for (const char *p = argv[i]; *p != '\0'; p++) {
			/* fish knows the backslash inside of quotes too. */
			if (*p == '\'' || *p == '\\')
				(void)buf_addf(out, "'\\%c'", *p);
			else
				(void)buf_addch(out, *p);
		}
		(void)buf_addch(out, '\'');
	}
}

static int
signal_number(const char *name)
{
	static const struct { const char *name; int number; } known[] = {
		{ "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "FPE", SIGFPE },
		{ "HUP", SIGHUP }, { "ILL", SIGILL }, { "INT", SIGINT },
		{ "KILL", SIGKILL }, { "PIPE", SIGPIPE },
		{ "QUIT", SIGQUIT }, { "SEGV", SIGSEGV },
		{ "TERM", SIGTERM }, { "USR1", SIGUSR1 },
		{ "USR2", SIGUSR2 }
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].number;
	return 0;
}

static void
exited(struct ssh *s, int status)
{
	if (s->exited)
		return;
	s->exited = true;
	s->status = status;
	s->exited_ms = clock_mono_ms();
}

static void
on_exit_status(ssh_session session UNUSED, ssh_channel channel UNUSED,
    int status, void *arg)
{
	exited(arg, status);
}

static void
on_exit_signal(ssh_session session UNUSED, ssh_channel channel UNUSED,
    const char *name, int core UNUSED, const char *message UNUSED,
    const char *lang UNUSED, void *arg)
{
	int number = signal_number(name);

	exited(arg, number == 0 ? -1 : 128 + number);
}

static int
lost(const struct ssh *s, struct err *err)
{
	return ssh_fault(s, ERR_RETRY, "connection lost", err);
}

static void
drop_channel(struct ssh *s)
{
	if (s->channel != NULL)
		ssh_channel_free(s->channel);
	s->channel = NULL;
}

static int
request(struct ssh *s, const char *command, struct err *err)
{
	int rc;

	for (;;) {
		rc = ssh_channel_open_session(s->channel);
		if (rc != SSH_AGAIN)
			break;
		if (ssh_turn(s, "session", err) == -1)
			return -1;
	}
	if (rc != SSH_OK)
		return ssh_fault(s, ssh_is_connected(s->session) ? ERR_DENIED :
		    ERR_RETRY, "session", err);
	for (;;) {
		rc = ssh_channel_request_exec(s->channel, command);
		if (rc != SSH_AGAIN)
			break;
		if (ssh_turn(s, "start of the program", err) == -1)
			return -1;
	}
	if (rc != SSH_OK)
		return ssh_fault(s, ssh_is_connected(s->session) ? ERR_DENIED :
		    ERR_RETRY, "start of the program", err);
	return 0;
}

int
ssh_exec(struct ssh *s, const char *const *argv, struct err *err)
{
	struct buf command;
	int rc;

	drop_channel(s);
	s->exited = false;
	s->status = -1;
	s->deadline_ms = clock_mono_ms() + s->limit_ms;
	s->channel = ssh_channel_new(s->session);
	if (s->channel == NULL)
		return err_set(err, ERR_RESOURCE, 0, "ssh: no memory");
	memset(&s->calls, 0, sizeof(s->calls));
	s->calls.userdata = s;
	s->calls.channel_exit_status_function = on_exit_status;
	s->calls.channel_exit_signal_function = on_exit_signal;
	ssh_callbacks_init(&s->calls);
	if (ssh_set_channel_callbacks(s->channel, &s->calls) != SSH_OK)
		return ssh_fault(s, ERR_RESOURCE, "ssh", err);
	buf_init(&command, 64 * KIB);
	ssh_quote(&command, argv);
	if (buf_overflowed(&command))
		rc = err_set(err, ERR_USAGE, 0, "the command is too long");
	else
		rc = request(s, command.data, err);
	buf_release(&command);
	return rc;
}

int
ssh_send(struct ssh *s, struct str data, struct err *err)
{
	s->deadline_ms = clock_mono_ms() + s->limit_ms;
	while (data.len > 0) {
		uint32_t n = (uint32_t)MIN(data.len, (size_t)CHUNK);
		int rc = ssh_channel_write(s->channel, data.p, n);

		if (rc < 0)
			return ssh_fault(s, ERR_RETRY, "standard input", err);
		data.p += rc;
		data.len -= (size_t)rc;
		if (rc == 0 && ssh_turn(s, "standard input", err) == -1)
			return -1;
	}
	for (;;) {
		int rc = ssh_blocking_flush(s->session, 0);

		if (rc == SSH_OK)
			return 0;
		if (rc != SSH_AGAIN)
			return lost(s, err);
		if (ssh_turn(s, "standard input", err) == -1)
			return -1;
	}
}

int
ssh_send_eof(struct ssh *s, struct err *err)
{
	int rc = ssh_channel_send_eof(s->channel);

	/* SSH_AGAIN: libssh has queued the message and sends the message with
	 * the next turn. */
	return rc == SSH_OK || rc == SSH_AGAIN ? 0 : lost(s, err);
}

/* Append, and forget the oldest above max. */
static void
keep_last(struct buf *b, const char *p, size_t n, size_t max)
{
	size_t drop;

	if (b == NULL)
		return;
	if (n > max) {
		p += n - max;
		n = max;
	}
	if (b->len + n > max) {
		drop = b->len + n - max;
		memmove(b->data, b->data + drop, b->len - drop);
		b->len -= drop;
	}
	(void)buf_add(b, p, n);
}

/* Read the output at hand. Return the number of bytes, or -1 when the
 * connection is gone. */
static long
drain(struct ssh *s, int is_stderr, struct buf *b, size_t max)
{
	char room[16384];
	long sum = 0;

	/* Bounded: a program writing without pause must not hold the loop. */
	for (int i = 0; i < 64; i++) {
		int n = ssh_channel_read_nonblocking(s->channel, room,
		    sizeof(room), is_stderr);

		if (n == 0 || n == SSH_EOF || n == SSH_AGAIN)
			break;
		if (n < 0)
			return -1;
		keep_last(b, room, (size_t)n, max);
		sum += n;
	}
	return sum;
}

/* Have libssh take the packets that have arrived. After the end of the output
 * reads no longer do that; the question for the exit status does. */
static void
take_packets(struct ssh *s)
{
#if LIBSSH_VERSION_INT >= SSH_VERSION_INT(0, 11, 0)
	(void)ssh_channel_get_exit_state(s->channel, NULL, NULL, NULL);
#else
	(void)ssh_channel_get_exit_status(s->channel);
#endif
}

static bool
has_ended(struct ssh *s)
{
	/* A lost connection closes its channels, too: check the connection
	 * first. */
	if (!ssh_is_connected(s->session))
		return s->exited;
	if (ssh_channel_is_closed(s->channel))
		return true;
	if (ssh_channel_is_eof(s->channel) && !s->exited)
		take_packets(s);
	if (!s->exited)
		return ssh_is_connected(s->session) &&
		    ssh_channel_is_closed(s->channel);
	return ssh_channel_is_eof(s->channel) ||
	    clock_mono_ms() - s->exited_ms >= LINGER_MS;
}

int
ssh_wait(struct ssh *s, unsigned timeout_ms, struct buf *out,
    struct buf *errs, size_t max, int *ret_status, struct err *err)
{
	uint64_t end = clock_mono_ms() + timeout_ms;

	*ret_status = -1;
	for (;;) {
		long a = drain(s, 0, out, max);
		long b = drain(s, 1, errs, max);

		if (a + b <= 0 && has_ended(s)) {
			*ret_status = s->exited ? s->status : -1;
			return 0;
		}
		if (a < 0 || b < 0 || !ssh_is_connected(s->session))
			return lost(s, err);
		if (a + b > 0 || clock_mono_ms() >= end)
			return 1;
		s->deadline_ms = end;
		if (s->stop != NULL && *s->stop)
			return err_set(err, ERR_STOPPED, 0, "stopped");
		/* ssh_turn ends at this call's own limit: a time-out is no
		 * error here. */
		if (ssh_turn(s, "", NULL) == -1 &&
		    (s->stop == NULL || !*s->stop))
			return 1;
	}
}
