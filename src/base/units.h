/*
 * units.h: sizes and times as people write them. K M G T and KiB MiB GiB TiB
 * are powers of 1024, KB MB GB TB powers of 1000; no unit is bytes. Case does
 * not matter, a fraction ("1.5G") does.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "base/base.h"
#include "base/err.h"

int	 units_parse(const char *, uint64_t *ret_bytes, struct err *) MUST_USE;
/* Whole seconds, minutes, hours or days: "90", "90s", "15m", "24h", "7d". */
int	 units_parse_time(const char *, uint64_t *ret_sec, struct err *)
	    MUST_USE;
/* Format seconds in the largest of these units with an exact result: "24h" for
 * a day, too. out has room for 24 bytes. Returns out. */
const char *units_format_time(uint64_t sec, char out[24]);
/* "3.4 MiB", "812 B"; out has room for 16 bytes. Returns out. */
const char *units_format(uint64_t bytes, char out[16]);

#endif
