/*
 * text.h: numbers as people read them, and the columns of a terminal that a
 * text takes. Pure; any thread.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "base/base.h"

/* "1,234,567"; out has room for 32 bytes. Returns out. */
const char *text_count(uint64_t, char out[32]);
/* Seconds as "4.2 s", "3:07 min", "2:03:04 h"; returns out. */
const char *text_duration(double seconds, char out[32]);
/* Bytes a second as "12.3 MiB/s"; returns out. */
const char *text_byte_rate(double bytes_per_second, char out[32]);
/* "1,234 objects/s", below ten with a tenth; returns out. */
const char *text_object_rate(double per_second, char out[48]);

/*
 * Of text that is escaped (base/buf.h): a Chinese character takes two columns,
 * an accent that is set on the letter before it none.
 */
size_t	 text_width(const char *);
/* Blanks that fill it up to so many columns, for "%s%*s". */
int	 text_pad(const char *, size_t columns);
/* Bytes of its beginning that fit into so many columns, for "%.*s". */
int	 text_fit(const char *, size_t columns);

#endif
