/* What is printed of one check: a line for people, or a line of JSON. */
#include <stdarg.h>

#include "base/jsontext.h"
#include "check/check_internal.h"

static const char *const words[CHECK__MAX] = {
	[CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "FAIL",
};
static const char *const json_words[CHECK__MAX] = {
	[CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "fail",
};

static void
add_text(struct buf *b, enum check_result result, const char *area,
    const char *subject, const char *todo, const char *message)
{
	buf_addf(b, "%-4s  %-7s  ", words[result], area);
	buf_add_escaped(b, str_of(subject));
	buf_addstr(b, ": ");
	buf_add_escaped(b, str_of(message));
	if (todo != NULL) {
		buf_addstr(b, "; ");
		buf_add_escaped(b, str_of(todo));
	}
	buf_addch(b, '\n');
}

static void
add_json(struct buf *b, enum check_result result, const char *area,
    const char *subject, const char *todo, const char *message)
{
	buf_addf(b, "{\"type\":\"check\",\"result\":\"%s\",\"area\":\"%s\","
	    "\"subject\":", json_words[result], area);
	buf_add_json(b, str_of(subject));
	buf_addstr(b, ",\"message\":");
	buf_add_json(b, str_of(message));
	if (todo != NULL) {
		buf_addstr(b, ",\"todo\":");
		buf_add_json(b, str_of(todo));
	}
	buf_addstr(b, "}\n");
}

void
check_say(struct check *c, enum check_result result, const char *area,
    const char *subject, const char *todo, const char *fmt, ...)
{
	struct buf line CLEANUP(buf_release);
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	buf_init(&line, 64 * KIB);
	(c->json ? add_json : add_text)(&line, result, area, subject, todo,
	    message);
	fwrite(line.data, 1, line.len, stdout);
	/* Flush the line at once: a person waits, and the next step may take
	 * long. */
	fflush(stdout);
	c->counts[result]++;
}
