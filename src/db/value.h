/*
 * value.h: one value of SQL, bound to a statement or read from a column.
 */
#ifndef DB_VALUE_H
#define DB_VALUE_H

#include "base/buf.h"

enum value_type { VALUE_NULL = 0, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT,
	VALUE_BLOB };
struct value {
	enum value_type type;
	int64_t	 integer;
	double	 real;
	struct str bytes;	/* TEXT and BLOB */
};

#endif
