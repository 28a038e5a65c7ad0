/*
 * stranger.c: a TLS connection to a master's port for the system tests, made
 * from what datamover-wire(5) says and without datamover's own code.
 *
 *	stranger KEY ADDRESS:PORT
 *
 * KEY is the run's key in hexadecimal. What comes on standard input is sent,
 * what the master answers is written to standard output. It ends, with
 * status 0, when the master closes the connection; the end of standard input
 * is not the end. Without a handshake: status 1, the reason on stderr.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>

#include "port.h"

static unsigned char key[48];
static const char identity[] = "datamover run key";

static void
parse_key(const char *hex)
{
	for (size_t i = 0; i < sizeof(key); i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			die("a key has 96 hexadecimal digits");
		key[i] = (unsigned char)byte;
	}
}

static int
use_session(SSL *ssl, const EVP_MD *md, const unsigned char **id,
    size_t *id_len, SSL_SESSION **session)
{
	static const unsigned char suite[] = { 0x13, 0x02 };
	SSL_SESSION *s = SSL_SESSION_new();

	(void)md;
	if (s == NULL ||
	    !SSL_SESSION_set1_master_key(s, key, sizeof(key)) ||
	    !SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suite)) ||
	    !SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION))
		die("no session");
	*id = (const unsigned char *)identity;
	*id_len = sizeof(identity) - 1;
	*session = s;
	return 1;
}

static int
dial(const char *where)
{
	struct sockaddr_in at = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	parse_target(where, &at);
	if (fd == -1 || connect(fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		die("%s: %s", where, strerror(errno));
	return fd;
}

/* Until the master closes it. */
static void
relay(SSL *ssl, int fd)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	char data[65536];

	for (;;) {
		if (SSL_pending(ssl) == 0 && poll(p, 2, -1) == -1)
			die("poll: %s", strerror(errno));
		if (p[1].revents != 0) {
			ssize_t n = read(STDIN_FILENO, data, sizeof(data));

			if (n <= 0)
				p[1].fd = -1;
			else if (SSL_write(ssl, data, (int)n) <= 0)
				return;
		}
		if (p[0].revents != 0 || SSL_pending(ssl) > 0) {
			int n = SSL_read(ssl, data, sizeof(data));

			if (n <= 0)
				return;
			if (write(STDOUT_FILENO, data, (size_t)n) == -1)
				die("stdout: %s", strerror(errno));
		}
	}
}

int
main(int argc, char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	static SSL *ssl;	/* what die leaves behind is no leak */
	int fd;

	if (argc != 3 || strlen(argv[1]) != 2 * sizeof(key))
		die("stranger KEY ADDRESS:PORT");
	parse_key(argv[1]);
	signal(SIGPIPE, SIG_IGN);
	if (ctx == NULL ||
	    !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384"))
		die("no TLS 1.3");
	SSL_CTX_set_psk_use_session_callback(ctx, use_session);
	fd = dial(argv[2]);
	ssl = SSL_new(ctx);
	if (ssl == NULL || !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1)
		die("no handshake: %s",
		    ERR_reason_error_string(ERR_peek_error()));
	relay(ssl, fd);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	return 0;
}
