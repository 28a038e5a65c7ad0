#include <ctype.h>
#include <strings.h>

#include "base/units.h"

static const char letters[] = "KMGTPE";

/* Return the number of bytes of a unit; 0 for an unknown unit. */
static uint64_t
unit_bytes(const char *unit)
{
	const char *letter;
	uint64_t base, bytes = 1;

	if (unit[0] == '\0' || strcasecmp(unit, "B") == 0)
		return 1;
	letter = strchr(letters, toupper((unsigned char)unit[0]));
	if (letter == NULL)
		return 0;
	if (unit[1] == '\0' || strcasecmp(unit + 1, "iB") == 0)
		base = 1024;
	else if (strcasecmp(unit + 1, "B") == 0)
		base = 1000;
	else
		return 0;
	for (const char *p = letters; p <= letter; p++)
		bytes *= base;
	return bytes;
}

/* Convert the digits after the point to a share of the unit, rounded down to
 * whole bytes. */
static uint64_t
fraction_bytes(const char *digits, size_t count, uint64_t unit)
{
	long double share = 0, place = 1;

	for (size_t i = 0; i < count; i++) {
		place /= 10;
		share += place * (digits[i] - '0');
	}
	/* A tenth has no exact form: 0.1 of 1000 must not become 99. */
	return (uint64_t)(share * (long double)unit + 1e-6L);
}

int
units_parse(const char *text, uint64_t *ret_bytes, struct err *err)
{
	size_t whole = strspn(text, "0123456789"), part = 0;
	const char *rest = text + whole, *fraction = NULL;
	uint64_t unit, value = 0, more;

	if (whole > 0 && rest[0] == '.') {
		fraction = rest + 1;
		part = strspn(fraction, "0123456789");
		rest = fraction + part;
	}
	if (whole == 0 || (fraction != NULL && part == 0))
		return err_set(err, ERR_USAGE, 0, "\"%s\" is not a size "
		    "(such as 812, 64K, 1.5GiB)", text);
	if (rest[0] == ' ' && rest[1] != '\0')
		rest++;
	unit = unit_bytes(rest);
	if (unit == 0)
		return err_set(err, ERR_USAGE, 0, "\"%s\": \"%s\" is not a "
		    "unit (K, M, G, T, KiB, KB, ...)", text, rest);
	if (fraction != NULL && unit == 1)
		return err_set(err, ERR_USAGE, 0,
		    "\"%s\": there is no part of a byte", text);
	for (size_t i = 0; i < whole; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'),
		    &value))
			return err_set(err, ERR_USAGE, 0,
			    "\"%s\" is too large", text);
	more = fraction == NULL ? 0 : fraction_bytes(fraction, part, unit);
	if (__builtin_mul_overflow(value, unit, &value) ||
	    __builtin_add_overflow(value, more, &value))
		return err_set(err, ERR_USAGE, 0, "\"%s\" is too large", text);
	*ret_bytes = value;
	return 0;
}

/* Return the number of seconds of a unit; 0 for an unknown unit. */
static uint64_t
unit_seconds(const char *unit)
{
	static const char names[] = "smhd";
	static const unsigned seconds[] = { 1, 60, 3600, 86400 };
	const char *at;

	if (unit[0] == '\0')
		return 1;
	at = strchr(names, tolower((unsigned char)unit[0]));
	return at == NULL || unit[1] != '\0' ? 0 : seconds[at - names];
}

int
units_parse_time(const char *text, uint64_t *ret_sec, struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t n = 0, unit = unit_seconds(text + digits);

	if (digits == 0 || digits > 12 || unit == 0)
		return err_set(err, ERR_USAGE, 0, "\"%s\" is not a time "
		    "(such as 90s, 15m, 24h, 7d)", text);
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	*ret_sec = n * unit;
	return 0;
}

const char *
units_format_time(uint64_t sec, char out[24])
{
	if (sec % 86400 == 0 && sec > 86400)
		snprintf(out, 24, "%jud", (uintmax_t)(sec / 86400));
	else if (sec % 3600 == 0 && sec > 0)
		snprintf(out, 24, "%juh", (uintmax_t)(sec / 3600));
	else if (sec % 60 == 0 && sec > 0)
		snprintf(out, 24, "%jum", (uintmax_t)(sec / 60));
	else
		snprintf(out, 24, "%jus", (uintmax_t)sec);
	return out;
}

const char *
units_format(uint64_t bytes, char out[16])
{
	unsigned i = 0;
	uint64_t unit = 1024, whole, tenths;

	if (bytes < 1024) {
		snprintf(out, 16, "%u B", (unsigned)bytes);
		return out;
	}
	while (i + 2 < sizeof(letters) && bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	whole = bytes / unit;
	tenths = (bytes % unit * 10 + unit / 2) / unit;
	if (tenths == 10) {
		whole++;
		tenths = 0;
	}
	if (whole == 1024 && i + 2 < sizeof(letters)) {
		whole = 1;
		i++;
	}
	snprintf(out, 16, "%u.%u %ciB", (unsigned)whole, (unsigned)tenths,
	    letters[i]);
	return out;
}
