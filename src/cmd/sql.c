#include <errno.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "db/view.h"
#include "print/rows.h"
#include "print/spool.h"
#include "reader/past.h"

/* How long the catalog stays open for a reader who takes nothing. */
#define PATIENCE_MS	10000

#define QUERY_MAX	MIB

static const char the_views[] =
    "SELECT name AS view, substr(about, 1, instr(about, char(10)) - 1) AS "
    "shows FROM (SELECT name, substr(sql, instr(sql, ' AS -- ') + 7) AS about "
    "FROM sqlite_schema WHERE type = 'view') ORDER BY name";

/* Read the query of --file. */
static int
read_file(const char *name, struct buf *ret, struct err *err)
{
	bool is_stdin = strcmp(name, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(name, "re");
	char part[4096];
	size_t n;

	if (f == NULL)
		return err_errno(err, ERR_USAGE, errno, "--file %s", name);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(ret, part, n);
	if (ferror(f))
		err_errno(err, ERR_USAGE, errno, "--file %s", name);
	else if (buf_overflowed(ret))
		err_set(err, ERR_USAGE, 0, "--file %s is too large for a "
		    "query", name);
	else if (ret->len == 0 || strlen(ret->data) != ret->len)
		err_set(err, ERR_USAGE, 0, "--file %s has no query", name);
	if (!is_stdin)
		fclose(f);
	return err->kind == ERR_NONE ? 0 : -1;
}

static int
open_view(const struct options *o, struct catalog_view **ret, struct err *err)
{
	AUTOFREE char *path = NULL;

	if (cmd_find_catalog(o, &path, err) == -1 ||
	    catalog_view_open(ret, path, err) == -1)
		return -1;
	if (o->attach != NULL &&
	    catalog_view_attach(*ret, o->attach, err) == -1)
		return -1;
	return o->job.as_of == NULL ? 0 :
	    past_view(*ret, o->job.as_of, err);
}

static int
query(const struct options *o, struct err *err)
{
	enum rows_format format = ROWS_TABLE;
	struct catalog_view *view = NULL;
	struct buf file CLEANUP(buf_release);
	const char *sql = o->word_count > 0 ? o->words[0] : the_views;
	struct spool *out;
	struct rows *rows;
	bool printed;
	int rc;

	buf_init(&file, QUERY_MAX);
	if (o->format != NULL && !rows_format_of(o->format, &format))
		return err_set(err, ERR_USAGE, 0, "--format is table, csv, "
		    "tsv or json, not \"%s\"", o->format);
	if (o->file != NULL) {
		if (read_file(o->file, &file, err) == -1)
			return -1;
		sql = file.data;
	}
	if (open_view(o, &view, err) == -1) {
		catalog_view_close(&view);
		return -1;
	}
	out = spool_new(STDOUT_FILENO, PATIENCE_MS);
	rows = rows_new(spool_stream(out), format,
	    isatty(STDOUT_FILENO) == 1);
	rc = catalog_query(view, sql, rows_take, rows, err);
	/* A mistake in the query has printed nothing: there are no rows. */
	printed = rows_end(&rows) == 0;
	catalog_view_close(&view);
	printed = spool_end(&out) == 0 && printed;
	if (!printed && rc == 0)
		rc = err_set(err, ERR_RESOURCE, 0,
		    "standard output can't be written");
	return rc;
}

int
cmd_sql(int argc, char **argv)
{
	return cmd_look(VERB_SQL, query, argc, argv);
}
