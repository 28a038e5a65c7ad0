/* The environment, and the two files of the AWS SDKs: ~/.aws/config and
 * ~/.aws/credentials. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "creds/creds_internal.h"

#define FILE_MAX	((size_t)MIB)
#define LINES_MAX	20000

const char *
creds_env(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != '\0' ? s : NULL;
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

int
creds_from_environment(struct creds_ask *a, struct keys *k,
    struct err *err UNUSED)
{
	const char *access = creds_env("AWS_ACCESS_KEY_ID");
	const char *secret = creds_env("AWS_SECRET_ACCESS_KEY");

	/* The settings may have the access key, and the environment the
	 * secret alone. */
	if (access == NULL)
		access = a->store->access_key;
	if (access == NULL || secret == NULL)
		return 0;
	*k = (struct keys){ .access_key = xstrdup(access),
	    .secret_key = xstrdup(secret),
	    .session_token = copy(creds_env("AWS_SESSION_TOKEN")) };
	return 1;
}

static char *
path_of(const char *variable, const char *below_home)
{
	if (creds_env(variable) != NULL)
		return xstrdup(creds_env(variable));
	return creds_env("HOME") == NULL ? NULL :
	    xasprintf("%s/%s", creds_env("HOME"), below_home);
}

char *
aws_config_path(void)
{
	return path_of("AWS_CONFIG_FILE", ".aws/config");
}

char *
aws_credentials_path(void)
{
	return path_of("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
}

static int
read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char chunk[4096];
	ssize_t n = 0;

	buf_init(out, max);
	if (fd == -1)
		return err_errno(err, ERR_CONFIG, errno, "%s", path);
	do {
		if (n > 0 && buf_add(out, chunk, (size_t)n) == -1)
			return err_set(err, ERR_CONFIG, 0, "%s: longer than "
			    "%zu bytes; is it the right file?", path, max);
		n = read(fd, chunk, sizeof(chunk));
	} while (n > 0);
	if (n == -1)
		return err_errno(err, ERR_CONFIG, errno, "%s", path);
	explicit_bzero(chunk, sizeof(chunk));
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct str
trim(struct str s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* "profile x", "default" and, in the file of credentials, "x" name a profile;
 * sections of other kinds keep their name. */
static char *
section_of(struct str name, bool credentials)
{
	static const struct str profile = { "profile ", 8 };
	static const struct str session = { "sso-session ", 12 };
	const char *kind = "other";

	name = trim(name);
	if (credentials || str_eq(name, STR("default"))) {
		kind = "profile";
	} else if (str_starts(name, profile)) {
		kind = "profile";
		name.p += profile.len;
		name.len -= profile.len;
	} else if (str_starts(name, session)) {
		kind = "sso-session";
		name.p += session.len;
		name.len -= session.len;
	}
	name = trim(name);
	return xasprintf("%s %.*s", kind, (int)name.len, name.p);
}

/* A comment may follow the value. */
static struct str
value_of(struct str s)
{
	for (size_t i = 1; i < s.len; i++)
		if ((s.p[i] == '#' || s.p[i] == ';') && is_blank(s.p[i - 1]))
			s.len = i;
	return trim(s);
}

static void
add_line(struct aws_files *f, const char *section, struct str line)
{
	const char *equal = memchr(line.p, '=', line.len);
	struct str key, value;

	/* An indented line belongs to a nested setting, such as "s3 =". */
	if (equal == NULL || is_blank(line.p[0]) || line.p[0] == '#' ||
	    line.p[0] == ';' || f->count == LINES_MAX)
		return;
	key = trim((struct str){ line.p, (size_t)(equal - line.p) });
	value = value_of((struct str){ equal + 1,
	    line.len - (size_t)(equal + 1 - line.p) });
	f->v = xreallocarray(f->v, f->count + 1, sizeof(*f->v));
	f->v[f->count++] = (struct aws_line){ .section = xstrdup(section),
	    .key = xstrndup(key.p, key.len),
	    .value = xstrndup(value.p, value.len) };
}

static void
parse(struct aws_files *f, struct str text, bool credentials)
{
	char *section = xstrdup("other ");

	while (text.len > 0) {
		const char *end = memchr(text.p, '\n', text.len);
		struct str line = { text.p, end == NULL ? text.len :
		    (size_t)(end - text.p) };
		const char *close = memchr(line.p, ']', line.len);

		text.p += line.len + (end != NULL);
		text.len -= line.len + (end != NULL);
		if (line.len > 0 && line.p[0] == '[' && close != NULL) {
			free(section);
			section = section_of((struct str){ line.p + 1,
			    (size_t)(close - line.p) - 1 }, credentials);
			/* A section without settings is there, too. */
			add_line(f, section, STR("="));
		} else if (line.len > 0) {
			add_line(f, section, line);
		}
	}
	free(section);
}

int
aws_files_read(struct aws_files *f, struct err *err)
{
	memset(f, 0, sizeof(*f));
	for (int credentials = 0; credentials <= 1; credentials++) {
		AUTOFREE char *path = credentials ? aws_credentials_path() :
		    aws_config_path();
		CLEANUP(http_wipe) struct buf text = { .data = NULL };

		if (path == NULL)
			continue;
		if (read_file(path, FILE_MAX, &text, err) == -1) {
			if (err->code != ENOENT && err->code != ENOTDIR)
				return -1;
			err_clear(err);
			continue;
		}
		parse(f, buf_str(&text), credentials == 1);
	}
	return 0;
}

void
aws_files_release(struct aws_files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->v[i].section);
		free(f->v[i].key);
		free_secret(&f->v[i].value);
	}
	free(f->v);
	memset(f, 0, sizeof(*f));
}

static bool
is_section(const char *section, const char *kind, const char *name)
{
	size_t n = strlen(kind);

	return strncmp(section, kind, n) == 0 && section[n] == ' ' &&
	    strcmp(section + n + 1, name) == 0;
}

const char *
aws_value(const struct aws_files *f, const char *kind, const char *name,
    const char *key)
{
	for (size_t i = f->count; i-- > 0;)
		if (strcmp(f->v[i].key, key) == 0 &&
		    is_section(f->v[i].section, kind, name))
			return f->v[i].value[0] == '\0' ? NULL :
			    f->v[i].value;
	return NULL;
}

bool
aws_has(const struct aws_files *f, const char *kind, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (is_section(f->v[i].section, kind, name))
			return true;
	return false;
}

int
creds_read_text(const char *path, struct buf *out, struct err *err)
{
	if (read_file(path, HTTP_ANSWER_MAX, out, err) == -1)
		return -1;
	while (out->len > 0 && (is_blank(out->data[out->len - 1]) ||
	    out->data[out->len - 1] == '\n'))
		out->data[--out->len] = '\0';
	if (out->len == 0 || strlen(out->data) != out->len)
		return err_set(err, ERR_CONFIG, 0, "%s: holds no text", path);
	return 0;
}
