/*
 * units.h: sizes as people write them. K M G T and KiB MiB GiB TiB are powers
 * of 1024, KB MB GB TB powers of 1000; no unit is bytes. Case does not
 * matter, a fraction ("1.5G") does.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "base/base.h"
#include "base/err.h"

int	 units_parse(const char *, uint64_t *ret_bytes, struct err *) MUST_USE;
/* "3.4 MiB", "812 B"; out has room for 16 bytes. Returns out. */
const char *units_format(uint64_t bytes, char out[16]);

#endif
