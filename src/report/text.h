/*
 * text.h: numbers in the form that people read, and the width of a text in
 * columns of a terminal. Pure; any thread.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "base/base.h"

/* "1,234,567"; out has room for 32 bytes. Returns out. */
const char *text_count(uint64_t, char out[32]);
/* Seconds as "4.2 s", "3:07 min", "2:03:04 h"; returns out. */
const char *text_duration(double seconds, char out[32]);
/* How long an object took: as text_duration, below a second "12 ms"; returns
 * out. */
const char *text_took(double seconds, char out[32]);
/* Bytes a second as "12.3 MiB/s"; returns out. */
const char *text_byte_rate(double bytes_per_second, char out[32]);
/* "1,234 objects/s", below ten with a tenth; returns out. */
const char *text_object_rate(double per_second, char out[48]);
/* part of whole in percent, "12.3 %"; "100 %" only if part equals whole, "0
 * %" only if part is 0; "-" if whole is 0. Returns out or a constant. */
const char *text_percent(uint64_t part, uint64_t whole, char out[16]);

/*
 * The width of escaped text (base/buf.h): a Chinese character takes two
 * columns, an accent set on the letter before the accent takes none.
 */
size_t	 text_width(const char *);
/* Number of blanks that fill the text up to columns, for "%s%*s". */
int	 text_pad(const char *, size_t columns);
/* Number of leading bytes of the text that fit into columns, for "%.*s". */
int	 text_fit(const char *, size_t columns);

#endif
