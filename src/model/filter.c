#include "model/filter.h"

/* A compiled pattern is a row of tokens. */
enum token_kind { TOKEN_BYTE = 0, TOKEN_ANY, TOKEN_SET, TOKEN_STAR,
	TOKEN_STAR2 };

struct token {
	enum token_kind kind;
	unsigned char byte;
	uint32_t set[8];		/* one bit a byte value */
};

struct rule {
	bool	 include;
	char	*pattern;		/* as given */
	struct token *tokens;
	size_t	 count;
	bool	 dirs_only;
	bool	 anchored;		/* matches from the root only */
	bool	 whole_path;		/* else the last component */
	bool	 star2_first;
	bool	 with_children;		/* ends in a slash and three stars */
};

struct filter {
	struct rule *rules;
	size_t	 count;
};

struct filter *
filter_new(void)
{
	return xcalloc(1, sizeof(struct filter));
}

void
filter_free(struct filter **pf)
{
	struct filter *f = *pf;

	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++) {
		free(f->rules[i].pattern);
		free(f->rules[i].tokens);
	}
	free(f->rules);
	free(f);
	*pf = NULL;
}

static void
set_add(struct token *t, unsigned lo, unsigned hi)
{
	for (unsigned c = lo; c <= hi; c++)
		t->set[c / 32] |= (uint32_t)1 << (c % 32);
}

static bool
set_has(const struct token *t, unsigned c)
{
	return (t->set[c / 32] >> (c % 32) & 1) != 0;
}

/* The classes of POSIX for ASCII: names are bytes, the locale has no say. */
static const struct {
	const char *name;
	const char *ranges;		/* pairs of first and last */
} classes[] = {
	{ "alnum", "09AZaz" }, { "alpha", "AZaz" }, { "blank", "  \t\t" },
	{ "cntrl", "\001\037\177\177" }, { "digit", "09" },
	{ "graph", "!~" }, { "lower", "az" }, { "print", " ~" },
	{ "punct", "!/:@[`{~" }, { "space", "  \t\r" }, { "upper", "AZ" },
	{ "xdigit", "09AFaf" },
};

/* p points behind "[:"; return the place behind ":]", or NULL. */
static const char *
class_parse(const char *p, struct token *t)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		size_t len = strlen(classes[i].name);

		if (strncmp(p, classes[i].name, len) != 0 ||
		    p[len] != ':' || p[len + 1] != ']')
			continue;
		for (const char *r = classes[i].ranges; *r != '\0'; r += 2)
			set_add(t, (unsigned char)r[0], (unsigned char)r[1]);
		return p + len + 2;
	}
	return NULL;
}

/* p points behind "["; return the place behind "]", or NULL if the set has
 * no end. */
static const char *
set_parse(const char *p, struct token *t)
{
	bool negate = *p == '!' || *p == '^';
	const char *first = negate ? p + 1 : p;
	unsigned char lo, hi;

	t->kind = TOKEN_SET;
	for (p = first; *p != ']' || p == first; ) {
		if (p[0] == '[' && p[1] == ':') {
			p = class_parse(p + 2, t);
			if (p == NULL)
				return NULL;
			continue;
		}
		if (*p == '\\')
			p++;
		if (*p == '\0')
			return NULL;
		lo = hi = (unsigned char)*p++;
		if (p[0] == '-' && p[1] != ']' && p[1] != '\0') {
			p += p[1] == '\\' && p[2] != '\0' ? 2 : 1;
			hi = (unsigned char)*p++;
		}
		set_add(t, lo, hi);
	}
	if (negate)
		for (size_t i = 0; i < ARRAY_LEN(t->set); i++)
			t->set[i] = ~t->set[i];
	/* A component ends at a slash, whatever the set says. */
	t->set['/' / 32] &= ~((uint32_t)1 << ('/' % 32));
	return p + 1;
}

static int
compile(struct rule *r, const char *p, size_t len, struct err *err)
{
	AUTOFREE char *text = xstrndup(p, len);
	/* A backslash is an ordinary byte in a pattern without a wildcard. */
	bool wild = strpbrk(text, "*?[") != NULL;

	r->tokens = xcalloc(len + 1, sizeof(*r->tokens));
	for (p = text; *p != '\0'; ) {
		struct token *t = &r->tokens[r->count++];

		if (p[0] == '*') {
			t->kind = p[1] == '*' ? TOKEN_STAR2 : TOKEN_STAR;
			p += strspn(p, "*");
		} else if (p[0] == '?') {
			t->kind = TOKEN_ANY;
			p++;
		} else if (p[0] == '[') {
			p = set_parse(p + 1, t);
			if (p == NULL)
				return err_set(err, ERR_USAGE, 0,
				    "pattern \"%s\": \"[\" without its \"]\"",
				    r->pattern);
		} else {
			if (p[0] == '\\' && wild && p[1] != '\0')
				p++;
			t->byte = (unsigned char)*p++;
		}
	}
	return 0;
}

int
filter_add(struct filter *f, bool include, const char *pattern,
    struct err *err)
{
	struct rule r = { .include = include };
	size_t len = strlen(pattern);
	const char *p = pattern;

	if (len > 0 && p[0] == '/') {
		r.anchored = true;
		p++;
		len--;
	}
	if (len > 0 && p[len - 1] == '/') {
		r.dirs_only = true;
		len--;
	}
	if (len == 0)
		return err_set(err, ERR_USAGE, 0,
		    "pattern \"%s\" has no name in it", pattern);
	r.whole_path = r.anchored || memchr(p, '/', len) != NULL ||
	    memmem(p, len, "**", 2) != NULL;
	r.star2_first = len >= 2 && p[0] == '*' && p[1] == '*';
	r.with_children = len >= 4 && memcmp(p + len - 4, "/***", 4) == 0;
	r.pattern = xstrdup(pattern);
	if (compile(&r, p, len, err) == -1) {
		free(r.pattern);
		free(r.tokens);
		return -1;
	}
	f->rules = xreallocarray(f->rules, f->count + 1, sizeof(*f->rules));
	f->rules[f->count++] = r;
	return 0;
}

static bool
token_matches(const struct token *t, char c)
{
	switch (t->kind) {
	case TOKEN_BYTE:
		return t->byte == (unsigned char)c;
	case TOKEN_ANY:
		return c != '/';
	case TOKEN_SET:
		return set_has(t, (unsigned char)c);
	case TOKEN_STAR:
	case TOKEN_STAR2:
		break;
	}
	return false;
}

/*
 * Does the whole text match? It is enough to go back to the last "*" and the
 * last "**": a later star can stand for all that an earlier one could have
 * taken, as "*" doesn't cross a slash and nothing else but "**" and a slash
 * itself matches one. So the time is polynomial, whatever the pattern.
 */
static bool
tokens_match(const struct rule *r, struct str s)
{
	size_t i = 0, t = 0;
	size_t star_t = SIZE_MAX, star_i = 0, star2_t = SIZE_MAX, star2_i = 0;

	while (i < s.len || t < r->count) {
		const struct token *tok = t < r->count ? &r->tokens[t] : NULL;

		if (tok != NULL && tok->kind == TOKEN_STAR) {
			star_t = ++t;
			star_i = i;
		} else if (tok != NULL && tok->kind == TOKEN_STAR2) {
			star2_t = ++t;
			star2_i = i;
			star_t = SIZE_MAX;
		} else if (tok != NULL && i < s.len &&
		    token_matches(tok, s.p[i])) {
			i++;
			t++;
		} else if (star_t != SIZE_MAX && star_i < s.len &&
		    s.p[star_i] != '/') {
			i = ++star_i;
			t = star_t;
		} else if (star2_t != SIZE_MAX && star2_i < s.len) {
			i = ++star2_i;
			t = star2_t;
			star_t = SIZE_MAX;
		} else {
			return false;
		}
	}
	return true;
}

/* text is "/" path "/": leave out the slashes at both ends where the pattern
 * does not need the slashes. */
static bool
rule_matches(const struct rule *r, struct str text, bool is_dir)
{
	struct str s = { text.p + 1, text.len - 2 };
	const char *slash;

	if (r->dirs_only && !is_dir)
		return false;
	if (r->with_children && is_dir)
		s.len++;
	if (!r->whole_path) {
		slash = memrchr(s.p, '/', s.len);
		if (slash != NULL) {
			s.len -= (size_t)(slash + 1 - s.p);
			s.p = slash + 1;
		}
		return tokens_match(r, s);
	}
	if (r->star2_first && !r->anchored)
		return tokens_match(r,
		    (struct str){ s.p - 1, s.len + 1 });
	for (;;) {
		if (tokens_match(r, s))
			return true;
		if (r->anchored)
			return false;
		slash = memchr(s.p, '/', s.len);
		if (slash == NULL)
			return false;
		s.len -= (size_t)(slash + 1 - s.p);
		s.p = slash + 1;
	}
}

const char *
filter_excludes(const struct filter *f, struct str path, bool is_dir)
{
	const struct rule *decides = NULL;
	char small[512];
	AUTOFREE char *large = NULL;
	char *text = small;

	if (f == NULL || f->count == 0 || path.len == 0)
		return NULL;
	if (path.len + 2 > sizeof(small))
		text = large = xmalloc(path.len + 2);
	text[0] = '/';
	memcpy(text + 1, path.p, path.len);
	text[path.len + 1] = '/';
	for (size_t i = 0; i < f->count && decides == NULL; i++)
		if (rule_matches(&f->rules[i],
		    (struct str){ text, path.len + 2 }, is_dir))
			decides = &f->rules[i];
	return decides == NULL || decides->include ? NULL : decides->pattern;
}

char *
filter_describe(const struct filter *f)
{
	struct buf b;
	char *line;

	buf_init(&b, SIZE_MAX >> 1);
	for (size_t i = 0; f != NULL && i < f->count; i++) {
		const struct rule *r = &f->rules[i];

		buf_addstr(&b, i == 0 ? "" : ", ");
		buf_addstr(&b, r->include ? "+ " : "- ");
		/* The comma separates rules: write a comma inside of a
		 * pattern as an escape, like every byte that a key can't
		 * hold. */
		for (const char *p = r->pattern; *p != '\0'; ) {
			size_t n = strcspn(p, ",");

			buf_add_escaped(&b, (struct str){ p, n });
			p += n;
			if (*p == ',') {
				buf_addstr(&b, "\\x2c");
				p++;
			}
		}
	}
	line = xstrdup(b.data == NULL ? "" : b.data);
	buf_release(&b);
	return line;
}
