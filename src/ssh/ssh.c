/* A connection: open, close. */
#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ssh/ssh_internal.h"

#define TIMEOUT_MS	30000

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int init_result;

/* The shared library does both when loaded, a static library doesn't. */
static void
init_library(void)
{
	ssh_threads_set_callbacks(ssh_threads_get_pthread());
	init_result = ssh_init();
	ssh_set_log_level(SSH_LOG_NOLOG);
}

/* Further characters could reach a command copied by a person from a
 * message. */
static bool
host_is_sane(const char *host)
{
	size_t len = strlen(host);

	return len > 0 && len < 256 && host[0] != '-' &&
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789._:%-") == len;
}

static void
learn_address(struct ssh *s, int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) == -1 ||
	    getnameinfo((struct sockaddr *)&a, len, s->address,
	    sizeof(s->address), NULL, 0, NI_NUMERICHOST) != 0)
		s->address[0] = '\0';
}

static int
set_options(struct ssh *s, const struct ssh_config *c, int *fd,
    struct err *err)
{
	bool no = false;
	int strict = 1;
	const char *files = c->known_hosts;
	int rc = 0;

	/* Set this option first: libssh then leaves further configuration files
	 * closed. */
	rc |= ssh_options_set(s->session, SSH_OPTIONS_PROCESS_CONFIG, &no);
	rc |= ssh_options_set(s->session, SSH_OPTIONS_HOST, s->host);
	rc |= ssh_options_set(s->session, SSH_OPTIONS_PORT, &s->port);
	rc |= ssh_options_set(s->session, SSH_OPTIONS_STRICTHOSTKEYCHECK,
	    &strict);
	if (c->user != NULL)
		rc |= ssh_options_set(s->session, SSH_OPTIONS_USER, c->user);
	if (files != NULL) {
		/* libssh chooses the host key algorithms by these known_hosts
		 * files. */
		rc |= ssh_options_set(s->session, SSH_OPTIONS_KNOWNHOSTS,
		    files);
		rc |= ssh_options_set(s->session,
		    SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
	}
	/* Last: the descriptor is the session's from now on. */
	if (rc == 0)
		rc = ssh_options_set(s->session, SSH_OPTIONS_FD, fd);
	if (rc != 0)
		return ssh_fault(s, ERR_CONFIG, "ssh options", err);
	ssh_set_blocking(s->session, 0);
	return 0;
}

/* Run until keys are exchanged. A server with too many logins under way closes
 * the connection: such an error is worth a retry. */
static int
shake_hands(struct ssh *s, struct err *err)
{
	int rc;

	for (;;) {
		rc = ssh_connect(s->session);
		if (rc != SSH_AGAIN)
			break;
		if (ssh_turn(s, "ssh handshake", err) == -1) {
			if (err->kind == ERR_RETRY)
				err->kind = ERR_UNREACHABLE;
			return -1;
		}
	}
	if (rc == SSH_OK)
		return 0;
	if (strstr(ssh_get_error(s->session), "kex error") != NULL)
		return ssh_fault(s, ERR_PEER, "ssh handshake", err);
	return ssh_fault(s, ERR_RETRY, "ssh handshake", err);
}

static int
open_session(struct ssh *s, const struct ssh_config *c, struct err *err)
{
	int fd = -1;

	if (ssh_dial(s->host, s->port, s->deadline_ms, s->stop, &fd,
	    err) == -1)
		return -1;
	learn_address(s, fd);
	s->session = ssh_new();
	if (s->session == NULL) {
		close(fd);
		return err_set(err, ERR_RESOURCE, 0, "ssh: no memory");
	}
	if (set_options(s, c, &fd, err) == -1) {
		close(fd);
		return -1;
	}
	if (shake_hands(s, err) == -1 ||
	    ssh_check_host_key(s, c->known_hosts, err) == -1)
		return -1;
	return ssh_login(s, c, err);
}

int
ssh_open(struct ssh **ret, const struct ssh_config *c, struct err *err)
{
	struct err own = ERR_INIT;
	struct ssh *s;

	*ret = NULL;
	if (err == NULL)
		err = &own;
	pthread_once(&once, init_library);
	if (init_result != SSH_OK)
		return err_set(err, ERR_RESOURCE, 0, "libssh: no start");
	if (!host_is_sane(c->host) || c->port > 65535)
		return err_set(err, ERR_CONFIG, 0, "not the name of a host");
	s = xcalloc(1, sizeof(*s));
	snprintf(s->host, sizeof(s->host), "%s", c->host);
	s->port = c->port == 0 ? 22 : c->port;
	s->stop = c->stop;
	s->limit_ms = c->timeout_ms == 0 ? TIMEOUT_MS : c->timeout_ms;
	s->deadline_ms = clock_mono_ms() + s->limit_ms;
	if (open_session(s, c, err) == -1) {
		ssh_close(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

void
ssh_close(struct ssh **sp)
{
	struct ssh *s = *sp;

	if (s == NULL)
		return;
	if (s->session != NULL) {
		if (s->channel != NULL)
			ssh_channel_free(s->channel);
		ssh_disconnect(s->session);
		ssh_free(s->session);
	}
	free(s);
	*sp = NULL;
}

void
ssh_set_stop(struct ssh *s, const _Atomic bool *stop)
{
	s->stop = stop;
}

const char *
ssh_local_address(const struct ssh *s)
{
	return s->address;
}
