/* A single setting: find the row, check a value, store the value, give the
 * value back as text. */
#include <inttypes.h>
#include <strings.h>

#include "base/units.h"
#include "conf/table.h"

/* "nfs NAME": the section of the table and where NAME stands in it. */
static const char *
named_section(const char *section, const char **ret_name)
{
	static const char *const named[] = { "nfs", "dss_targets" };
	static const char *const rows[] = { "nfs NAME", "dss_targets NAME" };

	*ret_name = NULL;
	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		size_t len = strlen(named[i]);
		const char *p = section + len;

		if (strncmp(section, named[i], len) != 0 || *p != ' ')
			continue;
		while (*p == ' ')
			p++;
		if (*p == '\0')
			break;
		*ret_name = p;
		return rows[i];
	}
	return section;
}

const struct conf_row_info *
conf_find_row(const char *section, const char *key, const char **ret_name)
{
	const char *of_table = named_section(section, ret_name);

	if (of_table == section && strchr(section, ' ') != NULL)
		return NULL;
	for (size_t i = 0; i < conf_table_len; i++)
		if (strcmp(conf_table[i].section, of_table) == 0 &&
		    strcmp(conf_table[i].key, key) == 0)
			return &conf_table[i];
	return NULL;
}

enum conf_origin
conf_origin_of(const struct conf *c, const char *section, const char *key)
{
	const char *name;
	const struct conf_row_info *row = conf_find_row(section, key, &name);

	return row == NULL ? CONF_DEFAULT :
	    (enum conf_origin)c->origin[row - conf_table];
}

bool
conf_known_section(const char *section)
{
	const char *name, *of_table = named_section(section, &name);

	if (of_table == section && strchr(section, ' ') != NULL)
		return false;
	for (size_t i = 0; i < conf_table_len; i++)
		if (strcmp(conf_table[i].section, of_table) == 0)
			return true;
	return false;
}

bool
conf_row_is_named(const struct conf_row_info *row)
{
	return strchr(row->section, ' ') != NULL;
}

size_t
conf_named_count(const struct conf *c, const char *section)
{
	return section[0] == 'n' ? c->fs_config.nfs_count :
	    c->dss_target_count;
}

const void *
conf_named_at(const struct conf *c, const char *section, size_t i,
    const char **ret_name)
{
	if (section[0] == 'n') {
		*ret_name = c->fs_config.nfs[i].name;
		return &c->fs_config.nfs[i];
	}
	*ret_name = c->dss_targets[i].name;
	return &c->dss_targets[i];
}

/* Return the entry with that name, made if missing; NULL if the section has
 * too many entries. */
static void *
named_entry(struct conf *c, const struct conf_row_info *row, const char *name)
{
	size_t n = conf_named_count(c, row->section);

	/* Lines of a section come together: look at the last entry first. */
	for (size_t i = n; i > 0; i--) {
		const char *have;

		conf_named_at(c, row->section, i - 1, &have);
		if (strcmp(have, name) == 0)
			return row->section[0] == 'n' ?
			    (void *)&c->fs_config.nfs[i - 1] :
			    (void *)&c->dss_targets[i - 1];
	}
	if (n >= CONF_SERVERS_MAX)
		return NULL;
	if (row->section[0] == 'n') {
		c->fs_config.nfs = xreallocarray(c->fs_config.nfs, n + 1,
		    sizeof(*c->fs_config.nfs));
		c->fs_config.nfs[n] = (struct conf_nfs){
		    .name = xstrdup(name) };
		c->fs_config.nfs_count++;
		return &c->fs_config.nfs[n];
	}
	c->dss_targets = xreallocarray(c->dss_targets, n + 1,
	    sizeof(*c->dss_targets));
	c->dss_targets[n] = (struct conf_dss_target){ .name = xstrdup(name) };
	c->dss_target_count++;
	return &c->dss_targets[n];
}

/* Count the letters that differ, to suggest the word that a person may have
 * meant. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[32], la = strlen(a), lb = strlen(b);

	if (la >= ARRAY_LEN(row) || lb >= ARRAY_LEN(row))
		return ARRAY_LEN(row);
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t above = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			best = MIN(best, above + 1);
			row[j] = MIN(best, row[j - 1] + 1);
			diagonal = above;
		}
	}
	return row[lb];
}

static int
unknown(const char *where, const char *section, const char *key,
    struct err *err)
{
	const char *name, *of_table = named_section(section, &name);
	const struct conf_row_info *near = NULL, *elsewhere = NULL;
	char k[64], s[64];
	size_t best = 3;

	str_escape(str_of(key), k, sizeof(k));
	str_escape(str_of(section), s, sizeof(s));
	if (section[0] == '\0')
		return err_set(err, ERR_CONFIG, 0,
		    "%s: %s stands before the first section; put [general] "
		    "or another section in front", where, k);
	if (!conf_known_section(section))
		return err_set(err, ERR_CONFIG, 0,
		    "%s: unknown section [%s]; see datamover.conf(5)", where,
		    s);
	for (size_t i = 0; i < conf_table_len; i++) {
		const struct conf_row_info *row = &conf_table[i];

		if (strcmp(row->key, key) == 0)
			elsewhere = row;
		if (strcmp(row->section, of_table) == 0 &&
		    distance(row->key, key) < best) {
			best = distance(row->key, key);
			near = row;
		}
	}
	if (near != NULL)
		return err_set(err, ERR_CONFIG, 0, "%s: unknown key %s in "
		    "[%s]; did you mean %s?", where, k, s, near->key);
	if (elsewhere != NULL)
		return err_set(err, ERR_CONFIG, 0, "%s: unknown key %s in "
		    "[%s]; it belongs in [%s]", where, k, s,
		    elsewhere->section);
	return err_set(err, ERR_CONFIG, 0, "%s: unknown key %s in [%s]; take "
	    "it out, or see datamover.conf(5)", where, k, s);
}

void
conf_set_text(char **to, const char *text)
{
	free(*to);
	*to = text == NULL || text[0] == '\0' ? NULL : xstrdup(text);
}

/* Values have to fit into a line of a file, whatever they came from. */
static int
check_value(const char *where, const char *key, struct str v,
    struct err *err)
{
	bool blank = true;

	if (v.len > CONF_VALUE_MAX)
		return err_set(err, ERR_CONFIG, 0, "%s: %s: the value is "
		    "longer than %d bytes; shorten it", where, key,
		    CONF_VALUE_MAX);
	for (size_t i = 0; i < v.len; i++) {
		unsigned char ch = (unsigned char)v.p[i];

		if ((ch < 0x20 && ch != '\t') || ch == 0x7f)
			return err_set(err, ERR_CONFIG, 0, "%s: %s: the value "
			    "holds a control character; take it out", where,
			    key);
		if (ch == ';' && blank)
			return err_set(err, ERR_CONFIG, 0, "%s: %s: the value "
			    "holds \" ;\"; put comments on lines of their own",
			    where, key);
		blank = ch == ' ' || ch == '\t';
	}
	if (v.len > 0 && (blank || v.p[0] == ' ' || v.p[0] == '\t'))
		return err_set(err, ERR_CONFIG, 0, "%s: %s: the value begins "
		    "or ends with a blank; take it out", where, key);
	return 0;
}

static const struct conf_word *
find_word(const struct conf_row_info *row, const char *value)
{
	for (const struct conf_word *w = row->words; w->word != NULL; w++)
		if (strcasecmp(w->word, value) == 0)
			return w;
	return NULL;
}

static int
bad_word(const struct conf_row_info *row, const char *where,
    const char *value, struct err *err)
{
	char shown[48], all[96] = "";
	size_t used = 0;

	for (const struct conf_word *w = row->words; w->word != NULL; w++) {
		const char *sep = used == 0 ? "" : w[1].word == NULL ?
		    " or " : ", ";
		int n = snprintf(all + used, sizeof(all) - used, "%s%s", sep,
		    w->word);

		used = MIN(used + (size_t)n, sizeof(all) - 1);
	}
	str_escape(str_of(value), shown, sizeof(shown));
	return err_set(err, ERR_CONFIG, 0, "%s: bad %s \"%s\"; write %s",
	    where, row->key, shown, all);
}

static int
set_bool(const struct conf_row_info *row, void *base, const char *where,
    const char *value, struct err *err)
{
	bool *to = (bool *)((char *)base + row->offset);
	char shown[48];

	if (row->words != NULL) {
		const struct conf_word *w = find_word(row, value);

		if (w == NULL)
			return bad_word(row, where, value, err);
		*to = w->value != 0;
		return 0;
	}
	if (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0) {
		*to = true;
		return 0;
	}
	if (strcmp(value, "no") == 0 || strcmp(value, "false") == 0) {
		*to = false;
		return 0;
	}
	str_escape(str_of(value), shown, sizeof(shown));
	return err_set(err, ERR_CONFIG, 0, "%s: bad %s \"%s\"; write yes or "
	    "no", where, row->key, shown);
}

static int
parse_number(const char *s, uint64_t *ret)
{
	uint64_t n = 0;

	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || n > (UINT64_MAX - 9) / 10)
			return -1;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	*ret = n;
	return 0;
}

static int
set_uint(const struct conf_row_info *row, void *base, const char *where,
    const char *value, struct err *err)
{
	unsigned *to = (unsigned *)((char *)base + row->offset);
	char shown[48];
	uint64_t n;

	if (row->words != NULL) {
		const struct conf_word *w = find_word(row, value);

		if (w == NULL)
			return bad_word(row, where, value, err);
		*to = w->value;
		return 0;
	}
	if (parse_number(value, &n) == -1 || n < row->min || n > row->max) {
		str_escape(str_of(value), shown, sizeof(shown));
		return err_set(err, ERR_CONFIG, 0, "%s: bad %s \"%s\"; write "
		    "a number from %" PRIu64 " to %" PRIu64, where, row->key,
		    shown, row->min, row->max);
	}
	*to = (unsigned)n;
	return 0;
}

static int
set_size(const struct conf_row_info *row, void *base, const char *where,
    const char *value, struct err *err)
{
	uint64_t *to = (uint64_t *)((char *)base + row->offset);
	char shown[48], lo[16], hi[16];
	uint64_t n;

	if (units_parse(value, &n, NULL) == -1 || n < row->min ||
	    n > row->max) {
		str_escape(str_of(value), shown, sizeof(shown));
		return err_set(err, ERR_CONFIG, 0, "%s: bad %s \"%s\"; write "
		    "a size such as 64MiB or 1GB, from %s to %s", where,
		    row->key, shown, units_format(row->min, lo),
		    units_format(row->max, hi));
	}
	*to = n;
	return 0;
}

static int
set_time(const struct conf_row_info *row, void *base, const char *where,
    const char *value, struct err *err)
{
	unsigned *to = (unsigned *)((char *)base + row->offset);
	char shown[48], lo[24], hi[24];
	uint64_t n;

	if (units_parse_time(value, &n, NULL) == -1 || n < row->min ||
	    n > row->max) {
		str_escape(str_of(value), shown, sizeof(shown));
		return err_set(err, ERR_CONFIG, 0, "%s: bad %s \"%s\"; write "
		    "a time such as 90s, 15m or 24h, from %s to %s", where,
		    row->key, shown, units_format_time(row->min, lo),
		    units_format_time(row->max, hi));
	}
	*to = (unsigned)n;
	return 0;
}

/* Replace the word by the spelling of the table, or refuse a word missing in
 * the table; accept any text if the row has no words. */
static int
as_in_table(const struct conf_row_info *row, const char *where,
    const char **value, struct err *err)
{
	const struct conf_word *w;

	if (row->words == NULL)
		return 0;
	w = find_word(row, *value);
	if (w == NULL)
		return bad_word(row, where, *value, err);
	*value = w->word;
	return 0;
}

static int
set_list(const struct conf_row_info *row, void *base, bool first,
    const char *where, const char *value, struct err *err)
{
	struct strlist *to = (struct strlist *)((char *)base + row->offset);

	if (first)
		strlist_clear(to);
	if (value[0] == '\0')
		return 0;
	if (as_in_table(row, where, &value, err) == -1)
		return -1;
	strlist_add(to, value);
	return 0;
}

static int
set_text(const struct conf_row_info *row, void *base, const char *where,
    const char *value, struct err *err)
{
	char **to = (char **)((char *)base + row->offset);

	if (as_in_table(row, where, &value, err) == -1)
		return -1;
	conf_set_text(to, value);
	return 0;
}

static int
set_value(const struct conf_row_info *row, void *base, bool first,
    const char *where, const char *value, struct err *err)
{
	switch (row->kind) {
	case CONF_BOOL:
		return set_bool(row, base, where, value, err);
	case CONF_UINT:
		return set_uint(row, base, where, value, err);
	case CONF_SIZE:
		return set_size(row, base, where, value, err);
	case CONF_TIME:
		return set_time(row, base, where, value, err);
	case CONF_LIST:
		return set_list(row, base, first, where, value, err);
	case CONF_TEXT:
	case CONF_NOTHING:
		break;
	}
	return set_text(row, base, where, value, err);
}

/* Return true if the file has set the key before and the key may appear only
 * once. */
static bool
set_before(const struct conf *c, const struct conf_row_info *row,
    void *entry)
{
	/* The rows of a named section are neighbours in the table and fewer
	 * than 32, so each of these rows has its own bit. */
	uint32_t bit = UINT32_C(1) << (row - conf_table) % 32, *given;
	bool before;

	if (row->kind == CONF_LIST)
		return false;
	if (!conf_row_is_named(row))
		return c->origin[row - conf_table] == CONF_FILE;
	given = row->section[0] == 'n' ? &((struct conf_nfs *)entry)->given :
	    &((struct conf_dss_target *)entry)->given;
	before = (*given & bit) != 0;
	*given |= bit;
	return before;
}

int
conf_assign(struct conf *c, const struct conf_place *place,
    const char *section, const char *key, struct str value, struct err *err)
{
	const char *name, *where = place->where;
	const struct conf_row_info *row = conf_find_row(section, key, &name);
	AUTOFREE char *text = NULL;
	void *base = c;
	bool first;

	if (row == NULL)
		return unknown(where, section, key, err);
	if (check_value(where, key, value, err) == -1)
		return -1;
	if (name != NULL)
		base = named_entry(c, row, name);
	if (base == NULL)
		return err_set(err, ERR_CONFIG, 0, "%s: more than %d servers; "
		    "divide them between several files", where,
		    CONF_SERVERS_MAX);
	if (place->origin == CONF_FILE && set_before(c, row, base))
		return err_set(err, ERR_CONFIG, 0, "%s: %s is set a second "
		    "time; keep one of them", where, key);
	first = name == NULL && c->origin[row - conf_table] != place->origin;
	c->origin[row - conf_table] = (unsigned char)place->origin;
	if (row->kind == CONF_NOTHING)
		return 0;
	text = xstrndup(value.p, value.len);
	return set_value(row, base, first, where, text, err);
}

static bool
word_text(const struct conf_row_info *row, unsigned value, struct buf *out)
{
	for (const struct conf_word *w = row->words; w->word != NULL; w++)
		if (w->value == value)
			return buf_addstr(out, w->word) == 0;
	return false;
}

/* Print whole units only, so that the text means exactly these bytes. */
void
conf_size_text(uint64_t n, struct buf *out)
{
	static const char *const binary[] = { "", "KiB", "MiB", "GiB", "TiB" };
	static const char *const decimal[] = { "", "KB", "MB", "GB", "TB" };
	bool is_binary = n % 1024 == 0;
	uint64_t step = is_binary ? 1024 : 1000;
	size_t i = 0;

	while (n > 0 && n % step == 0 && i + 1 < ARRAY_LEN(binary)) {
		n /= step;
		i++;
	}
	buf_addf(out, "%" PRIu64 "%s", n, is_binary ? binary[i] : decimal[i]);
}

bool
conf_row_text(const struct conf_row_info *row, const void *base,
    struct buf *out)
{
	const char *at = (const char *)base + row->offset;
	const char *text;
	char time[24];
	unsigned n;

	switch (row->kind) {
	case CONF_BOOL:
		n = *(const bool *)at ? 1 : 0;
		if (row->words != NULL)
			return word_text(row, n, out);
		return buf_addstr(out, n == 1 ? "yes" : "no") == 0;
	case CONF_UINT:
		n = *(const unsigned *)at;
		if (row->words != NULL)
			return word_text(row, n, out);
		return buf_addf(out, "%u", n) == 0;
	case CONF_SIZE:
		conf_size_text(*(const uint64_t *)at, out);
		return true;
	case CONF_TIME:
		return buf_addstr(out, units_format_time(
		    *(const unsigned *)at, time)) == 0;
	case CONF_TEXT:
		text = *(char *const *)at;
		return text != NULL && buf_addstr(out, text) == 0;
	case CONF_LIST:
	case CONF_NOTHING:
		break;
	}
	return false;
}

const struct strlist *
conf_row_list(const struct conf_row_info *row, const void *base)
{
	return (const struct strlist *)((const char *)base + row->offset);
}
