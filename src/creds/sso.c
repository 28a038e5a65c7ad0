/*
 * SSO (IAM Identity Center): "aws sso login" leaves a token in a file; the
 * portal gives keys of a role for it. The token is not renewed here: that needs
 * somebody who logs in.
 */
#include "creds/creds_internal.h"

#include "base/clock.h"
#include "crypto/crypto.h"
#include "json/jval.h"
#include "rest/sign.h"

#define ASK_MS		10000

struct sso {
	const char *key;	/* of the token's file: session or start URL */
	const char *region;
	const char *account;
	const char *role;
};

static int
read_profile(const struct creds_ask *a, const char *profile, struct sso *s,
    struct err *err)
{
	const struct aws_files *f = &a->files;
	const char *session = aws_value(f, "profile", profile, "sso_session");

	*s = (struct sso){
	    .account = aws_value(f, "profile", profile, "sso_account_id"),
	    .role = aws_value(f, "profile", profile, "sso_role_name"),
	    .key = session != NULL ? session :
		aws_value(f, "profile", profile, "sso_start_url"),
	    .region = session != NULL ?
		aws_value(f, "sso-session", session, "sso_region") :
		aws_value(f, "profile", profile, "sso_region") };
	if (s->key == NULL || s->account == NULL || s->role == NULL ||
	    s->region == NULL)
		return err_set(err, ERR_CONFIG, 0, "SSO needs sso_account_id, "
		    "sso_role_name, sso_region and sso_session or "
		    "sso_start_url");
	return 0;
}

static int
take_token(const struct jval *root, char **ret_header, struct err *err)
{
	const struct jval *token = jval_get(root, "accessToken");
	const struct jval *end = jval_get(root, "expiresAt");
	const char *text = token == NULL ? NULL : jval_string(token);
	const char *ends = end == NULL ? NULL : jval_string(end);
	int64_t sec = 0;

	if (text == NULL || ends == NULL || !creds_time(ends, &sec))
		return err_set(err, ERR_CONFIG, 0, "holds no accessToken and "
		    "expiresAt");
	if (sec <= clock_wall_ns() / 1000000000)
		return err_set(err, ERR_DENIED, 0, "the token has ended: log "
		    "in with \"aws sso login\"");
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return err_set(err, ERR_CONFIG, 0, "the token holds "
			    "control characters");
	*ret_header = xasprintf("x-amz-sso_bearer_token: %s", text);
	return 0;
}

static int
read_token(const struct sso *s, char **ret_header, struct err *err)
{
	CLEANUP(http_wipe) struct buf text = { .data = NULL };
	AUTOFREE char *path = NULL;
	struct jval *root = NULL;
	uint8_t digest[SHA1_LEN];
	char hex[2 * SHA1_LEN + 1];
	int rc;

	if (creds_env("HOME") == NULL)
		return err_set(err, ERR_CONFIG, 0, "HOME is not set; where is "
		    ".aws/sso/cache?");
	sha1(s->key, strlen(s->key), digest);
	hex_encode(digest, sizeof(digest), hex);
	path = xasprintf("%s/.aws/sso/cache/%s.json", creds_env("HOME"), hex);
	if (creds_read_text(path, &text, err) == -1)
		return err_wrap(err, "log in with \"aws sso login\"");
	if (jval_parse(buf_str(&text), path, &root, NULL) == -1)
		return err_set(err, ERR_CONFIG, 0, "%s: is no JSON", path);
	rc = take_token(root, ret_header, err);
	jval_free(&root);
	return rc == -1 ? err_wrap(err, "%s", path) : 0;
}

static char *
url_of(const struct sso *s)
{
	const char *given = creds_env("AWS_ENDPOINT_URL_SSO");
	struct s3_param p[] = { { "role_name", str_of(s->role) },
	    { "account_id", str_of(s->account) } };
	AUTOFREE char *portal = given != NULL ? xstrdup(given) :
	    xasprintf("https://portal.sso.%s.amazonaws.com%s", s->region,
	    strncmp(s->region, "cn-", 3) == 0 ? ".cn" : "");
	struct buf query;
	char *url;

	buf_init(&query, 4096);
	s3_query(&query, p, ARRAY_LEN(p));
	url = xasprintf("%s/federation/credentials?%s", portal, query.data);
	buf_release(&query);
	return url;
}

int
creds_from_sso(struct creds_ask *a, const char *profile, struct keys *k,
    struct err *err)
{
	static const struct creds_json form = { .access_key = "accessKeyId",
	    .secret_key = "secretAccessKey", .session_token = "sessionToken",
	    .expiration = "expiration", .inside = "roleCredentials",
	    .must_end = true };
	CLEANUP(http_wipe) struct buf body = { .data = NULL };
	CLEANUP(free_secret) char *header = NULL;
	AUTOFREE char *url = NULL;
	struct sso s;
	int status;

	if (read_profile(a, profile, &s, err) == -1 ||
	    read_token(&s, &header, err) == -1)
		return -1;
	url = url_of(&s);
	status = http_ask(&(struct http_ask){ .method = "GET", .url = url,
	    .headers = { header }, .timeout_ms = ASK_MS, .attempts = 3,
	    .ca_file = creds_env("AWS_CA_BUNDLE"), .stop = a->stop,
	    .proxy = a->store->proxy }, &body, err);
	if (status == -1)
		return err_wrap(err, "SSO portal");
	if (status != 200)
		return creds_refused(status, buf_str(&body), "SSO portal",
		    err);
	return creds_take_json(k, buf_str(&body), &form, "SSO portal",
	    err) == -1 ? -1 : 1;
}
