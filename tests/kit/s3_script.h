/*
 * s3_script.h: a server that follows a script, for the tests of the S3
 * client: it reads a request, notes it, and answers with the next bytes of
 * the script, good or not. One connection at a time.
 */
#ifndef KIT_S3_SCRIPT_H
#define KIT_S3_SCRIPT_H

#include <pthread.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "s3/s3.h"

#define SECRET	"very+secret/key"
#define TOKEN	"a-session-token"
/* Answers that end the connection, give none, or keep still. */
#define CLOSE	"\001"
#define NOTHING	"\002"
#define SILENT	"\003"
#define OK_PUT	"HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 0\r\n\r\n"
#define BODY(status, headers, len, body) \
	"HTTP/1.1 " status "\r\n" headers "Content-Length: " len \
	"\r\n\r\n" body
#define ERROR_503 BODY("503 Slow", "", "38", \
	"<Error><Code>SlowDown</Code></Error>\n\n")

struct server {
	int	 listen_fd;
	char	 url[64];
	pthread_t thread;
	const char *const *script;	/* ends with NULL */
	pthread_mutex_t lock;	/* of what follows */
	struct buf requests;	/* heads and bodies, one after another */
	unsigned count;
};

void server_start(struct server *v, const char *const *script);

/* What was asked so far; the answers to it have come. */
const char *asked(struct server *v);

/* The script is over, or nobody asks for the rest of it. */
void server_stop(struct server *v);

struct got {
	unsigned calls;
	struct err err;
	int	 status;
	unsigned attempts;
	char	 etag[72];
	uint64_t size;
	uint64_t object_size;
	unsigned parts_count;
	bool	 marker;
	size_t	 listed;
	struct buf body;
	bool	 refuse;	/* the body's bytes */
};

void on_done(void *arg, const struct s3_reply *r, const struct err *err);

enum s3_data on_data(void *arg, const void *p, size_t len);

/* One test: a server with its script, a client, what a request brought. */
struct fixture {
	struct server v;
	struct s3_config c;
	char	*endpoint;
	struct s3 *s;
	struct got g;
};

void script_start(struct fixture *f, const char *const *script);
void script_finish(struct fixture *f);
void run(struct fixture *f);
void good(struct fixture *f, unsigned attempts);
void bad(struct fixture *f, enum err_kind kind, const char *text);

#define FIXTURE(f, ...) \
	const char *const script[] = { __VA_ARGS__, NULL }; \
	struct fixture f = { .s = NULL }; \
	script_start(&f, script)

extern const struct s3_body hello_body;

#endif
