/* AssumeRole and AssumeRoleWithWebIdentity of STS. */
#include "creds/creds_internal.h"

#include "base/clock.h"
#include "crypto/crypto.h"
#include "rest/sign.h"
#include "rest/sts.h"

#define ASK_MS		10000
#define BODY_MAX	((size_t)(128 * KIB))
#define REGION		"us-east-1"

static const char *
region_of(const struct creds_ask *a)
{
	if (creds_env("AWS_REGION") != NULL)
		return creds_env("AWS_REGION");
	if (creds_env("AWS_DEFAULT_REGION") != NULL)
		return creds_env("AWS_DEFAULT_REGION");
	return a->region != NULL ? a->region : REGION;
}

static char *
url_of(const char *region)
{
	const char *given = creds_env("AWS_ENDPOINT_URL_STS");

	if (given != NULL)
		return xasprintf("%s%s", given,
		    given[strlen(given) - 1] == '/' ? "" : "/");
	return xasprintf("https://sts.%s.amazonaws.com%s/", region,
	    strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

static void
add(struct buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(b, "&%s=", name);
	s3_encode(b, str_of(value), false);
}

static int
make_body(const struct sts_role *r, struct buf *b, struct err *err)
{
	CLEANUP(http_wipe) struct buf token = { .data = NULL };

	buf_init(b, BODY_MAX);
	buf_addf(b, "Action=AssumeRole%s&Version=2011-06-15",
	    r->token_file != NULL ? "WithWebIdentity" : "");
	add(b, "RoleArn", r->arn);
	add(b, "RoleSessionName", r->session_name == NULL ? "datamover" :
	    r->session_name);
	add(b, "ExternalId", r->external_id);
	add(b, "DurationSeconds", r->duration);
	if (r->token_file == NULL)
		return 0;
	if (creds_read_text(r->token_file, &token, err) == -1)
		return err_wrap(err, "web identity");
	add(b, "WebIdentityToken", token.data);
	return buf_overflowed(b) ? err_set(err, ERR_CONFIG, 0, "%s: the token "
	    "is too long", r->token_file) : 0;
}

/* The headers that sign the request with the keys of the base. */
static void
sign(const struct sts_role *r, const char *url, const char *region,
    struct str body, char *lines[3])
{
	const char *host = strstr(url, "://") + 3;
	struct s3_header headers[3];
	struct s3_to_sign to = { .method = "POST", .query = STR(""),
	    .headers = headers, .header_count = 2,
	    .time = clock_wall_ns() / 1000000000 };
	uint8_t digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
	struct s3_signer s;
	struct buf out;

	sha256(body.p, body.len, digest);
	hex_encode(digest, sizeof(digest), hex);
	to.payload = hex;
	to.path = str_of(strchr(host, '/'));
	s3_signer_init(&s, r->base, region, "sts");
	headers[0] = (struct s3_header){ STR("host"),
	    { host, strcspn(host, "/") } };
	headers[1] = (struct s3_header){ STR("x-amz-date"),
	    str_of(s3_sign_date(&s, to.time)) };
	if (r->base->session_token != NULL)
		headers[to.header_count++] = (struct s3_header){
		    STR("x-amz-security-token"),
		    str_of(r->base->session_token) };
	buf_init(&out, 4096);
	buf_addstr(&out, "authorization: ");
	s3_sign(&s, &to, &out);
	lines[0] = xstrdup(out.data);
	lines[1] = xasprintf("x-amz-date: %s", s3_sign_date(&s, to.time));
	if (r->base->session_token != NULL)
		lines[2] = xasprintf("x-amz-security-token: %s",
		    r->base->session_token);
	buf_release(&out);
	s3_signer_release(&s);
}

static int
take(struct keys *k, int status, struct str xml, struct err *err)
{
	char shown[160] = "";

	if (status == 200)
		return sts_keys(k, xml, err) == -1 ||
		    keys_check(k, err) == -1 ? -1 : 1;
	if (!sts_error(xml, shown, sizeof(shown)))
		snprintf(shown, sizeof(shown), "HTTP %d", status);
	return err_set(err, ERR_DENIED, status, "%s", shown);
}

int
creds_assume(struct creds_ask *a, const struct sts_role *r, struct keys *k,
    struct err *err)
{
	CLEANUP(http_wipe) struct buf body = { .data = NULL };
	CLEANUP(http_wipe) struct buf answer = { .data = NULL };
	const char *region = region_of(a);
	AUTOFREE char *url = url_of(region);
	char *lines[3] = { NULL, NULL, NULL };
	struct http_ask ask = { .method = "POST", .url = url,
	    .timeout_ms = ASK_MS, .attempts = 3, .stop = a->stop,
	    .ca_file = creds_env("AWS_CA_BUNDLE"), .proxy = a->store->proxy,
	    .headers = { "content-type: application/x-www-form-urlencoded" } };
	int rc;

	if (strstr(url, "://") == NULL)
		return err_set(err, ERR_CONFIG, 0, "AWS_ENDPOINT_URL_STS is "
		    "no URL");
	if (make_body(r, &body, err) == -1)
		return -1;
	ask.body = body.data;
	if (r->token_file == NULL)
		sign(r, url, region, buf_str(&body), lines);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		ask.headers[i + 1] = lines[i];
	rc = http_ask(&ask, &answer, err);
	if (rc != -1)
		rc = take(k, rc, buf_str(&answer), err);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		free_secret(&lines[i]);
	if (rc == 1)
		return 1;
	keys_release(k);
	return err_wrap(err, "STS, role %.60s", r->arn);
}

int
creds_from_web_identity(struct creds_ask *a, struct keys *k,
    struct err *err)
{
	const struct sts_role role = {
		.token_file = creds_env("AWS_WEB_IDENTITY_TOKEN_FILE"),
		.arn = creds_env("AWS_ROLE_ARN"),
		.session_name = creds_env("AWS_ROLE_SESSION_NAME"),
	};

	if (role.token_file == NULL)
		return 0;
	if (role.arn == NULL)
		return err_set(err, ERR_CONFIG, 0, "set AWS_ROLE_ARN "
		    "beside AWS_WEB_IDENTITY_TOKEN_FILE");
	return creds_assume(a, &role, k, err);
}
