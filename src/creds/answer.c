/* What the sources answer. */
#include "creds/creds_internal.h"

#include "json/jval.h"
#include "rest/meta.h"

#define EXPIRES_MAX	INT64_C(253402300799)	/* the end of year 9999 */

/* 2026-01-31T12:00:00Z; "+00:00" and "UTC" in the place of Z. */
bool
creds_time(const char *text, int64_t *ret)
{
	static const char *const ends[] = { "+00:00", "+0000", "UTC" };
	size_t len = strlen(text);
	char own[48];

	if (len >= sizeof(own))
		return false;
	memcpy(own, text, len + 1);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		size_t n = strlen(ends[i]);

		if (len > n && strcmp(own + len - n, ends[i]) == 0) {
			own[len - n] = 'Z';
			own[len - n + 1] = '\0';
			break;
		}
	}
	return s3_iso_date(str_of(own), ret);
}

static char *
copy(const struct jval *object, const char *name)
{
	const struct jval *v = jval_get(object, name);
	const char *s = v == NULL ? NULL : jval_string(v);

	return s == NULL || s[0] == '\0' ? NULL : xstrdup(s);
}

static int
take_end(struct keys *k, const struct jval *object,
    const struct creds_json *form, struct err *err)
{
	const struct jval *v = jval_get(object, form->expiration);
	const char *text = v == NULL ? NULL : jval_string(v);
	int64_t ms = v == NULL ? 0 : jval_int(v);

	k->expires_sec = 0;
	if (text != NULL && !creds_time(text, &k->expires_sec))
		return err_set(err, ERR_PEER, 0, "%s is no time",
		    form->expiration);
	if (text == NULL && ms > 0 && ms / 1000 <= EXPIRES_MAX)
		k->expires_sec = ms / 1000;
	if (k->expires_sec == 0 && form->must_end)
		return err_set(err, ERR_PEER, 0, "the answer has no %s",
		    form->expiration);
	return 0;
}

static int
take(struct keys *k, const struct jval *root, const struct creds_json *form,
    struct err *err)
{
	const struct jval *object = form->inside == NULL ? root :
	    jval_get(root, form->inside);

	if (object == NULL || jval_type(object) != JVAL_OBJECT)
		return err_set(err, ERR_PEER, 0, "the answer is no object "
		    "with keys");
	k->access_key = copy(object, form->access_key);
	k->secret_key = copy(object, form->secret_key);
	k->session_token = copy(object, form->session_token);
	if (k->access_key == NULL || k->secret_key == NULL)
		return err_set(err, ERR_PEER, 0, "the answer has no %s or no "
		    "%s", form->access_key, form->secret_key);
	return take_end(k, object, form, err);
}

int
creds_take_json(struct keys *k, struct str text,
    const struct creds_json *form, const char *where, struct err *err)
{
	struct jval *root = NULL;
	int rc;

	/* What jansson says of bad JSON quotes the text near the error: it may
	 * be a secret. */
	if (jval_parse(text, "answer", &root, NULL) == -1)
		return err_set(err, ERR_PEER, 0, "%s: the answer is no JSON",
		    where);
	rc = take(k, root, form, err);
	jval_free(&root);
	if (rc == 0)
		rc = keys_check(k, err);
	if (rc == 0)
		return 0;
	err->kind = ERR_PEER;
	keys_release(k);
	return err_wrap(err, "%s", where);
}

int
creds_refused(int status, struct str body, const char *where,
    struct err *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	struct jval *root = NULL;
	char shown[120] = "";

	/* An error of the container's endpoint: {"code": ..., "message": ...}
	 */
	if (jval_parse(body, "answer", &root, NULL) == 0) {
		text = copy(root, "message");
		jval_free(&root);
	}
	if (text != NULL)
		str_escape(str_of(text), shown, sizeof(shown));
	return err_set(err, status == 401 || status == 403 ? ERR_DENIED :
	    ERR_CONFIG, status, "%s: HTTP %d%s%s", where, status,
	    shown[0] == '\0' ? "" : ": ", shown);
}
