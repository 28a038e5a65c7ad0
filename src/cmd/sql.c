#include <unistd.h>

#include "cmd/cmd.h"
#include "db/view.h"
#include "report/rows.h"
#include "report/spool.h"

/* How long the catalog stays open for a reader who takes nothing. */
#define PATIENCE_MS	10000

static int
query(const struct options *o, struct err *err)
{
	enum rows_format format = ROWS_TABLE;
	struct catalog_view *view = NULL;
	AUTOFREE char *path = NULL;
	struct spool *out;
	struct rows *rows;
	bool printed;
	int rc;

	if (o->format != NULL && !rows_format_of(o->format, &format))
		return err_set(err, ERR_USAGE, 0, "--format is table, csv, "
		    "tsv or json, not \"%s\"", o->format);
	if (cmd_find_catalog(o, &path, err) == -1 ||
	    catalog_view_open(&view, path, err) == -1)
		return -1;
	out = spool_new(STDOUT_FILENO, PATIENCE_MS);
	rows = rows_new(spool_stream(out), format,
	    isatty(STDOUT_FILENO) == 1);
	rc = catalog_query(view, o->words[0], rows_take, rows, err);
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
