/*
 * The sources that a cloud offers to its machines: the endpoint of a container
 * (ECS, EKS) and the metadata service of an instance (EC2, version 2).
 */
#include <arpa/inet.h>

#include "creds/creds_internal.h"

#define CONTAINER_HOST	"http://169.254.170.2"
#define INSTANCE_IPV4	"http://169.254.169.254"
#define INSTANCE_IPV6	"http://[fd00:ec2::254]"
#define CONTAINER_MS	2000
#define INSTANCE_MS	1000
#define INSTANCE_TTL	"x-aws-ec2-metadata-token-ttl-seconds: 21600"
#define PATH		"/latest/meta-data/iam/security-credentials/"
#define ROLE_MAX	64
#define TOKEN_MAX	1024

static const struct creds_json form = { .access_key = "AccessKeyId",
    .secret_key = "SecretAccessKey", .session_token = "Token",
    .expiration = "Expiration", .must_end = true };

static bool
is_line(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* --- containers --- */

/* Over http only this host, and the addresses of ECS and EKS, may learn the
 * token. */
static bool
is_allowed(const char *url)
{
	static const char *const hosts[] = { "localhost", "169.254.170.2",
	    "169.254.170.23", "fd00:ec2::23", "::1" };
	char host[64] = "";
	size_t len;

	if (strncmp(url, "https://", 8) == 0)
		return true;
	if (strncmp(url, "http://", 7) != 0)
		return false;
	url += 7;
	if (url[0] == '[')
		len = strcspn(++url, "]");
	else
		len = strcspn(url, ":/?#");
	/* No user's name hides the host. */
	if (len >= sizeof(host) || memchr(url, '@', strcspn(url, "/?#")) !=
	    NULL)
		return false;
	memcpy(host, url, len);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (strcasecmp(host, hosts[i]) == 0)
			return true;
	return strncmp(host, "127.", 4) == 0 &&
	    inet_pton(AF_INET, host, &(struct in_addr){ 0 }) == 1;
}

static int
container_url(char **ret, struct err *err)
{
	const char *relative =
	    creds_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = creds_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");

	*ret = NULL;
	if (relative != NULL)
		*ret = xasprintf("%s%s%s", CONTAINER_HOST,
		    relative[0] == '/' ? "" : "/", relative);
	else if (full != NULL && !is_allowed(full))
		return err_set(err, ERR_CONFIG, 0,
		    "AWS_CONTAINER_CREDENTIALS_FULL_URI: http only to this "
		    "host, 169.254.170.2, 169.254.170.23 or fd00:ec2::23");
	else if (full != NULL)
		*ret = xstrdup(full);
	return 0;
}

/* The header that authorizes us; NULL: none is asked for. */
static int
container_header(char **ret, struct err *err)
{
	const char *path = creds_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = creds_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	CLEANUP(http_wipe) struct buf text = { .data = NULL };

	*ret = NULL;
	if (path != NULL && creds_read_text(path, &text, err) == -1)
		return err_wrap(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	if (path != NULL)
		token = text.data;
	if (token == NULL)
		return 0;
	if (!is_line(token))
		return err_set(err, ERR_CONFIG, 0, "the container's "
		    "authorization token holds control characters");
	*ret = xasprintf("authorization: %s", token);
	return 0;
}

int
creds_from_container(struct creds_ask *a, struct keys *k, struct err *err)
{
	static const char where[] = "container";
	CLEANUP(http_wipe) struct buf body = { .data = NULL };
	CLEANUP(free_secret) char *header = NULL;
	AUTOFREE char *url = NULL;
	struct http_ask ask = { .method = "GET", .timeout_ms = CONTAINER_MS,
	    .attempts = 3, .stop = a->stop,
	    .ca_file = creds_env("AWS_CA_BUNDLE") };
	int status;

	if (container_url(&url, err) == -1)
		return -1;
	if (url == NULL)
		return 0;
	if (container_header(&header, err) == -1)
		return -1;
	ask.url = url;
	ask.headers[0] = header;
	status = http_ask(&ask, &body, err);
	if (status == -1)
		return err_wrap(err, "%s", where);
	if (status != 200)
		return creds_refused(status, buf_str(&body), where, err);
	return creds_take_json(k, buf_str(&body), &form, where, err) == -1 ?
	    -1 : 1;
}

/* --- instances --- */

static const char *
instance_host(void)
{
	const char *given = creds_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = creds_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (given != NULL)
		return given;
	return mode != NULL && strcasecmp(mode, "IPv6") == 0 ? INSTANCE_IPV6 :
	    INSTANCE_IPV4;
}

static uint64_t
number_of(const char *variable, uint64_t def, uint64_t max)
{
	const char *s = creds_env(variable);
	uint64_t n = s == NULL ? 0 : strtoul(s, NULL, 10);

	return n == 0 ? def : MIN(n, max);
}

static int
ask_instance(struct creds_ask *a, const char *method, const char *path,
    const char *header, struct buf *body, struct err *err)
{
	const char *host = instance_host();
	AUTOFREE char *url = xasprintf("%.*s%s", (int)(strlen(host) -
	    (host[strlen(host) - 1] == '/')), host, path);
	struct http_ask ask = { .method = method, .url = url, .stop = a->stop,
	    .headers = { header }, .timeout_ms = 1000 *
	    number_of("AWS_METADATA_SERVICE_TIMEOUT", INSTANCE_MS / 1000, 60),
	    .attempts = (unsigned)number_of(
	    "AWS_METADATA_SERVICE_NUM_ATTEMPTS", 1, 10) };
	int status = http_ask(&ask, body, err);

	if (status == -1 || status == 200)
		return status == -1 ? -1 : 0;
	return err_set(err, status == 401 || status == 403 ? ERR_DENIED :
	    ERR_CONFIG, status, "HTTP %d", status);
}

static int
take_token(struct creds_ask *a, char **ret_header, struct err *err)
{
	CLEANUP(http_wipe) struct buf body = { .data = NULL };

	if (ask_instance(a, "PUT", "/latest/api/token", INSTANCE_TTL, &body,
	    err) == -1)
		return -1;
	if (body.len == 0 || body.len > TOKEN_MAX || !is_line(body.data))
		return err_set(err, ERR_PEER, 0, "the answer is no token");
	*ret_header = xasprintf("x-aws-ec2-metadata-token: %s", body.data);
	return 0;
}

/* The name of the instance's role: the first line. */
static int
take_role(struct creds_ask *a, const char *header, char ret[ROLE_MAX + 1],
    struct err *err)
{
	static const char known[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-";
	CLEANUP(http_wipe) struct buf body = { .data = NULL };
	size_t len;

	if (ask_instance(a, "GET", PATH, header, &body, err) == -1)
		return err->code == 404 ? err_set(err, ERR_CONFIG, 404,
		    "the instance has no role") : -1;
	len = body.data == NULL ? 0 : strspn(body.data, known);
	if (len == 0 || len > ROLE_MAX || (body.data[len] != '\0' &&
	    strchr("\r\n", body.data[len]) == NULL))
		return err_set(err, ERR_PEER, 0, "the answer is no name of a "
		    "role");
	memcpy(ret, body.data, len);
	ret[len] = '\0';
	return 0;
}

int
creds_from_instance(struct creds_ask *a, struct keys *k, struct err *err)
{
	const char *off = creds_env("AWS_EC2_METADATA_DISABLED");
	CLEANUP(http_wipe) struct buf body = { .data = NULL };
	CLEANUP(free_secret) char *header = NULL;
	AUTOFREE char *path = NULL;
	char role[ROLE_MAX + 1];

	if (off != NULL && strcasecmp(off, "true") == 0)
		return 0;
	if (take_token(a, &header, err) == -1 ||
	    take_role(a, header, role, err) == -1)
		return err_wrap(err, "instance metadata");
	path = xasprintf(PATH "%s", role);
	if (ask_instance(a, "GET", path, header, &body, err) == -1)
		return err_wrap(err, "instance metadata, role %s", role);
	return creds_take_json(k, buf_str(&body), &form,
	    "instance metadata", err) == -1 ? -1 : 1;
}
