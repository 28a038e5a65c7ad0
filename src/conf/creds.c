/*
 * What of the credentials stands in the settings: secrets in files of their
 * own, certificates, the region. The keys themselves are found, and renewed, by
 * creds/.
 */
#include "conf/table.h"

/* Return the value of an environment variable, or NULL if unset or empty. */
static const char *
env(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != '\0' ? s : NULL;
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
	const char *path = c->s3_storage.ca_file, *name = "ca_file";

	if (path == NULL) {
		path = env("AWS_CA_BUNDLE");
		name = "AWS_CA_BUNDLE";
	}
	if (path == NULL)
		return 0;
	if (conf_read_file(path, &text, NULL, err) == -1)
		return err_wrap(err, "%s", name);
	if (text.len == 0 || strlen(text.data) != text.len)
		return err_set(err, ERR_CONFIG, 0, "%s: %s holds no "
		    "certificates in PEM form", name, path);
	free(c->s3_storage.ca_pem);
	c->s3_storage.ca_pem = xstrdup(text.data);
	return 0;
}

static void
take_region(struct conf *c)
{
	const char *region = env("AWS_REGION");

	if (conf_origin_of(c, "s3_storage", "region") != CONF_DEFAULT)
		return;
	if (region == NULL)
		region = env("AWS_DEFAULT_REGION");
	if (region != NULL)
		conf_set_text(&c->s3_storage.region, region);
}

int
conf_credentials(struct conf *c, bool required, struct err *err)
{
	if (read_secret_files(c, err) == -1)
		return -1;
	take_region(c);
	if (!required)
		return 0;
	c->s3_storage.keyring = keyring_new();
	return read_ca_file(c, err);
}
