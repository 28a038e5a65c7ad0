#include <strings.h>

#include "base/buf.h"
#include "base/jsontext.h"
#include "print/rows.h"
#include "report/text.h"

/* Of a table, so many rows or bytes are kept to find the widths. */
#define KEPT_ROWS	1000
#define KEPT_BYTES	MIB
/* A longer text stands out of its column: the rest of the row moves. */
#define WIDTH_MAX	((size_t)80)

struct rows {
	FILE	*f;
	enum rows_format format;
	bool	 tty;
	size_t	 columns;
	char	**names;
	uint64_t count;
	struct buf line;
	struct {			/* tables only */
		size_t	*widths;
		char	**cells;	/* columns of them a row */
		bool	*right;		/* the same: numbers */
		size_t	 rows;
		size_t	 bytes;
		bool	 known;		/* the widths: rows go out at once */
	} table;
};

static const char *const format_names[] = {
	[ROWS_TABLE] = "table", [ROWS_CSV] = "csv", [ROWS_TSV] = "tsv",
	[ROWS_JSON] = "json",
};

bool
rows_format_of(const char *name, enum rows_format *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(format_names); i++) {
		if (strcasecmp(name, format_names[i]) == 0) {
			*ret = (enum rows_format)i;
			return true;
		}
	}
	return false;
}

struct rows *
rows_new(FILE *f, enum rows_format format, bool tty)
{
	struct rows *r = xcalloc(1, sizeof(*r));

	r->f = f;
	r->format = format;
	r->tty = tty;
	buf_init(&r->line, SIZE_MAX >> 1);
	return r;
}

/* The shortest text that a reader turns into the same number. */
static void
add_real(struct buf *b, double x, bool json)
{
	char text[40];

	if (json && (x > 1.7e308 || x < -1.7e308 || x != x)) {
		buf_addstr(b, "null");	/* JSON has no infinity */
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	buf_addstr(b, text);
}

static void
add_hex(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_addf(b, "%02x", (unsigned char)s.p[i]);
}

static void
add_csv_text(struct buf *b, struct str s)
{
	buf_addch(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			buf_addch(b, '"');
		buf_addch(b, s.p[i]);
	}
	buf_addch(b, '"');
}

static void
add_text(const struct rows *r, struct buf *b, struct str s)
{
	bool quote = false;

	if (r->format == ROWS_JSON) {
		buf_add_json(b, s);
		return;
	}
	for (size_t i = 0; i < s.len; i++)
		quote |= memchr(",\"\r\n", s.p[i], 4) != NULL;
	if (r->format != ROWS_CSV || (r->tty && !quote)) {
		buf_add_escaped(b, s);
	} else if (quote && r->tty) {
		struct buf escaped;

		buf_init(&escaped, SIZE_MAX >> 1);
		buf_add_escaped(&escaped, s);
		add_csv_text(b, buf_str(&escaped));
		buf_release(&escaped);
	} else if (quote) {
		add_csv_text(b, s);
	} else {
		buf_add(b, s.p, s.len);
	}
}

static void
add_value(const struct rows *r, struct buf *b, const struct value *v)
{
	bool json = r->format == ROWS_JSON;

	switch (v->type) {
	case VALUE_NULL:
		buf_addstr(b, json ? "null" : "");
		break;
	case VALUE_INTEGER:
		buf_addf(b, "%jd", (intmax_t)v->integer);
		break;
	case VALUE_REAL:
		add_real(b, v->real, json);
		break;
	case VALUE_TEXT:
		add_text(r, b, v->bytes);
		break;
	case VALUE_BLOB:
		buf_addstr(b, json ? "\"" : "");
		add_hex(b, v->bytes);
		buf_addstr(b, json ? "\"" : "");
		break;
	}
}

static bool
flush_line(struct rows *r)
{
	if (r->line.len > 0)
		fwrite(r->line.data, 1, r->line.len, r->f);
	buf_clear(&r->line);
	return ferror(r->f) == 0;
}

/* --- tables --- */

static void
add_cell(struct rows *r, size_t column, const char *text, bool right)
{
	int pad = text_pad(text, r->table.widths[column]);
	bool last = column + 1 == r->columns;

	buf_addstr(&r->line, column > 0 ? "  " : "");
	if (right)
		buf_addf(&r->line, "%*s%s", pad, "", text);
	else
		buf_addf(&r->line, "%s%*s", text, last ? 0 : pad, "");
	buf_addstr(&r->line, last ? "\n" : "");
}

/* Print the names, a rule, and the rows kept so far. */
static bool
print_kept(struct rows *r)
{
	size_t n = r->columns;

	r->table.known = true;
	for (size_t c = 0; c < n; c++) {
		r->table.widths[c] = text_width(r->names[c]);
		for (size_t i = 0; i < r->table.rows; i++)
			r->table.widths[c] = MAX(r->table.widths[c],
			    text_width(r->table.cells[i * n + c]));
		r->table.widths[c] = MIN(r->table.widths[c], WIDTH_MAX);
	}
	for (size_t c = 0; c < n; c++)
		add_cell(r, c, r->names[c], false);
	for (size_t c = 0; c < n; c++) {
		buf_addstr(&r->line, c > 0 ? "  " : "");
		for (size_t i = 0; i < r->table.widths[c]; i++)
			buf_addch(&r->line, '-');
	}
	buf_addch(&r->line, '\n');
	for (size_t i = 0; i < r->table.rows; i++) {
		for (size_t c = 0; c < n; c++) {
			char *cell = r->table.cells[i * n + c];

			add_cell(r, c, cell, r->table.right[i * n + c]);
			free(cell);
		}
		flush_line(r);
	}
	r->table.rows = 0;
	return flush_line(r);
}

static bool
take_table_row(struct rows *r, const struct value *row)
{
	size_t at = r->table.rows * r->columns;
	struct buf cell;

	buf_init(&cell, SIZE_MAX >> 1);
	for (size_t c = 0; c < r->columns; c++) {
		bool right = row[c].type == VALUE_INTEGER ||
		    row[c].type == VALUE_REAL;

		buf_clear(&cell);
		buf_addstr(&cell, "");
		add_value(r, &cell, &row[c]);
		if (r->table.known) {
			add_cell(r, c, cell.data, right);
		} else {
			r->table.cells[at + c] = xstrdup(cell.data);
			r->table.right[at + c] = right;
			r->table.bytes += cell.len;
		}
	}
	buf_release(&cell);
	if (r->table.known)
		return flush_line(r);
	r->table.rows++;
	if (r->table.rows == KEPT_ROWS || r->table.bytes > KEPT_BYTES)
		return print_kept(r);
	return true;
}

/* --- the other formats --- */

static bool
take_line(struct rows *r, const struct value *row)
{
	char between = r->format == ROWS_TSV ? '\t' : ',';

	if (r->format == ROWS_JSON)
		buf_addstr(&r->line, r->count == 0 ? "{" : ",\n{");
	for (size_t c = 0; c < r->columns; c++) {
		if (c > 0)
			buf_addch(&r->line, between);
		if (r->format == ROWS_JSON) {
			buf_add_json(&r->line, str_of(r->names[c]));
			buf_addch(&r->line, ':');
		}
		add_value(r, &r->line, &row[c]);
	}
	buf_addstr(&r->line, r->format == ROWS_JSON ? "}" : "\n");
	return flush_line(r);
}

static bool
begin(struct rows *r, size_t columns, const char *const *names)
{
	r->columns = columns;
	r->names = xcalloc(columns, sizeof(*r->names));
	for (size_t c = 0; c < columns; c++) {
		struct buf name;

		buf_init(&name, SIZE_MAX >> 1);
		buf_addstr(&name, "");
		if (r->format == ROWS_JSON)
			buf_addstr(&name, names[c]);
		else
			add_text(r, &name, str_of(names[c]));
		r->names[c] = name.data;
	}
	if (r->format == ROWS_TABLE) {
		r->table.widths = xcalloc(columns, sizeof(size_t));
		r->table.cells = xcalloc(columns * KEPT_ROWS, sizeof(char *));
		r->table.right = xcalloc(columns * KEPT_ROWS, sizeof(bool));
		return true;
	}
	if (r->format == ROWS_JSON) {
		buf_addstr(&r->line, "[\n");
		return flush_line(r);
	}
	for (size_t c = 0; c < columns; c++)
		buf_addf(&r->line, "%s%s", c == 0 ? "" :
		    r->format == ROWS_TSV ? "\t" : ",", r->names[c]);
	buf_addch(&r->line, '\n');
	return flush_line(r);
}

bool
rows_take(void *arg, size_t columns, const char *const *names,
    const struct value *row)
{
	struct rows *r = arg;
	bool ok;

	if (row == NULL)
		return begin(r, columns, names);
	ok = r->format == ROWS_TABLE ? take_table_row(r, row) :
	    take_line(r, row);
	r->count++;
	return ok;
}

int
rows_end(struct rows **pr)
{
	struct rows *r = *pr;
	int rc;

	if (r == NULL)
		return 0;
	if (r->names != NULL && r->format == ROWS_TABLE && !r->table.known)
		print_kept(r);
	if (r->names != NULL && r->format == ROWS_JSON)
		fputs(r->count == 0 ? "]\n" : "\n]\n", r->f);
	rc = fflush(r->f) != 0 || ferror(r->f) != 0 ? -1 : 0;
	for (size_t c = 0; c < r->columns; c++)
		free(r->names[c]);
	free(r->names);
	free(r->table.widths);
	free(r->table.cells);
	free(r->table.right);
	buf_release(&r->line);
	free(r);
	*pr = NULL;
	return rc;
}
