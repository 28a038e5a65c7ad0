/*
 * rows.h: the rows of a query as a table for people, CSV (RFC 4180, but lines
 * end in a newline), TSV or JSON (an array with one object a line). Rows are
 * printed as they come; a table looks at its first rows to know how wide its
 * columns are.
 *
 * Text is escaped where people or columns would suffer: in tables and TSV
 * always, in CSV on a terminal. BLOBs are printed in hex, NULL as nothing (in
 * JSON: null).
 *
 * Life cycle: rows_new, rows_take for each call of catalog_query, rows_end.
 */
#ifndef PRINT_ROWS_H
#define PRINT_ROWS_H

#include "db/view.h"

enum rows_format { ROWS_TABLE = 0, ROWS_CSV, ROWS_TSV, ROWS_JSON };

/* Return false if name is not the name of a format. */
bool	 rows_format_of(const char *name, enum rows_format *ret_format);

struct rows;
struct rows *rows_new(FILE *, enum rows_format, bool tty);
/* A catalog_row_fn; arg is the struct rows. False once f can't be written. */
bool	 rows_take(void *arg, size_t columns, const char *const *names,
	    const struct value *row);
/* Print the remaining rows and free the printer. -1: some output could not be
 * written. */
int	 rows_end(struct rows **);

#endif
