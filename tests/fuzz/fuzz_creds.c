/*
 * The first byte says what the rest is: 'f' a file like ~/.aws/config, 'j' the
 * answer of a source as JSON, 's' an answer of STS. Keys that are taken are fit
 * for a header.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "creds/creds_internal.h"
#include "rest/sts.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
read_files(struct str text)
{
	CLEANUP(aws_files_release) struct aws_files f;
	CLEANUP(close_fd) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	AUTOFREE char *path = xasprintf("/proc/self/fd/%d", fd);
	struct err err = ERR_INIT;

	if (fd == -1 || write_all(fd, text.p, text.len) == -1 ||
	    setenv("AWS_CONFIG_FILE", path, 1) == -1 ||
	    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1) == -1)
		abort();
	if (aws_files_read(&f, &err) == -1) {
		if (err.kind != ERR_CONFIG)
			abort();
		return;
	}
	for (size_t i = 0; i < f.count; i++)
		if (strchr(f.v[i].section, ' ') == NULL ||
		    strchr(f.v[i].value, '\n') != NULL)
			abort();
	(void)aws_value(&f, "profile", "default", "role_arn");
}

static void
expect_keys(int rc, const struct keys *k, const struct err *err)
{
	struct err ignored;

	if (rc == -1 ? err->msg[0] == '\0' : rc == 0 &&
	    k->access_key != NULL && keys_check(k, &ignored) == -1)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct creds_json form = { .access_key = "AccessKeyId",
	    .secret_key = "SecretAccessKey", .session_token = "Token",
	    .expiration = "Expiration", .must_end = true };
	CLEANUP(keys_release) struct keys k = { .access_key = NULL };
	struct err err = ERR_INIT;
	struct str text;
	char shown[80];
	int rc;

	if (len == 0)
		return 0;
	text = (struct str){ (const char *)data + 1, len - 1 };
	if (data[0] == 'f') {
		read_files(text);
	} else if (data[0] == 'j') {
		rc = creds_take_json(&k, text, &form, "fuzz", &err);
		expect_keys(rc, &k, &err);
	} else {
		rc = sts_keys(&k, text, &err);
		if (rc == 0)
			rc = keys_check(&k, &err);
		expect_keys(rc, &k, &err);
		(void)sts_error(text, shown, sizeof(shown));
	}
	return 0;
}
