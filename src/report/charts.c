#include <math.h>

#include "base/units.h"
#include "report/charts.h"
#include "report/text.h"

/* In the units of the viewBox: about a pixel where two charts stand side by
 * side, and somewhat less on a telephone. */
#define WIDTH		440.0
#define COLUMNS_HEIGHT	200.0
#define LEFT		92.0
#define RIGHT		8.0
#define TOP		14.0
#define BOTTOM		30.0
#define ROW_HEIGHT	24.0
#define ROW_LEFT	124.0
#define ROW_RIGHT	86.0
#define STACK_HEIGHT	30.0
#define GAP		1.0
#define VISIBLE		3.0	/* width of a part that is there */
#define TICKS		4

/* Not XML: U+FFFE and U+FFFF. */
static bool
no_character(const char *p, size_t n)
{
	return n == 3 && memcmp(p, "\xef\xbf", 2) == 0 &&
	    ((unsigned char)p[2] == 0xbe || (unsigned char)p[2] == 0xbf);
}

/* Characters that change the direction of the text around them: a name with one
 * would be read as another name. */
static bool
turns(const char *p, size_t n)
{
	static const char *const all[] = { "\xd8\x9c", "\xe2\x80\x8e",
	    "\xe2\x80\x8f", "\xe2\x80\xaa", "\xe2\x80\xab",
	    "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae",
	    "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8",
	    "\xe2\x81\xa9" };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strlen(all[i]) == n && memcmp(p, all[i], n) == 0)
			return true;
	return false;
}

/* Each byte as \xe2, like a control character. */
static void
add_bytes(struct buf *b, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "\\x%02x", (unsigned char)p[i]);
}

void
html_text(struct buf *b, const char *s)
{
	struct buf t CLEANUP(buf_release);

	buf_init(&t, SIZE_MAX >> 1);
	buf_addstr(&t, "");
	buf_add_escaped(&t, str_of(s));
	for (const char *p = t.data; *p != '\0'; ) {
		size_t n = utf8_len(p, strlen(p));

		if (*p == '&')
			buf_addstr(b, "&amp;");
		else if (*p == '<')
			buf_addstr(b, "&lt;");
		else if (*p == '>')
			buf_addstr(b, "&gt;");
		else if (*p == '"')
			buf_addstr(b, "&quot;");
		else if (*p == '\'')
			buf_addstr(b, "&#39;");
		else if (no_character(p, n))
			buf_addstr(b, "\xef\xbf\xbd");
		else if (turns(p, n))
			add_bytes(b, p, n);
		else
			buf_add(b, p, MAX(n, (size_t)1));
		p += MAX(n, (size_t)1);
	}
}

const char *
chart_count(double x, char out[48])
{
	char count[32];

	if (x > 0 && x < 10 && x != floor(x))
		snprintf(out, 48, "%.1f", x);
	else
		snprintf(out, 48, "%s", text_count((uint64_t)(x + 0.5),
		    count));
	return out;
}

const char *
chart_bytes(double x, char out[48])
{
	char size[16];

	char *tenth;

	units_format((uint64_t)x, size);
	/* "40 MiB": what the axis has is round. */
	tenth = strstr(size, ".0 ");
	if (tenth != NULL)
		memmove(tenth, tenth + 2, strlen(tenth + 2) + 1);
	snprintf(out, 48, "%s", size);
	return out;
}

const char *
chart_time(double seconds, char out[48])
{
	uint64_t s = (uint64_t)(seconds + 0.5);
	uintmax_t hours = s / 3600;
	unsigned minutes = (unsigned)(s / 60 % 60), rest = (unsigned)(s % 60);

	if (seconds < 10 && seconds != floor(seconds))
		snprintf(out, 48, "%.1f s", seconds);
	else if (s < 60)
		snprintf(out, 48, "%u s", rest);
	else if (hours == 0 && rest == 0)
		snprintf(out, 48, "%u min", minutes);
	else if (hours == 0)
		snprintf(out, 48, "%u:%02u min", minutes, rest);
	else if (minutes == 0)
		snprintf(out, 48, "%ju h", hours);
	else
		snprintf(out, 48, "%ju h %02u min", hours, minutes);
	return out;
}

/* A step of the axis in which people count: 1, 2 or 5 times a power of ten,
 * of bytes such a number of KiB, MiB and so on. */
static double
nice_step(double most, bool binary)
{
	static const double steps[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500 };
	double unit = 1, want = most / TICKS;

	if (binary)
		while (want / unit >= 1024)
			unit *= 1024;
	else
		unit = pow(10, floor(log10(MAX(want, 1e-9))));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (steps[i] * unit >= want)
			return steps[i] * unit;
	return 1024 * unit;
}

static void
begin(struct buf *b, const struct chart *c, double height, bool stretch)
{
	buf_addf(b, "<div class=\"chart\"><svg viewBox=\"0 0 %.0f %.0f\" "
	    "%srole=\"img\" aria-labelledby=\"%s-t %s-d\">\n"
	    "<title id=\"%s-t\">",
	    WIDTH, height,
	    stretch ? "preserveAspectRatio=\"none\" " : "",
	    c->id, c->id, c->id);
	html_text(b, c->title);
	buf_addf(b, "</title>\n<desc id=\"%s-d\">", c->id);
}

static void
end(struct buf *b)
{
	buf_addstr(b, "</svg></div>\n");
}

static void
add_number(struct buf *b, const struct chart *c, double x)
{
	char out[48];

	html_text(b, c->number(x, out));
	html_text(b, c->unit);
}

/* --- columns --- */

struct scale {
	double	 most;
	double	 step;
	double	 high;		/* what the axis ends at */
};

static double
y_of(const struct scale *s, double value)
{
	return COLUMNS_HEIGHT - BOTTOM -
	    value / s->high * (COLUMNS_HEIGHT - TOP - BOTTOM);
}

static void
describe_columns(struct buf *b, const struct chart *c,
    const struct chart_column *v, size_t count, double most)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += v[i].value;
	buf_addstr(b, "Highest ");
	add_number(b, c, most);
	buf_addstr(b, ", on average ");
	add_number(b, c, sum / (double)count);
	buf_addstr(b, ".</desc>\n");
}

static void
add_axes(struct buf *b, const struct chart *c, const struct scale *s,
    const struct chart_column *v, size_t count, double step)
{
	double width = (WIDTH - LEFT - RIGHT) / (double)count;
	size_t every = MAX((count + 3) / 4, (size_t)1);
	char out[48];

	for (double at = 0; at <= s->high * 1.001; at += s->step)
		buf_addf(b, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" "
		    "x2=\"%.1f\" y2=\"%.1f\"/><text class=\"y\" x=\"%.1f\" "
		    "y=\"%.1f\">%s</text>\n", LEFT, y_of(s, at),
		    WIDTH - RIGHT, y_of(s, at), LEFT - 8, y_of(s, at) + 4,
		    c->number(at, out));
	for (size_t i = 0; i < count && v[i].label != NULL; i += every) {
		buf_addf(b, "<text class=\"x\" x=\"%.1f\" y=\"%.1f\">",
		    LEFT + ((double)i + 0.5) * width, COLUMNS_HEIGHT - 10);
		html_text(b, v[i].label);
		buf_addstr(b, "</text>\n");
	}
	for (size_t i = 0; i <= count && v[0].label == NULL; i += every) {
		double after = i < count ? v[i].after :
		    v[count - 1].after + step;

		buf_addf(b, "<text class=\"x\" x=\"%.1f\" y=\"%.1f\""
		    "%s>%s</text>\n", MIN(LEFT + (double)i * width,
		    WIDTH - RIGHT), COLUMNS_HEIGHT - 10,
		    i == count ? " style=\"text-anchor:end\"" : "",
		    i == 0 ? "0" : chart_time(after, out));
	}
}

static void
name_column(struct buf *b, const struct chart_column *v, double step)
{
	char from[48], to[48];

	buf_addstr(b, "<g><title>");
	if (v->label != NULL)
		html_text(b, v->label);
	else
		buf_addf(b, "%s to %s", chart_time(v->after, from),
		    chart_time(v->after + step, to));
	buf_addstr(b, ": ");
}

static void
add_column(struct buf *b, const struct scale *s, const char *class,
    double x, double width, double from, double value)
{
	double top = y_of(s, from + value), bottom = y_of(s, from);

	if (value > 0)
		buf_addf(b, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" "
		    "width=\"%.2f\" height=\"%.2f\"/>", class, x,
		    MIN(top, bottom - 1), width, MAX(bottom - top, 1.0));
}

void
chart_columns(struct buf *b, const struct chart *c,
    const struct chart_column *v, size_t count, double step)
{
	struct scale s = { .most = 0 };
	double width = (WIDTH - LEFT - RIGHT) / (double)MAX(count, (size_t)1);
	double gap = MIN(GAP, width / 4);

	for (size_t i = 0; i < count; i++)
		s.most = MAX(s.most, v[i].value + v[i].second);
	s.step = nice_step(MAX(s.most, 1e-6), c->binary);
	s.high = MAX(ceil(s.most / s.step), 1.0) * s.step;
	begin(b, c, COLUMNS_HEIGHT, false);
	describe_columns(b, c, v, count, s.most);
	add_axes(b, c, &s, v, count, step);
	for (size_t i = 0; i < count; i++) {
		double x = LEFT + (double)i * width + gap / 2;

		name_column(b, &v[i], step);
		add_number(b, c, v[i].value);
		if (v[i].second > 0) {
			buf_addstr(b, ", failed ");
			add_number(b, c, v[i].second);
		}
		buf_addstr(b, "</title>");
		add_column(b, &s, "c1", x, width - gap, 0, v[i].value);
		add_column(b, &s, "bad", x, width - gap, v[i].value,
		    v[i].second);
		buf_addstr(b, "</g>\n");
	}
	end(b);
}

/* --- rows --- */

void
chart_rows(struct buf *b, const struct chart *c, const struct chart_row *v,
    size_t count)
{
	double room = WIDTH - ROW_LEFT - ROW_RIGHT, most = 0;
	size_t largest = 0;

	for (size_t i = 0; i < count; i++) {
		if (v[i].value > most) {
			most = v[i].value;
			largest = i;
		}
	}
	begin(b, c, (double)count * ROW_HEIGHT + 4, false);
	if (count > 0) {
		buf_addstr(b, "Most: ");
		html_text(b, v[largest].name);
		buf_addstr(b, ", ");
		add_number(b, c, most);
		buf_addch(b, '.');
	}
	buf_addstr(b, "</desc>\n");
	for (size_t i = 0; i < count; i++) {
		double y = (double)i * ROW_HEIGHT + 2;
		double len = most > 0 ? v[i].value / most * room : 0;

		if (v[i].value > 0)
			len = MAX(len, 2.0);
		buf_addf(b, "<text class=\"name\" x=\"%.0f\" y=\"%.1f\">",
		    ROW_LEFT - 10, y + ROW_HEIGHT / 2 + 4);
		html_text(b, v[i].name);
		buf_addf(b, "</text><rect class=\"%s\" x=\"%.0f\" "
		    "y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"/>"
		    "<text class=\"value%s\" x=\"%.1f\" y=\"%.1f\">",
		    v[i].class, ROW_LEFT, y + 4, len, ROW_HEIGHT - 8,
		    v[i].value > 0 ? "" : " none", ROW_LEFT + len + 8,
		    y + ROW_HEIGHT / 2 + 4);
		add_number(b, c, v[i].value);
		buf_addstr(b, "</text>\n");
	}
	end(b);
}

/* --- a stack --- */

/* Widen parts that would be too narrow to see; the wide parts give the width
 * in proportion. */
static double
stack_width(const struct chart_row *v, size_t count, double sum, size_t at)
{
	double taken = 0, rest = 0;

	for (size_t i = 0; i < count; i++) {
		double w = sum > 0 ? v[i].value / sum * WIDTH : 0;

		if (v[i].value > 0 && w < VISIBLE)
			taken += VISIBLE;
		else
			rest += v[i].value;
	}
	if (v[at].value <= 0)
		return 0;
	if (v[at].value / sum * WIDTH < VISIBLE)
		return VISIBLE;
	return v[at].value / rest * (WIDTH - taken);
}

void
chart_stack(struct buf *b, const struct chart *c, const struct chart_row *v,
    size_t count)
{
	double sum = 0, x = 0;
	bool first = true;

	for (size_t i = 0; i < count; i++)
		sum += v[i].value;
	begin(b, c, STACK_HEIGHT, true);
	for (size_t i = 0; i < count; i++) {
		if (v[i].value <= 0)
			continue;
		buf_addstr(b, first ? "" : ", ");
		first = false;
		html_text(b, v[i].name);
		buf_addch(b, ' ');
		add_number(b, c, v[i].value);
	}
	buf_addstr(b, first ? "Nothing.</desc>\n" : ".</desc>\n");
	if (sum <= 0)
		buf_addf(b, "<rect class=\"empty\" x=\"0\" y=\"0\" "
		    "width=\"%.0f\" height=\"%.0f\"/>\n", WIDTH,
		    STACK_HEIGHT);
	for (size_t i = 0; i < count && sum > 0; i++) {
		double w = stack_width(v, count, sum, i);

		if (w <= 0)
			continue;
		buf_addf(b, "<rect class=\"%s\" x=\"%.2f\" y=\"0\" "
		    "width=\"%.2f\" height=\"%.0f\"><title>",
		    v[i].class, x, MAX(w - GAP, VISIBLE / 2), STACK_HEIGHT);
		html_text(b, v[i].name);
		buf_addstr(b, ": ");
		add_number(b, c, v[i].value);
		buf_addstr(b, "</title></rect>\n");
		x += w;
	}
	end(b);
}
