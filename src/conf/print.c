/* The settings as an INI file: those in force, a converted file, the example
 * file. What is printed can be read again. */
#include <inttypes.h>

#include "base/units.h"
#include "conf/table.h"

#define COLUMNS 78

struct printer {
	FILE	*f;
	bool	 comments;
	bool	 with_secrets;
};

/* "# " and words, in lines of at most COLUMNS. */
static void
print_comment(FILE *f, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > COLUMNS) {
			fputc('\n', f);
			column = 0;
		}
		fputs(column == 0 ? "# " : " ", f);
		fwrite(text, 1, len, f);
		column += len + (column == 0 ? 2 : 1);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', f);
}

/* "number of threads, 1 to 64; default 1". */
static void
describe(const struct conf_row_info *row, struct buf *b)
{
	const char *def = row->def_note != NULL ? row->def_note : row->def;
	char text[24];

	if (row->kind == CONF_LIST) {
		buf_addstr(b, "once per line");
	} else if (row->words != NULL) {
		for (const struct conf_word *w = row->words; w->word; w++)
			buf_addf(b, "%s%s", w == row->words ? "one of " :
			    ", ", w->word);
	} else if (row->kind == CONF_UINT) {
		buf_addf(b, "number%s%s, %" PRIu64 " to %" PRIu64,
		    row->unit[0] == '\0' ? "" : " of ", row->unit, row->min,
		    row->max);
	} else if (row->kind == CONF_SIZE) {
		buf_addf(b, "size%s%s, ", row->unit[0] == '\0' ? "" : " ",
		    row->unit);
		conf_size_text(row->min, b);
		buf_addstr(b, " to ");
		conf_size_text(row->max, b);
	} else if (row->kind == CONF_TIME) {
		buf_addf(b, "time, %s to ", units_format_time(row->min, text));
		buf_addstr(b, units_format_time(row->max, text));
	} else {
		buf_addstr(b, row->type);
	}
	buf_addf(b, "; default %s", def != NULL ? def : "empty");
}

static void
explain(const struct printer *p, const struct conf_row_info *row)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 1024);
	describe(row, &b);
	fputc('\n', p->f);
	print_comment(p->f, row->help);
	print_comment(p->f, buf_str(&b).p);
}

static void
print_value(const struct printer *p, const struct conf_row_info *row,
    const char *value, bool is_default)
{
	fprintf(p->f, "%s%s =%s%s\n", is_default && p->comments ? "#" : "",
	    row->key, value[0] == '\0' ? "" : " ", value);
}

/* Print the default as in the table, not the value that this machine makes
 * of the default. */
static void
print_default(const struct printer *p, const struct conf_row_info *row)
{
	const char *s = row->def == NULL ? "" : row->def;

	for (;;) {
		const char *end = row->kind == CONF_LIST ? strstr(s, ", ") :
		    NULL;
		AUTOFREE char *one = end == NULL ? xstrdup(s) :
		    xstrndup(s, (size_t)(end - s));

		print_value(p, row, one, true);
		if (end == NULL)
			return;
		s = end + 2;
	}
}

/* Print a value that the caller set or, without comments, every value in
 * force. */
static void
print_row(const struct printer *p, const struct conf_row_info *row,
    const void *base, bool is_default)
{
	CLEANUP(buf_release) struct buf b;
	const struct strlist *l;

	buf_init(&b, 2 * CONF_VALUE_MAX);
	if (is_default && p->comments) {
		print_default(p, row);
		return;
	}
	if (row->kind == CONF_LIST) {
		l = conf_row_list(row, base);
		for (size_t i = 0; i < l->n; i++)
			print_value(p, row, l->v[i], is_default);
		if (l->n == 0 && !is_default)
			print_value(p, row, "", false);
		return;
	}
	if (!conf_row_text(row, base, &b)) {
		if (!is_default)
			print_value(p, row, "", false);
		return;
	}
	print_value(p, row, row->secret && !p->with_secrets ? "(set)" :
	    buf_str(&b).p, is_default);
}

/* The server of an entry is the name of its section by default: print the
 * server only if different, or if the entry has nothing else to print, since
 * the section would be empty. */
static bool
is_plain(const struct conf_row_info *row, const void *base, const char *name,
    bool alone)
{
	if (base == NULL)
		return true;
	if (row->kind == CONF_LIST)
		return conf_row_list(row, base)->n == 0;
	if (row->kind == CONF_BOOL)
		return !*(const bool *)((const char *)base + row->offset);
	return !alone && strcmp(*(char *const *)((const char *)base +
	    row->offset), name) == 0;
}

/* Print entry i of [nfs NAME] or [dss_targets NAME]; a missing entry is
 * printed as a sample. The rows of the section are first to last - 1. */
static void
print_entry(const struct printer *p, const struct conf *c, size_t i,
    size_t first, size_t last)
{
	const char *section = conf_table[first].section, *name = "NAME";
	const void *base = NULL;
	bool alone = true;

	if (i < conf_named_count(c, section))
		base = conf_named_at(c, section, i, &name);
	for (size_t r = first; base != NULL && r < last; r++)
		if (conf_table[r].kind == CONF_LIST &&
		    conf_row_list(&conf_table[r], base)->n > 0)
			alone = false;
	fprintf(p->f, "\n%s[%.*s %s]\n", base == NULL ? "#" : "",
	    (int)strcspn(section, " "), section, name);
	for (size_t r = first; r < last; r++) {
		const struct conf_row_info *row = &conf_table[r];
		bool plain = is_plain(row, base, name, alone);

		if (p->comments && i == 0)
			explain(p, row);
		if (!plain || p->comments)
			print_row(p, row, base, plain);
	}
}

static void
print_named(const struct printer *p, const struct conf *c, size_t first,
    size_t last)
{
	size_t n = conf_named_count(c, conf_table[first].section);

	for (size_t i = 0; i < MAX(n, (size_t)p->comments); i++)
		print_entry(p, c, i, first, last);
}

void
conf_print(const struct conf *c, FILE *f, bool comments, bool with_secrets)
{
	const struct printer p = { f, comments, with_secrets };
	const char *section = "";

	for (size_t i = 0; i < conf_table_len; i++) {
		const struct conf_row_info *row = &conf_table[i];
		size_t last = i;

		if (conf_row_is_named(row)) {
			while (last < conf_table_len && strcmp(
			    conf_table[last].section, row->section) == 0)
				last++;
			print_named(&p, c, i, last);
			i = last - 1;
			section = "";
			continue;
		}
		if (row->kind == CONF_NOTHING)
			continue;
		if (strcmp(section, row->section) != 0)
			fprintf(f, "%s[%s]\n", i == 0 ? "" : "\n",
			    row->section);
		section = row->section;
		if (comments)
			explain(&p, row);
		print_row(&p, row, c, c->origin[i] == CONF_DEFAULT);
	}
}

/* Append the settings in force of a section for which wanted holds. */
static void
add_section(const struct conf *c, const char *section,
    bool (*wanted)(const struct conf_row_info *), struct buf *b)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	const struct printer p = { f, false, false };

	if (f == NULL)
		abort();
	for (size_t i = 0; i < conf_table_len; i++) {
		const struct conf_row_info *row = &conf_table[i];

		if (row->kind != CONF_NOTHING && wanted(row) &&
		    strcmp(row->section, section) == 0)
			print_row(&p, row, c, false);
	}
	if (fclose(f) != 0 || buf_add(b, text, len) == -1)
		abort();
	free(text);
}

static bool
is_no_limit(const struct conf_row_info *row)
{
	return strcmp(row->key, "timeout") != 0;
}

void
conf_describe_source(const struct conf *c, struct buf *b)
{
	add_section(c, "fs_config", is_no_limit, b);
}

static bool
is_for_clients(const struct conf_row_info *row)
{
	return !row->here;
}

void
conf_for_clients(const struct conf *c, struct buf *b)
{
	static const char *const sections[] = { "s3_storage", "fs_config" };

	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		buf_addf(b, "[%s]\n", sections[i]);
		add_section(c, sections[i], is_for_clients, b);
	}
}

void
conf_print_example(FILE *f)
{
	static const char *const samples[][3] = {
		{ "nfs filer.example.com", "share", "/export/home" },
		{ "nfs filer.example.com", "share", "/export/projects" },
		{ "s3_storage", "endpoint", "http://s3.example.com:9000" },
		{ "s3_storage", "bucket", "bucket" },
	};
	struct conf c;

	conf_init(&c);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		if (conf_set(&c, samples[i][0], samples[i][1], samples[i][2],
		    "example", NULL) == -1)
			abort();
	print_comment(f, "datamover.conf: the settings of datamover(1); "
	    "datamover.conf(5) explains them. Its place is "
	    "/etc/dss/datamover/datamover.conf, unless --config names "
	    "another.");
	fputs("#\n", f);
	print_comment(f, "Each setting stands here with its default, "
	    "commented out, except the share, the endpoint and the bucket, "
	    "which everybody has to set. A setting that may stand more than "
	    "once has \"once per line\". Comments have lines of their own. "
	    "Sizes: K, M, G and KiB, MiB, GiB are powers of 1024, KB, MB, GB "
	    "of 1000.");
	fputc('\n', f);
	conf_print(&c, f, true, true);
	conf_release(&c);
}
