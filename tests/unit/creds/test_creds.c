/* Where keys come from, each source with a stand-in of its service. */
#include "kit/conf_text.h"
#include "kit/s3_script.h"

#include "creds/creds.h"

#define S3 "[s3_storage]\nendpoint = http://h:1\nbucket = bkt\n" \
	"retry_for = 1\n"
#define END "2099-01-01T00:00:00Z"
/* An answer whose length the connection's end tells. */
#define JSON(text) "HTTP/1.1 200 OK\r\n\r\n" text CLOSE
#define NOT(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n\r\n"
#define KEYS(n) "{\"Code\":\"Success\",\"AccessKeyId\":\"AK" n "\"," \
	"\"SecretAccessKey\":\"SK" n "\",\"Token\":\"T" n "\"," \
	"\"Expiration\":\"" END "\"}"
#define STS(n) "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/" \
	"doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser><Arn>a</Arn>" \
	"</AssumedRoleUser><Credentials><AccessKeyId>AK" n "</AccessKeyId>" \
	"<SecretAccessKey>SK" n "</SecretAccessKey><SessionToken>T" n \
	"</SessionToken><Expiration>" END "</Expiration></Credentials>" \
	"</AssumeRoleResult></AssumeRoleResponse>"

static const char credentials[] =
    "# keys\n"
    "[default]\n"
    "aws_access_key_id = D\n"
    "aws_secret_access_key = DS\n"
    "s3 =\n"
    "  max_concurrent_requests = 20 ; nested\n"
    "[a-profile-with-a-name-that-is-longer-than-forty-nine-bytes]\n"
    "aws_access_key_id = L\n"
    "aws_secret_access_key = LS\n"
    "[p]\n"
    "aws_access_key_id=P # mine\n"
    "aws_secret_access_key = P/S+==\n"
    "aws_session_token = PT\n"
    "region = eu-1\n"
    "a-key-of-another-program-that-is-longer-than-forty-nine-bytes = 1\n"
    "no value\n"
    "[empty]\n"
    "[half]\n"
    "aws_access_key_id = H\n";

/* Where credentials come from: every source has letters of its own. */
static const struct {
	const char *settings;	/* after S3 */
	const char *access, *secret, *token, *profile;	/* environment */
	const char *want;	/* access/secret/token/region, or a message */
} rows[] = {
	{ "access_key = F\nsecret_key = FS\n", NULL, NULL, NULL, NULL,
	    "F/FS/-/us-east-1" },
	{ "access_key = F\nsecret_key = FS\n", "E", "ES", "ET", "p",
	    "F/FS/-/us-east-1" },
	{ "access_key = F\nsecret_key = FS\nsession_token = FT\n", NULL,
	    NULL, NULL, NULL, "F/FS/FT/us-east-1" },
	{ "", "E", "ES", NULL, NULL, "E/ES/-/us-east-1" },
	{ "", "E", "ES", "ET", "p", "E/ES/ET/us-east-1" },
	{ "", NULL, NULL, NULL, "p", "P/P/S+==/PT/eu-1" },
	{ "", NULL, NULL, NULL, NULL, "D/DS/-/us-east-1" },
	{ "profile = p\n", "E", "ES", "ET", NULL, "P/P/S+==/PT/eu-1" },
	{ "profile = p\nregion = here\n", NULL, NULL, NULL, NULL,
	    "P/P/S+==/PT/here" },
	/* The secret of the key that the file names, of no other. */
	{ "access_key = F\n", NULL, "ES", NULL, NULL, "F/ES/-/us-east-1" },
	{ "access_key = E\n", "E", "ES", "ET", NULL, "E/ES/ET/us-east-1" },
	{ "access_key = F\n", "E", "ES", "ET", NULL,
	    "no secret key for access_key F" },
	{ "access_key = P\n", NULL, NULL, NULL, "p", "P/P/S+==/PT/eu-1" },
	{ "access_key = F\nprofile = p\n", NULL, NULL, NULL, NULL,
	    "no secret key for access_key F" },
	{ "profile = nobody\n", NULL, NULL, NULL, NULL,
	    "there is no profile [nobody] in" },
	{ "profile = half\n", NULL, NULL, NULL, NULL,
	    "profile [half] has only one of" },
	{ "profile = a-profile-with-a-name-that-is-longer-than-forty-nine-"
	    "bytes\n", NULL, NULL, NULL, NULL, "L/LS/-/us-east-1" },
	{ "profile = empty\n", NULL, NULL, NULL, NULL,
	    "profile empty: it says nothing of keys" },
};

static const char *const variables[] = {
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE",
	"AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS",
	"AWS_ENDPOINT_URL_SSO", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT",
};

static void
set_env(const char *name, const char *value)
{
	int rc = value == NULL ? unsetenv(name) : setenv(name, value, 1);

	assert_int_equal(rc, 0);
}

/* No test asks an instance, unless it says where. */
static int
clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		set_env(variables[i], NULL);
	set_env("AWS_EC2_METADATA_DISABLED", "true");
	text_write(".aws/config", STR(""), 0600);
	text_write(".aws/credentials", STR(""), 0600);
	return 0;
}

struct found {
	struct conf c;
	struct creds *creds;
	struct keys keys;
	struct err err;
	int	 rc;
};

static void
find(struct found *f, const char *settings)
{
	AUTOFREE char *text = xasprintf(S3 "%s", settings);

	memset(f, 0, sizeof(*f));
	if (text_load(&f->c, "t.conf", text, &f->err) == -1 ||
	    conf_finish(&f->c, true, false, &f->err) == -1)
		fail_msg("%s", f->err.msg);
	f->rc = creds_start(&f->creds, &f->c, &f->err);
	if (f->rc == 0)
		keyring_get(f->c.s3_storage.keyring, &f->keys);
}

static void
done(struct found *f)
{
	creds_stop(&f->creds);
	keys_release(&f->keys);
	conf_release(&f->c);
}

static void
expect_keys(const char *settings, const char *n)
{
	AUTOFREE char *want = xasprintf("AK%s/SK%s/T%s", n, n, n);
	AUTOFREE char *got = NULL;
	struct found f;

	find(&f, settings);
	if (f.rc == -1)
		fail_msg("%s", f.err.msg);
	got = xasprintf("%s/%s/%s", f.keys.access_key, f.keys.secret_key,
	    f.keys.session_token);
	assert_string_equal(got, want);
	assert_int_equal(f.keys.expires_sec, INT64_C(4070908800));
	done(&f);
}

static void
expect_error(const char *settings, enum err_kind kind, const char *text)
{
	struct found f;

	find(&f, settings);
	assert_int_equal(f.rc, -1);
	if (f.err.kind != kind || strstr(f.err.msg, text) == NULL)
		fail_msg("%s: %s", err_kind_name(f.err.kind), f.err.msg);
	done(&f);
}

static void
sources_have_their_order(void **state)
{
	(void)state;
	text_write(".aws/credentials", str_of(credentials), 0600);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTOFREE char *got = NULL;
		struct found f;

		set_env("AWS_ACCESS_KEY_ID", rows[i].access);
		set_env("AWS_SECRET_ACCESS_KEY", rows[i].secret);
		set_env("AWS_SESSION_TOKEN", rows[i].token);
		set_env("AWS_PROFILE", rows[i].profile);
		find(&f, rows[i].settings);
		if (f.rc == -1)
			got = xstrdup(f.err.msg);
		else
			got = xasprintf("%s/%s/%s/%s", f.keys.access_key,
			    f.keys.secret_key, f.keys.session_token == NULL ?
			    "-" : f.keys.session_token,
			    f.c.s3_storage.region);
		if (strstr(got, rows[i].want) == NULL)
			fail_msg("row %zu: got %s, want %s", i, got,
			    rows[i].want);
		done(&f);
	}
	clean(state);
	expect_error("", ERR_CONFIG, "no S3 credentials");
}

/* --- services of the cloud --- */

static void
an_instance_has_a_role(void **state)
{
	const char *const script[] = { JSON("IMDS-TOKEN"),
	    JSON("the-role\nanother"), JSON(KEYS("1")), NULL };
	struct server v;

	(void)state;
	server_start(&v, script);
	set_env("AWS_EC2_METADATA_SERVICE_ENDPOINT", v.url);
	expect_error("", ERR_CONFIG, "no S3 credentials");
	set_env("AWS_EC2_METADATA_DISABLED", "false");
	expect_keys("", "1");
	assert_non_null(strstr(asked(&v), "PUT /latest/api/token HTTP"));
	assert_non_null(strstr(asked(&v),
	    "x-aws-ec2-metadata-token-ttl-seconds: 21600"));
	assert_non_null(strstr(asked(&v), "GET /latest/meta-data/iam/"
	    "security-credentials/the-role HTTP"));
	assert_non_null(strstr(asked(&v),
	    "x-aws-ec2-metadata-token: IMDS-TOKEN"));
	server_stop(&v);
}

/* What an instance may answer, and what it means. */
static void
an_instance_answers_badly(void **state)
{
	static const struct {
		const char *script[4];
		enum err_kind kind;
		const char *text;
	} bad[] = {
		{ { NOT("404 No") }, ERR_CONFIG, "HTTP 404" },
		{ { NOT("403 No") }, ERR_DENIED, "HTTP 403" },
		{ { NOT("500 No") }, ERR_RETRY, "HTTP 500" },
		{ { JSON("a\rb: c") }, ERR_PEER, "no token" },
		{ { JSON("") }, ERR_PEER, "no token" },
		{ { JSON("T"), NOT("404 No") }, ERR_CONFIG,
		    "the instance has no role" },
		{ { JSON("T"), JSON("../../a b") }, ERR_PEER,
		    "no name of a role" },
		{ { JSON("T"), JSON("r"), JSON("{") }, ERR_PEER, "no JSON" },
		{ { JSON("T"), JSON("r"), JSON("[]") }, ERR_PEER,
		    "no object" },
		{ { JSON("T"), JSON("r"), JSON("{\"AccessKeyId\":\"a\"}") },
		    ERR_PEER, "no SecretAccessKey" },
		{ { JSON("T"), JSON("r"), JSON("{\"AccessKeyId\":\"a\","
		    "\"SecretAccessKey\":\"s\"}") }, ERR_PEER,
		    "no Expiration" },
		{ { JSON("T"), JSON("r"), JSON("{\"AccessKeyId\":\"a\","
		    "\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}") },
		    ERR_PEER, "Expiration is no time" },
		{ { JSON("T"), JSON("r"), JSON("{\"AccessKeyId\":\"a\\r\\nb\","
		    "\"SecretAccessKey\":\"s\",\"Expiration\":\"" END "\"}") },
		    ERR_PEER, "control characters" },
	};

	(void)state;
	set_env("AWS_EC2_METADATA_DISABLED", NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct server v;

		server_start(&v, bad[i].script);
		set_env("AWS_EC2_METADATA_SERVICE_ENDPOINT", v.url);
		expect_error("", bad[i].kind, bad[i].text);
		server_stop(&v);
	}
}

static void
an_answer_has_a_limit(void **state)
{
	size_t len = 200 * KIB;
	char *big = xmalloc(len + 64);
	const char *const script[] = { big, NULL };
	struct server v;
	int n = snprintf(big, 64, "HTTP/1.1 200 OK\r\n\r\n");

	(void)state;
	memset(big + n, 'x', len);
	big[(size_t)n + len] = CLOSE[0];
	big[(size_t)n + len + 1] = '\0';
	server_start(&v, script);
	set_env("AWS_EC2_METADATA_DISABLED", NULL);
	set_env("AWS_EC2_METADATA_SERVICE_ENDPOINT", v.url);
	expect_error("", ERR_PEER, "an answer of over");
	server_stop(&v);
	free(big);
}

static void
a_container_has_an_endpoint(void **state)
{
	static const char *const refused[] = { "http://10.0.0.1/",
	    "http://localhost.evil.org/", "http://127.0.0.1@evil.org/",
	    "http://127.0.0.1.evil.org/", "ftp://localhost/",
	    "http://169.254.169.254/" };
	const char *const script[] = { JSON(KEYS("2")), JSON(KEYS("3")),
	    BODY("400 Bad", "", "24", "{\"message\":\"bad \\u001b\"}"), NULL };
	AUTOFREE char *file = text_path("token");
	AUTOFREE char *url = NULL;
	struct server v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", refused[i]);
		expect_error("", ERR_CONFIG, "http only to this host");
	}
	server_start(&v, script);
	url = xasprintf("%s/v2/creds", v.url);
	set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
	set_env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "PLAIN");
	expect_keys("", "2");
	assert_non_null(strstr(asked(&v), "GET /v2/creds HTTP"));
	assert_non_null(strstr(asked(&v), "authorization: PLAIN\r\n"));
	text_write("token", STR("FROM-FILE\n"), 0600);
	set_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file);
	expect_keys("", "3");
	assert_non_null(strstr(asked(&v), "authorization: FROM-FILE\r\n"));
	expect_error("", ERR_CONFIG, "container: HTTP 400: bad \\x1b");
	text_write("token", STR("A\r\nb: c\n"), 0600);
	expect_error("", ERR_CONFIG, "control characters");
	server_stop(&v);
}

static void
a_web_identity_becomes_a_role(void **state)
{
	const char *const script[] = { JSON(STS("4")), JSON(STS("5")),
	    BODY("403 No", "", "95", "<ErrorResponse><Error><Code>"
	    "AccessDenied</Code><Message>no</Message></Error>"
	    "</ErrorResponse>   "),
	    JSON("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
	    JSON("<a><Credentials/></a>"), NULL };
	AUTOFREE char *file = text_path("jwt");
	AUTOFREE char *config = xasprintf("[profile web]\nrole_arn = arn:p\n"
	    "web_identity_token_file = %s\nrole_session_name = me\n", file);
	struct server v;

	(void)state;
	server_start(&v, script);
	text_write("jwt", STR("a.b+c\n"), 0600);
	text_write(".aws/config", str_of(config), 0600);
	set_env("AWS_ENDPOINT_URL_STS", v.url);
	set_env("AWS_WEB_IDENTITY_TOKEN_FILE", file);
	expect_error("", ERR_CONFIG, "set AWS_ROLE_ARN beside");
	set_env("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
	expect_keys("", "4");
	assert_non_null(strstr(asked(&v), "Action=AssumeRoleWithWebIdentity&"
	    "Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&"
	    "RoleSessionName=datamover&WebIdentityToken=a.b%2Bc"));
	assert_null(strcasestr(asked(&v), "authorization:"));
	/* A profile of the settings goes first. */
	expect_keys("profile = web\n", "5");
	assert_non_null(strstr(asked(&v), "RoleArn=arn%3Ap&"
	    "RoleSessionName=me&"));
	expect_error("", ERR_DENIED, "AccessDenied: no");
	expect_error("", ERR_PEER, "is no XML");
	expect_error("", ERR_PEER, "does not say when the keys end");
	server_stop(&v);
}

/* --- profiles --- */

static const char config[] =
    "[profile role]\n"
    "role_arn = arn:aws:iam::1:role/r\n"
    "source_profile = base\n"
    "external_id = ex/1\n"
    "duration_seconds = 900\n"
    "region = eu-central-9\n"
    "[profile outer]\n"
    "role_arn = arn:outer\n"
    "source_profile = role\n"
    "[profile self]\n"
    "role_arn = arn:self\n"
    "source_profile = self\n"
    "aws_access_key_id = SA\n"
    "aws_secret_access_key = SS\n"
    "[profile loop]\n"
    "role_arn = arn:a\n"
    "source_profile = loop2\n"
    "[profile loop2]\n"
    "role_arn = arn:a\n"
    "source_profile = loop\n"
    "[profile env]\n"
    "role_arn = arn:env\n"
    "credential_source = Environment\n"
    "[profile mfa]\n"
    "role_arn = arn:a\n"
    "source_profile = base\n"
    "mfa_serial = x\n"
    "[profile odd]\n"
    "role_arn = arn:a\n"
    "credential_source = Moon\n"
    "[profile none]\n"
    "role_arn = arn:a\n"
    "[profile sso]\n"
    "sso_session = my\n"
    "sso_account_id = 123\n"
    "sso_role_name = a b\n"
    "[sso-session my]\n"
    "sso_region = r-1\n"
    "[profile old-sso]\n"
    "sso_start_url = https://d.example/start\n"
    "sso_region = r-1\n"
    "sso_account_id = 123\n"
    "sso_role_name = r\n"
    "[profile half-sso]\n"
    "sso_account_id = 123\n";

static void
a_profile_assumes_a_role(void **state)
{
	const char *const script[] = { JSON(STS("6")), JSON(STS("7")),
	    JSON(STS("8")), JSON(STS("9")), JSON(STS("10")), NULL };
	const char *second;
	struct server v;

	(void)state;
	server_start(&v, script);
	text_write(".aws/config", str_of(config), 0600);
	text_write(".aws/credentials", STR("[base]\naws_access_key_id = BA\n"
	    "aws_secret_access_key = BS\naws_session_token = BT\n"), 0600);
	set_env("AWS_ENDPOINT_URL_STS", v.url);
	set_env("AWS_PROFILE", "role");
	expect_keys("", "6");
	assert_non_null(strstr(asked(&v), "Action=AssumeRole&"
	    "Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&"
	    "RoleSessionName=datamover&ExternalId=ex%2F1&"
	    "DurationSeconds=900"));
	assert_non_null(strstr(asked(&v), "Credential=BA/"));
	assert_non_null(strstr(asked(&v), "/eu-central-9/sts/aws4_request"));
	assert_non_null(strstr(asked(&v), "x-amz-security-token: BT\r\n"));
	assert_null(strstr(asked(&v), "BS"));
	/* The role of the first profile asks for the second role. */
	set_env("AWS_PROFILE", "outer");
	expect_keys("", "8");
	second = strstr(asked(&v), "RoleArn=arn%3Aouter");
	assert_non_null(second);
	assert_non_null(strstr(asked(&v), "Credential=AK7/"));
	set_env("AWS_PROFILE", "self");
	expect_keys("", "9");
	assert_non_null(strstr(asked(&v), "Credential=SA/"));
	/* With these in the environment its keys would go first. */
	set_env("AWS_ACCESS_KEY_ID", "EA");
	set_env("AWS_SECRET_ACCESS_KEY", "ES");
	expect_keys("profile = env\n", "10");
	assert_non_null(strstr(asked(&v), "Credential=EA/"));
	expect_error("profile = loop\n", ERR_CONFIG, "round and round");
	expect_error("profile = mfa\n", ERR_CONFIG, "mfa_serial");
	expect_error("profile = odd\n", ERR_CONFIG, "credential_source is");
	expect_error("profile = none\n", ERR_CONFIG, "role_arn needs");
	server_stop(&v);
}

static void
a_login_by_sso_is_used(void **state)
{
#define SSO(end) "{\"accessToken\":\"BEARER\",\"expiresAt\":\"" end "\"}"
	const char *const script[] = {
	    JSON("{\"roleCredentials\":{\"accessKeyId\":\"AK11\","
	    "\"secretAccessKey\":\"SK11\",\"sessionToken\":\"T11\","
	    "\"expiration\":4070908800000}}"),
	    NOT("401 No"), NULL };
	AUTOFREE char *dir = text_path(".aws/sso");
	AUTOFREE char *cache = text_path(".aws/sso/cache");
	struct server v;

	(void)state;
	mkdir(dir, 0700);
	mkdir(cache, 0700);
	server_start(&v, script);
	text_write(".aws/config", str_of(config), 0600);
	set_env("AWS_ENDPOINT_URL_SSO", v.url);
	set_env("AWS_PROFILE", "sso");
	expect_error("", ERR_CONFIG, "log in with \"aws sso login\"");
	/* SHA-1 of "my" */
	text_write(".aws/sso/cache/"
	    "3ece1471f44f63177cbc35ba0b904e0c096b6783.json",
	    STR(SSO("2000-01-01T00:00:00Z")), 0600);
	expect_error("", ERR_DENIED, "the token has ended");
	text_write(".aws/sso/cache/"
	    "3ece1471f44f63177cbc35ba0b904e0c096b6783.json",
	    STR(SSO("2099-01-01T00:00:00UTC")), 0600);
	expect_keys("", "11");
	assert_non_null(strstr(asked(&v), "GET /federation/credentials?"
	    "account_id=123&role_name=a%20b HTTP"));
	assert_non_null(strstr(asked(&v),
	    "x-amz-sso_bearer_token: BEARER\r\n"));
	expect_error("", ERR_DENIED, "SSO portal: HTTP 401");
	expect_error("profile = old-sso\n", ERR_CONFIG, "aws sso login");
	expect_error("profile = half-sso\n", ERR_CONFIG, "SSO needs");
	server_stop(&v);
}

static void
expect_process(const char *command, const char *n, enum err_kind kind,
    const char *text)
{
	AUTOFREE char *conf = xasprintf("[default]\ncredential_process = %s\n",
	    command);

	text_write(".aws/config", str_of(conf), 0600);
	if (n != NULL)
		expect_keys("", n);
	else
		expect_error("", kind, text);
}

static void
a_program_prints_keys(void **state)
{
	static const char script[] = "#!/bin/sh\n"
	    "[ \"$1\" = 'a b' ] && [ \"$2\" = \"it's\" ] && "
	    "[ \"$3\" = '$HOME' ] || exit 9\n"
	    "[ -z \"$AWS_SECRET_ACCESS_KEY\" ] || exit 8\n"
	    "echo '{\"Version\":1,\"AccessKeyId\":\"AK12\","
	    "\"SecretAccessKey\":\"SK12\",\"SessionToken\":\"T12\","
	    "\"Expiration\":\"2099-01-01T00:00:00+00:00\"}'\n";
	AUTOFREE char *path = text_path("program");
	AUTOFREE char *good = xasprintf("%s \"a b\" it\\'s '$HOME'", path);
	AUTOFREE char *wrong = xasprintf("%s a b", path);

	(void)state;
	text_write("program", str_of(script), 0700);
	set_env("AWS_SECRET_ACCESS_KEY", "half of a pair");
	expect_process(good, "12", 0, NULL);
	expect_process(wrong, NULL, ERR_DENIED, "exit status 9");
	expect_process("/nonexistent", NULL, ERR_CONFIG, "No such file");
	expect_process("echo {\"Version\":2}", NULL, ERR_PEER, "Version");
	expect_process("yes", NULL, ERR_PEER, "prints more than");
	expect_process("echo 'a", NULL, ERR_CONFIG,
	    "write a program and its arguments");
}

/* --- keys that end --- */

/* Wait for keys of a number above this; whatever the machine is busy with. */
static uint64_t
next_keys(struct found *f, uint64_t number)
{
	struct keyring *r = f->c.s3_storage.keyring;

	while (keyring_number(r) <= number)
		poll(NULL, 0, 5);
	keys_release(&f->keys);
	return keyring_get(r, &f->keys);
}

static void
keys_are_renewed_when_the_store_calls_them_expired(void **state)
{
	const char *const script[] = {
	    JSON(KEYS("1")), JSON(KEYS("1")), JSON(KEYS("2")), NULL };
	struct err why = ERR_INIT;
	struct keyring *r;
	struct server v;
	struct found f;

	(void)state;
	server_start(&v, script);
	set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", v.url);
	find(&f, "");
	assert_int_equal(f.rc, 0);
	r = f.c.s3_storage.keyring;
	assert_false(keyring_awaits(r));
	/* The endpoint gives the same keys at first. */
	assert_true(keyring_expired(r, 1, &why));
	assert_int_equal(next_keys(&f, 1), 2);
	assert_string_equal(f.keys.access_key, "AK2");
	assert_false(keyring_awaits(r));
	/* Keys of before have no say. */
	assert_true(keyring_expired(r, 1, &why));
	assert_false(keyring_awaits(r));
	/* Nobody is there any more: retry_for is a second. */
	server_stop(&v);
	assert_true(keyring_expired(r, 2, &why));
	while (!keyring_given_up(r, 2, &why))
		poll(NULL, 0, 5);
	assert_false(keyring_awaits(r));
	assert_false(keyring_expired(r, 2, &why));
	assert_non_null(strstr(why.msg, "container: "));
	done(&f);
}

static void
keys_are_renewed_ahead_of_their_end(void **state)
{
	char one[400], end[32];
	const char *const script[] = { one, JSON(KEYS("2")), NULL };
	struct server v;
	struct found f;

	(void)state;
	clock_iso8601(clock_wall_ns() / 1000000000 + 2, end);
	snprintf(one, sizeof(one), JSON("{\"AccessKeyId\":\"AK1\","
	    "\"SecretAccessKey\":\"SK1\",\"Expiration\":\"%s\"}"), end);
	server_start(&v, script);
	set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", v.url);
	find(&f, "");
	assert_int_equal(f.rc, 0);
	assert_int_equal(next_keys(&f, 1), 2);
	assert_string_equal(f.keys.access_key, "AK2");
	done(&f);
	server_stop(&v);
}

static void
a_changed_file_is_read_again(void **state)
{
	struct found f;

	(void)state;
	text_write(".aws/config", STR(""), 0600);
	text_write(".aws/credentials", STR("[default]\n"
	    "aws_access_key_id = A\naws_secret_access_key = B\n"), 0600);
	find(&f, "");
	assert_int_equal(f.rc, 0);
	text_write(".aws/credentials", STR("[default]\n"
	    "aws_access_key_id = NEW\naws_secret_access_key = B\n"), 0600);
	assert_int_equal(next_keys(&f, 1), 2);
	assert_string_equal(f.keys.access_key, "NEW");
	done(&f);
}

static void
keys_that_are_set_once_are_not_awaited(void **state)
{
	struct err why = ERR_INIT;
	struct found f;

	(void)state;
	find(&f, "access_key = A\nsecret_key = B\nsession_token = C\n");
	assert_false(keyring_expired(f.c.s3_storage.keyring, 1, &why));
	assert_non_null(strstr(why.msg, "never renewed"));
	done(&f);
}

static int
setup(void **state)
{
	int rc = text_setup(state);
	AUTOFREE char *dir = text_path(".aws");

	return rc == -1 ? -1 : mkdir(dir, 0700);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, clean)
	const struct CMUnitTest tests[] = {
		TEST(sources_have_their_order),
		TEST(an_instance_has_a_role),
		TEST(an_instance_answers_badly),
		TEST(an_answer_has_a_limit),
		TEST(a_container_has_an_endpoint),
		TEST(a_web_identity_becomes_a_role),
		TEST(a_profile_assumes_a_role),
		TEST(a_login_by_sso_is_used),
		TEST(a_program_prints_keys),
		TEST(keys_are_renewed_when_the_store_calls_them_expired),
		TEST(keys_are_renewed_ahead_of_their_end),
		TEST(a_changed_file_is_read_again),
		TEST(keys_that_are_set_once_are_not_awaited),
	};

	return cmocka_run_group_tests(tests, setup, text_teardown);
}
