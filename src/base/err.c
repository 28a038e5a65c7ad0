#include <errno.h>
#include <stdarg.h>

#include "base/err.h"

PRINTF_LIKE(4, 0) static void
vset(struct err *err, enum err_kind kind, int code, const char *fmt,
    va_list ap)
{
	err->kind = kind;
	err->code = code;
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
}

int
err_set(struct err *err, enum err_kind kind, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vset(err, kind, code, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_errno(struct err *err, enum err_kind kind, int code, const char *fmt, ...)
{
	char text[96];
	va_list ap;
	size_t len;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vset(err, kind, code, fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
	    strerror_r(code, text, sizeof(text)));
	return -1;
}

int
err_wrap(struct err *err, const char *fmt, ...)
{
	char tail[sizeof(err->msg)];
	va_list ap;
	size_t len;

	if (err == NULL)
		return -1;
	memcpy(tail, err->msg, sizeof(tail));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", tail);
	return -1;
}

void
err_clear(struct err *err)
{
	if (err == NULL)
		return;
	err->kind = ERR_NONE;
	err->code = 0;
	err->msg[0] = '\0';
}

bool
err_is_absence(const struct err *err)
{
	return err->kind == ERR_GONE &&
	    (err->code == ENOENT || err->code == ENOTDIR);
}

const char *
err_kind_name(enum err_kind kind)
{
	static const char *const names[ERR__MAX] = {
		[ERR_NONE] = "none",
		[ERR_RETRY] = "retry",
		[ERR_GONE] = "gone",
		[ERR_DENIED] = "denied",
		[ERR_CORRUPT] = "corrupt",
		[ERR_RESOURCE] = "resource",
		[ERR_PEER] = "peer",
		[ERR_UNREACHABLE] = "unreachable",
		[ERR_INVALID] = "invalid",
		[ERR_CONFIG] = "config",
		[ERR_USAGE] = "usage",
		[ERR_STOPPED] = "stopped",
		[ERR_BUG] = "bug",
		[ERR_REFUSED] = "refused",
	};

	return kind < ERR__MAX && names[kind] != NULL ? names[kind] : "?";
}
