/*
 * Credentials: from an option or the file, else from the environment, else
 * from a profile in ~/.aws/credentials. A pair and its token always come
 * from one source: keys of different sources never meet.
 */
#include "conf/table.h"

struct profile {
	const char *name;
	bool	 found;
	char	*access_key;
	char	*secret_key;
	char	*session_token;
	char	*region;
};

static void
release_profile(struct profile *p)
{
	free(p->access_key);
	free(p->secret_key);
	free(p->session_token);
	free(p->region);
}

/* Return the value of an environment variable, or NULL if unset or empty. */
static const char *
env(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != '\0' ? s : NULL;
}

static int
on_profile_line(void *arg, const struct ini_line *line, struct err *err)
{
	struct profile *p = arg;
	AUTOFREE char *value = NULL;
	char **to = NULL;

	(void)err;
	if (strcmp(line->section, p->name) != 0)
		return 0;
	p->found = true;
	if (strcmp(line->key, "aws_access_key_id") == 0)
		to = &p->access_key;
	else if (strcmp(line->key, "aws_secret_access_key") == 0)
		to = &p->secret_key;
	else if (strcmp(line->key, "aws_session_token") == 0)
		to = &p->session_token;
	else if (strcmp(line->key, "region") == 0)
		to = &p->region;
	if (to == NULL)
		return 0;
	/* A comment may follow the value; no key holds a blank. */
	value = xstrndup(line->value, strcspn(line->value, " \t"));
	conf_set_text(to, value);
	return 0;
}

/* Read the profile; a missing file is an error only when the user asked for
 * the profile by name. */
static int
read_profile(struct profile *p, bool named, struct err *err)
{
	CLEANUP(buf_release) struct buf text = { .data = NULL };
	AUTOFREE char *path = NULL;
	struct err reason = ERR_INIT;

	if (env("AWS_SHARED_CREDENTIALS_FILE") != NULL)
		path = xstrdup(env("AWS_SHARED_CREDENTIALS_FILE"));
	else if (env("HOME") != NULL)
		path = xasprintf("%s/.aws/credentials", env("HOME"));
	if (path == NULL)
		return named ? err_set(err, ERR_CONFIG, 0, "profile %s: HOME "
		    "is not set; where is .aws/credentials?", p->name) : 0;
	if (conf_read_file(path, &text, NULL, &reason) == -1)
		return named ? err_set(err, ERR_CONFIG, 0, "profile %s: %s",
		    p->name, reason.msg) : 0;
	if (conf_ini_parse(buf_str(&text), path, true, on_profile_line, p,
	    err) == -1)
		return -1;
	if (named && !p->found)
		return err_set(err, ERR_CONFIG, 0, "there is no profile [%s] "
		    "in %s", p->name, path);
	if (p->found && (p->access_key == NULL) != (p->secret_key == NULL))
		return err_set(err, ERR_CONFIG, 0, "%s: profile [%s] has only "
		    "one of aws_access_key_id and aws_secret_access_key",
		    path, p->name);
	return 0;
}

/* Read a secret: the first line of the file at path. */
static int
read_secret(const char *setting, const char *path, char **to,
    struct err *err)
{
	CLEANUP(buf_release) struct buf text = { .data = NULL };
	bool open_to_all;
	size_t len;

	if (conf_read_file(path, &text, &open_to_all, err) == -1)
		return err_wrap(err, "%s", setting);
	if (open_to_all)
		return err_set(err, ERR_CONFIG, 0, "%s: %s is open to every "
		    "user; chmod o= it", setting, path);
	len = text.len == 0 ? 0 : strcspn(text.data, "\r\n");
	if (len == 0)
		return err_set(err, ERR_CONFIG, 0, "%s: %s: the first line "
		    "is empty; put the secret there", setting, path);
	if (text.data[len] == '\0' && len != text.len)
		return err_set(err, ERR_CONFIG, 0, "%s: %s holds a NUL byte; "
		    "is it a text file?", setting, path);
	free(*to);
	*to = xstrndup(text.data, len);
	return 0;
}

static int
read_secret_files(struct conf *c, struct err *err)
{
	if (c->s3_storage.secret_key_file != NULL) {
		/* Two files could say different things; an option may
		 * replace either. */
		if (c->s3_storage.secret_key != NULL &&
		    conf_origin_of(c, "s3_storage", "secret_key") ==
		    conf_origin_of(c, "s3_storage", "secret_key_file"))
			return err_set(err, ERR_CONFIG, 0, "[s3_storage] has "
			    "secret_key and secret_key_file; keep one");
		if (read_secret("secret_key_file",
		    c->s3_storage.secret_key_file, &c->s3_storage.secret_key,
		    err) == -1)
			return -1;
	}
	if (c->client.password_file == NULL)
		return 0;
	if (c->client.password != NULL)
		return err_set(err, ERR_CONFIG, 0, "[client] has password and "
		    "password_file; keep one");
	return read_secret("password_file", c->client.password_file,
	    &c->client.password, err);
}

/* Clients get the text, not the name: the file need not be there. */
static int
read_ca_file(struct conf *c, struct err *err)
{
	CLEANUP(buf_release) struct buf text = { .data = NULL };

	if (c->s3_storage.ca_file == NULL)
		return 0;
	if (conf_read_file(c->s3_storage.ca_file, &text, NULL, err) == -1)
		return err_wrap(err, "ca_file");
	if (text.len == 0 || strlen(text.data) != text.len)
		return err_set(err, ERR_CONFIG, 0, "ca_file: %s holds no "
		    "certificates in PEM form", c->s3_storage.ca_file);
	free(c->s3_storage.ca_pem);
	c->s3_storage.ca_pem = xstrdup(text.data);
	return 0;
}

static void
take_region(struct conf *c, const char *of_profile)
{
	const char *region = env("AWS_REGION");

	if (conf_origin_of(c, "s3_storage", "region") != CONF_DEFAULT)
		return;
	if (region == NULL)
		region = env("AWS_DEFAULT_REGION");
	if (region == NULL)
		region = of_profile;
	if (region != NULL)
		conf_set_text(&c->s3_storage.region, region);
}

/* The environment's pair, if it belongs to the access key we have or if we
 * have none. */
static void
take_environment(struct conf *c)
{
	const char *access = env("AWS_ACCESS_KEY_ID");
	const char *secret = env("AWS_SECRET_ACCESS_KEY");
	const char *have = c->s3_storage.access_key;

	if (secret == NULL || (access == NULL && have == NULL))
		return;
	if (access != NULL && have != NULL && strcmp(access, have) != 0)
		return;
	if (have == NULL)
		conf_set_text(&c->s3_storage.access_key, access);
	conf_set_text(&c->s3_storage.secret_key, secret);
	if (c->s3_storage.session_token == NULL)
		conf_set_text(&c->s3_storage.session_token,
		    env("AWS_SESSION_TOKEN"));
}

static int
take_profile(struct conf *c, const char *name, bool named, struct err *err)
{
	CLEANUP(release_profile) struct profile p = { .name = name };
	const char *have = c->s3_storage.access_key;

	if (read_profile(&p, named, err) == -1)
		return -1;
	take_region(c, p.region);
	if (p.access_key == NULL)
		return 0;
	if (have != NULL && strcmp(have, p.access_key) != 0)
		return 0;
	conf_set_text(&c->s3_storage.access_key, p.access_key);
	conf_set_text(&c->s3_storage.secret_key, p.secret_key);
	if (c->s3_storage.session_token == NULL)
		conf_set_text(&c->s3_storage.session_token, p.session_token);
	return 0;
}

int
conf_credentials(struct conf *c, bool required, struct err *err)
{
	const char *profile = c->s3_storage.profile;

	if (read_secret_files(c, err) == -1)
		return -1;
	take_region(c, NULL);
	if (!required)
		return 0;
	if (read_ca_file(c, err) == -1)
		return -1;
	/* A profile named by a file or an option goes before the keys of the
	 * environment; a profile named by the environment goes after the
	 * keys. */
	if (c->s3_storage.secret_key == NULL && profile == NULL)
		take_environment(c);
	if (c->s3_storage.secret_key == NULL) {
		bool named = true;

		if (profile == NULL)
			profile = env("AWS_PROFILE");
		if (profile == NULL) {
			profile = "default";
			named = false;
		}
		if (take_profile(c, profile, named, err) == -1)
			return -1;
	}
	if (c->s3_storage.access_key == NULL)
		return err_set(err, ERR_CONFIG, 0, "no S3 credentials; set "
		    "access_key and secret_key_file in [s3_storage], or "
		    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
	if (c->s3_storage.secret_key == NULL)
		return err_set(err, ERR_CONFIG, 0, "no secret key for "
		    "access_key %s; set secret_key_file in [s3_storage], or "
		    "AWS_SECRET_ACCESS_KEY", c->s3_storage.access_key);
	return 0;
}
