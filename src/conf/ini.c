/*
 * INI files, through inih. inih cuts lines that are too long for its buffers,
 * takes an indented line as a continuation of the value before, cuts values at
 * " ;" and passes over text behind a section's ']'. So this file checks each
 * line before inih gets the line, and refuses a line where inih would change
 * the meaning.
 */
#include <ini.h>

#include "conf/table.h"

/* Debian's libinih 55 keeps 49 bytes of a section and of a key; how long a
 * line may be is a variable (as built: 200 bytes with its end). */
#define NAME_MAX_BYTES	49
#define LINE_MAX_BYTES	(8 * 1024)

struct ini_line {
	const char *section;
	const char *key;
	const char *value;
	const char *where;	/* "NAME:LINE" */
};

struct reader {
	struct str text;	/* what is left */
	const char *name;
	unsigned line;
	int	 (*handler)(void *, const struct ini_line *, struct err *);
	void	*arg;
	bool	 failed;
	struct err *err;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
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

static int
refuse(struct reader *r, const char *what)
{
	r->failed = true;
	return err_set(r->err, ERR_CONFIG, 0, "%s:%u: %s", r->name, r->line,
	    what);
}

static int
check_section(struct reader *r, struct str line)
{
	const char *end = memchr(line.p, ']', line.len);
	char name[NAME_MAX_BYTES + 1], shown[64], what[128];
	size_t len;

	if (end == NULL)
		return refuse(r, "a section without its ]; write [name]");
	len = (size_t)(end - line.p) - 1;
	if (len == 0 || len != trim((struct str){ line.p + 1, len }).len)
		return refuse(r, "a section with blanks at its ends, or "
		    "empty; write [name]");
	if (len > NAME_MAX_BYTES)
		return refuse(r, "a section of more than 49 bytes; give it a "
		    "short name, and server = or host = the long one");
	if (len + 2 != line.len)
		return refuse(r, "something follows the section's ]; put it "
		    "on a line of its own");
	snprintf(name, sizeof(name), "%.*s", (int)len, line.p + 1);
	if (conf_known_section(name))
		return 0;
	str_escape(str_of(name), shown, sizeof(shown));
	snprintf(what, sizeof(what), "unknown section [%s]; see "
	    "datamover.conf(5)", shown);
	return refuse(r, what);
}

static int
check_key(struct reader *r, struct str line)
{
	size_t len = 0;

	while (len < line.len && line.p[len] != '=' && line.p[len] != ':')
		len++;
	if (len == line.len)
		return refuse(r, "neither a section nor a setting; write "
		    "key = value");
	len = trim((struct str){ line.p, len }).len;
	if (len == 0)
		return refuse(r, "a value without a key; write key = value");
	if (len > NAME_MAX_BYTES)
		return refuse(r, "no key is so long; write key = value");
	return 0;
}

/* The form in which inih gets to see a line. */
enum meaning { LINE_REFUSED = 0, LINE_EMPTY, LINE_AS_IS };

static int
check_own_line(struct reader *r, struct str line, struct str inner)
{
	if (is_blank(line.p[0]))
		return refuse(r, "an indented line; begin it in the first "
		    "column, each value with its key");
	for (size_t i = 1; i < inner.len; i++)
		if (inner.p[i] == ';' && is_blank(inner.p[i - 1]))
			return refuse(r, "\" ;\" in a line; put comments on "
			    "lines of their own");
	for (size_t i = 0; i < inner.len; i++)
		if ((unsigned char)inner.p[i] < 0x20 && inner.p[i] != '\t')
			return refuse(r, "a control character; take it out");
	return inner.p[0] == '[' ? check_section(r, inner) :
	    check_key(r, inner);
}

static enum meaning
check_line(struct reader *r, struct str line)
{
	struct str inner = trim(line);

	if (memchr(line.p, '\0', line.len) != NULL) {
		refuse(r, "a NUL byte; is it a text file?");
		return LINE_REFUSED;
	}
	if (inner.len == 0 || inner.p[0] == '#' || inner.p[0] == ';')
		return LINE_EMPTY;
	if (line.len > LINE_MAX_BYTES) {
		refuse(r, "a line of more than 8192 bytes; shorten it");
		return LINE_REFUSED;
	}
	return check_own_line(r, line, inner) == -1 ? LINE_REFUSED :
	    LINE_AS_IS;
}

/* The reader of inih, in the manner of fgets: return the next line, or NULL.
 * A line without meaning arrives as an empty line. */
static char *
read_line(char *out, int size, void *arg)
{
	struct reader *r = arg;
	struct str line = r->text;
	enum meaning meaning;
	const char *end;

	if (r->failed || r->text.len == 0)
		return NULL;
	r->line++;
	end = memchr(line.p, '\n', line.len);
	if (end != NULL)
		line.len = (size_t)(end - line.p);
	r->text.p += line.len + (end != NULL);
	r->text.len -= line.len + (end != NULL);
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	meaning = check_line(r, line);
	if (meaning == LINE_REFUSED)
		return NULL;
	if (meaning == LINE_EMPTY)
		line.len = 0;
	if (line.len + 2 > (size_t)size) {
		refuse(r, "a line longer than libinih takes; shorten it");
		return NULL;
	}
	memcpy(out, line.p, line.len);
	out[line.len] = '\n';
	out[line.len + 1] = '\0';
	return out;
}

/* inih's handler: 0 is an error. */
static int
on_value(void *arg, const char *section, const char *key, const char *value)
{
	struct reader *r = arg;
	AUTOFREE char *where = xasprintf("%s:%u", r->name, r->line);
	const struct ini_line line = { section, key, value, where };

	if (r->failed)
		return 0;
	if (r->handler(r->arg, &line, r->err) == -1)
		r->failed = true;
	return r->failed ? 0 : 1;
}

static int
parse(struct str text, const char *name,
    int (*handler)(void *, const struct ini_line *, struct err *), void *arg,
    struct err *err)
{
	struct reader r = { .text = text, .name = name,
	    .handler = handler, .arg = arg, .err = err };
	int rc;

	if (str_starts(text, STR("\xef\xbb\xbf"))) {
		r.text.p += 3;
		r.text.len -= 3;
	}
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_max_line = LINE_MAX_BYTES + 3;
	ini_initial_alloc = LINE_MAX_BYTES + 3;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_no_value = false;
	rc = ini_parse_stream(read_line, &r, on_value, &r);
	if (r.failed)
		return -1;
	if (rc != 0)
		return err_set(err, ERR_CONFIG, 0, "%s:%d: cannot be read; "
		    "write key = value", name, MAX(rc, 0));
	return 0;
}

static int
on_setting(void *arg, const struct ini_line *line, struct err *err)
{
	const struct conf_place place = { line->where, CONF_FILE };

	return conf_assign(arg, &place, line->section, line->key,
	    str_of(line->value), err);
}

int
conf_read_ini(struct conf *c, struct str text, const char *name,
    struct err *err)
{
	return parse(text, name, on_setting, c, err);
}
