#include "kit/conf_text.h"

#include <ftw.h>

static char text_dir[64];

int
text_setup(void **state)
{
	static const char *const variables[] = {
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION",
		"AWS_DEFAULT_REGION", "AWS_SHARED_CREDENTIALS_FILE",
		"XDG_STATE_HOME",
	};

	(void)state;
	snprintf(text_dir, sizeof(text_dir), "/tmp/conf_test.XXXXXX");
	if (mkdtemp(text_dir) == NULL)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		unsetenv(variables[i]);
	return setenv("HOME", text_dir, 1);
}

char *
text_path(const char *name)
{
	return xasprintf("%s/%s", text_dir, name);
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *at UNUSED)
{
	return remove(path);
}

int
text_teardown(void **state)
{
	(void)state;
	return nftw(text_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
text_write(const char *name, struct str text, mode_t mode)
{
	AUTOFREE char *path = text_path(name);
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(text.p, 1, text.len, f) != text.len ||
	    fclose(f) != 0 || chmod(path, mode) != 0)
		abort();
}

int
text_load_bytes(struct conf *c, const char *name, struct str text,
    struct err *err)
{
	AUTOFREE char *path = text_path(name);

	text_write(name, text, 0600);
	return conf_load(c, path, err);
}

int
text_load(struct conf *c, const char *name, const char *text,
    struct err *err)
{
	return text_load_bytes(c, name, str_of(text), err);
}

const char *
text_message(const struct err *err)
{
	size_t len = strlen(text_dir);

	return strncmp(err->msg, text_dir, len) == 0 ? err->msg + len + 1 :
	    err->msg;
}
