#include "base/units.h"
#include "report/text.h"

/* Beyond it a rate or a duration is a fault of a clock, not a fact. */
static const double most = 1e18;

static double
sane(double x)
{
	return x > 0 ? MIN(x, most) : 0;	/* not a number: 0 */
}

const char *
text_count(uint64_t n, char out[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%ju", (uintmax_t)n);
	char *p = out;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return out;
}

const char *
text_duration(double seconds, char out[32])
{
	uint64_t s = (uint64_t)(sane(seconds) + 0.5);
	uintmax_t hours = s / 3600;
	unsigned minutes = (unsigned)(s / 60 % 60), rest = (unsigned)(s % 60);

	if (sane(seconds) < 59.95)
		snprintf(out, 32, "%.1f s", sane(seconds));
	else if (hours == 0)
		snprintf(out, 32, "%u:%02u min", minutes, rest);
	else
		snprintf(out, 32, "%ju:%02u:%02u h", hours, minutes, rest);
	return out;
}

const char *
text_took(double seconds, char out[32])
{
	unsigned ms = (unsigned)(MIN(sane(seconds), 1) * 1000 + 0.5);

	if (ms >= 1000)
		return text_duration(seconds, out);
	if (ms == 0)
		snprintf(out, 32, "below 1 ms");
	else
		snprintf(out, 32, "%u ms", ms);
	return out;
}

const char *
text_byte_rate(double rate, char out[32])
{
	char bytes[16];

	snprintf(out, 32, "%s/s", units_format((uint64_t)sane(rate), bytes));
	return out;
}

const char *
text_object_rate(double rate, char out[48])
{
	char count[32];

	if (sane(rate) < 9.95)
		snprintf(out, 48, "%.1f objects/s", sane(rate));
	else
		snprintf(out, 48, "%s objects/s",
		    text_count((uint64_t)(sane(rate) + 0.5), count));
	return out;
}

const char *
text_percent(uint64_t part, uint64_t whole, char out[16])
{
	double percent;

	if (whole == 0)
		return "-";
	if (part == 0 || part >= whole)
		return part == 0 ? "0 %" : "100 %";
	percent = 100 * (double)part / (double)whole;
	snprintf(out, 16, "%.1f %%", MIN(MAX(percent, 0.1), 99.9));
	return out;
}
