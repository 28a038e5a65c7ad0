#include "client/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/signals.h"
#include "client/client_internal.h"
#include "crypto/crypto.h"

#define INVITE_MAX	(64 * KIB)
#define INVITE_MS	30000

/* --- the master's address and key --- */

/* Read the whole invitation from standard input, with its empty last line. */
static int
read_text(struct buf *text, struct err *err)
{
	uint64_t end_ms = clock_mono_ms() + INVITE_MS;

	while (!str_ends((struct str){ text->data, text->len }, STR("\n\n"))) {
		struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
		uint64_t now = clock_mono_ms();
		char c;
		ssize_t n;

		if (now >= end_ms || signals_waiting())
			return err_set(err, ERR_UNREACHABLE, 0, "no invitation "
			    "came on standard input");
		if (poll(&fd, 1, (int)MIN(end_ms - now, (uint64_t)200)) <= 0)
			continue;
		/* Read byte by byte: bytes after the invitation are not for
		 * this function. */
		n = read(STDIN_FILENO, &c, 1);
		if (n == 0)
			return err_set(err, ERR_UNREACHABLE, 0, "standard "
			    "input ended in the middle of the invitation");
		if (n == 1 && buf_add(text, &c, 1) == -1)
			return err_set(err, ERR_PEER, 0, "the invitation is "
			    "too long");
	}
	return 0;
}

static int
take_invitation(struct client *c, struct err *err)
{
	struct buf text;
	int rc;

	if (isatty(STDIN_FILENO) == 1)
		return err_set(err, ERR_USAGE, 0, "a master starts this verb, "
		    "over SSH; by hand: --join HOST --key-file FILE");
	buf_init(&text, INVITE_MAX);
	rc = read_text(&text, err);
	if (rc == 0)
		rc = invite_read(&c->invite, (struct str){ text.data,
		    text.len }, err);
	if (text.data != NULL)
		explicit_bzero(text.data, text.len);
	buf_release(&text);
	c->number = c->invite.client;
	c->input = STDIN_FILENO;
	return rc;
}

/* Parse ":6000", ":6000:6001" or "". */
static bool
parse_ports(const char *s, unsigned *index, unsigned *status)
{
	char *end;
	unsigned long n;

	for (unsigned i = 0; *s != '\0'; i++) {
		if (i == 2 || s[0] != ':' || s[1] < '0' || s[1] > '9')
			return false;
		n = strtoul(s + 1, &end, 10);
		if (n == 0 || n > 65535)
			return false;
		*(i == 0 ? index : status) = (unsigned)n;
		s = end;
	}
	return *index != *status;
}

/* An IPv6 address stands in brackets, or alone without ports. */
int
client_parse_join(const char *join, char **ret_host, unsigned *ret_index,
    unsigned *ret_status, struct err *err)
{
	struct in6_addr address;
	const char *host = join, *end;
	char shown[80];

	if (inet_pton(AF_INET6, join, &address) == 1) {
		*ret_host = xstrdup(join);
		return 0;
	}
	if (join[0] == '[') {
		host++;
		end = strchr(host, ']');
	} else {
		end = host + strcspn(host, ":");
	}
	if (end != NULL && end > host && parse_ports(*end == ']' ? end + 1 :
	    end, ret_index, ret_status)) {
		*ret_host = xstrndup(host, (size_t)(end - host));
		return 0;
	}
	return err_set(err, ERR_USAGE, 0, "--join is HOST, HOST:PORT_INDEX or "
	    "HOST:PORT_INDEX:PORT_STATUS, not \"%s\"",
	    str_escape(str_of(join), shown, sizeof(shown)));
}

static int
take_options(struct client *c, const struct client_options *o,
    struct err *err)
{
	struct invite *v = &c->invite;

	if (o->key_file == NULL)
		return err_set(err, ERR_USAGE, 0, "--join needs --key-file: "
		    "the file that the master has as [master] key_file");
	c->joined = true;
	v->port_index = o->port_index;
	v->port_status = o->port_status;
	if (client_parse_join(o->join, &v->address, &v->port_index,
	    &v->port_status, err) == -1)
		return -1;
	return key_file_read(o->key_file, v->key, err);
}

/* --- attempts --- */

static void
pause_ms(struct client *c, uint64_t ms)
{
	uint64_t end_ms = clock_mono_ms() + ms;
	struct pollfd fds[2] = {
		{ .fd = c->signals, .events = POLLIN },
		{ .fd = c->input, .events = POLLIN },
	};

	while (clock_mono_ms() < end_ms && c->stop_signal == 0) {
		char waste[512];

		if (poll(fds, ARRAY_LEN(fds), 200) <= 0)
			continue;
		c->stop_signal = signals_next(c->signals);
		/* The parent closed standard input: stop, as after SIGTERM. */
		if (fds[1].revents != 0 &&
		    read(c->input, waste, sizeof(waste)) <= 0)
			c->stop_signal = SIGTERM;
	}
}

/* Run sessions until a session ends as intended, or until no further attempt
 * can succeed. */
static enum session_end
go(struct client *c, const struct client_options *o, struct err *err)
{
	unsigned give_up_s = c->invite.give_up_s > 0 ?
	    c->invite.give_up_s : o->give_up_s;
	unsigned delay_s = c->invite.retry_delay_s > 0 ?
	    c->invite.retry_delay_s : o->retry_delay_s;
	uint64_t since_ms = clock_mono_ms();
	bool told = false;

	for (;;) {
		enum session_end end = session_run(c, err);

		if (end != SESSION_LOST || c->stop_signal != 0)
			return end;
		/* A client that was invited does not come back after a session
		 * that had its setup, nor after its standard input has
		 * ended. */
		if (!c->joined && (c->met || c->input == -1))
			return end;
		if (c->whole) {
			since_ms = clock_mono_ms();
			told = false;
		}
		if (clock_mono_ms() - since_ms >= give_up_s * UINT64_C(1000))
			return end;
		if (!told)
			log_event(LOG_WARN, EVENT_CLIENT,
			    LOG_WITH(LOG_TEXT("reason", err->msg)),
			    "%s; trying for %u s", err->msg, give_up_s);
		told = true;
		pause_ms(c, delay_s * UINT64_C(1000));
		if (c->stop_signal != 0)
			return end;
	}
}

int
run_client(const struct client_options *o)
{
	struct client c = { .input = -1, .signals = -1 };
	enum session_end end = SESSION_FAILED;
	struct err err = ERR_INIT;
	uint32_t chance;
	int status;

	random_bytes(&chance, sizeof(chance));
	c.pid = (uint64_t)chance << 32 | (uint32_t)getpid();
	c.signals = signals_block(&err);
	if (c.signals != -1 && (o->join != NULL ?
	    take_options(&c, o, &err) : take_invitation(&c, &err)) == 0)
		end = go(&c, o, &err);
	invite_release(&c.invite);
	if (c.stop_signal == 0 && c.signals != -1)
		c.stop_signal = signals_next(c.signals);
	if (c.stop_signal != 0)
		status = exit_status_signal(c.stop_signal);
	else if (end == SESSION_DONE)
		status = EXIT_DONE;
	else
		status = exit_status_of(&err);
	if (end != SESSION_DONE && c.stop_signal == 0)
		log_event(LOG_ERROR, EVENT_CLIENT,
		    LOG_WITH(LOG_TEXT("reason", err.msg)), "%s", err.msg);
	close_fd(&c.signals);
	return status;
}
