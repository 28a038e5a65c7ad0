/*
 * datamover-wire(5) and the tables of the codec name the same messages,
 * records and fields, in the same order and with the same types. And every
 * member of the structs that travel does travel, or is named here.
 */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire/codec.h"

#define PAGE	"man/datamover-wire.5"

static void
read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char data[4096];
	size_t n;

	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	buf_init(out, 1 << 24);
	do {
		n = fread(data, 1, sizeof(data), f);
		buf_add(out, data, n);
	} while (n > 0);
	fclose(f);
}

static void
add_type(struct buf *out, const struct wire_field *f)
{
	static const char *const names[] = {
		[KIND_U32] = "u32", [KIND_U64] = "u64", [KIND_I32] = "i32",
		[KIND_I64] = "i64", [KIND_BOOL] = "bool",
		[KIND_TEXT] = "text", [KIND_TEXT_OR_NONE] = "optional text",
		[KIND_HANDLE] = "handle", [KIND_MD5S] = "md5s",
		[KIND_WHEN] = "bool",
	};

	switch (f->kind) {
	case KIND_ENUM:
		buf_addf(out, "enum of %zu", f->most);
		break;
	case KIND_TEXT_IN:
		buf_addf(out, "text of at most %zu", f->size - 1);
		break;
	case KIND_BYTES:
		buf_addf(out, "%zu bytes", f->size);
		break;
	case KIND_INSIDE:
	case KIND_OWNED:
		buf_addstr(out, f->record->name);
		break;
	case KIND_LIST:
		buf_addf(out, "list of %s", f->record->name);
		if (f->most > 0)
			buf_addf(out, " of at most %zu", f->most);
		break;
	default:
		buf_addstr(out, names[f->kind]);
	}
}

/* The section of a record, and of those in it that have none yet. */
static void
add_section(struct buf *out, const char *title, const struct wire_record *r)
{
	const struct wire_field *when = NULL;
	char head[64];

	buf_addf(out, "%s\n", title);
	for (size_t i = 0; r != NULL && i < r->count; i++) {
		const struct wire_field *f = &r->fields[i];

		if (f->kind == KIND_DONE) {
			when = NULL;
			continue;
		}
		buf_addf(out, "\t%s ", f->name);
		add_type(out, f);
		if (when != NULL)
			buf_addf(out, ", if %s", when->name);
		buf_addch(out, '\n');
		if (f->kind == KIND_WHEN)
			when = f;
	}
	buf_addch(out, '\f');
	for (size_t i = 0; r != NULL && i < r->count; i++) {
		if (r->fields[i].record == NULL)
			continue;
		snprintf(head, sizeof(head), "Record %s\n",
		    r->fields[i].record->name);
		if (strstr(out->data, head) != NULL)
			continue;
		head[strlen(head) - 1] = '\0';
		add_section(out, head, r->fields[i].record);
	}
}

/* Sections of the page: those of messages and records, with their fields. */
static void
page_sections(const char *page, struct buf *out)
{
	bool in = false;

	for (const char *line = page, *end; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		if (strncmp(line, ".Sh ", 4) == 0 ||
		    strncmp(line, ".Ss ", 4) == 0) {
			if (in)
				buf_addch(out, '\f');
			in = line[2] == 's';
			if (in)
				buf_addf(out, "%.*s\n", (int)(end - line - 4),
				    line + 4);
		} else if (in && strncmp(line, ".It Sy ", 7) == 0) {
			buf_addf(out, "\t%.*s\n", (int)(end - line - 7),
			    line + 7);
		}
	}
	if (in)
		buf_addch(out, '\f');
}

/* Each section of a is one of b, word for word. */
static void
expect_in(const char *a, const char *b, const char *who)
{
	while (*a != '\0') {
		const char *end = strchr(a, '\f');
		char *section = xstrndup(a, (size_t)(end - a) + 1);
		const char *p = strstr(b, section);

		if (p == NULL || (p > b && p[-1] != '\f'))
			fail_msg("%s has, and the other hasn't:\n%s", who,
			    section);
		free(section);
		a = end + 1;
	}
}

static void
test_page(void **state)
{
	struct buf page, of_page, of_code;
	char head[64];

	(void)state;
	read_file(PAGE, &page);
	buf_init(&of_page, 1 << 20);
	buf_init(&of_code, 1 << 20);
	page_sections(page.data, &of_page);
	for (enum wire_type t = WIRE_HELLO; t < WIRE__MAX; t++) {
		snprintf(head, sizeof(head), "%d %s", (int)t,
		    wire_messages[t].name);
		add_section(&of_code, head, wire_messages[t].record);
	}
	assert_true(of_page.len > 1000);
	expect_in(of_code.data, of_page.data, "wire.def");
	expect_in(of_page.data, of_code.data, PAGE);
	buf_release(&page);
	buf_release(&of_page);
	buf_release(&of_code);
}

static void
expect_said(const struct buf *page, const char *text)
{
	if (strstr(page->data, text) == NULL)
		fail_msg("%s doesn't say: %s", PAGE, text);
}

static void
test_limits(void **state)
{
	struct buf page;
	char text[80];

	(void)state;
	read_file(PAGE, &page);
	snprintf(text, sizeof(text), "This is protocol %d.", WIRE_PROTOCOL);
	expect_said(&page, text);
	snprintf(text, sizeof(text), "at most %u, and at most %u ",
	    WIRE_FRAME_MAX, WIRE_HELLO_MAX);
	expect_said(&page, text);
	snprintf(text, sizeof(text), "its HELLO %d ms", WIRE_HELLO_MS);
	expect_said(&page, text);
	snprintf(text, sizeof(text), "keeps %d such", WIRE_STRANGERS_MAX);
	expect_said(&page, text);
	snprintf(text, sizeof(text), "of %d bytes: the key", TLS_KEY_LEN);
	expect_said(&page, text);
	snprintf(text, sizeof(text), "a byte of at most %d,", HANDLE_MAX);
	expect_said(&page, text);
	buf_release(&page);
}

/* --- what travels --- */

/* Members that stay at home. */
static const char *const at_home[] = {
	"item part_count",		/* in part_md5s */
	"result part_count",
	"stored part_count",
	"setup export_count",		/* in its list */
	"setup conf",			/* as settings */
	"setup_export root",		/* the master's alone */
	"setup_export seen",
	"setup exact",			/* a client's own */
	"delete_batch count",
	"delete_batch user",
	"fetch_item part_count",
	"fetch_item user",
	"attrs atime_ns",		/* of the crawl */
	"mail",				/* of any: the thread's */
};

static bool
stays(const char *name, const char *member)
{
	char both[128];

	snprintf(both, sizeof(both), "%s %s", name, member);
	for (size_t i = 0; i < ARRAY_LEN(at_home); i++)
		if (strcmp(at_home[i], both) == 0 ||
		    strcmp(at_home[i], member) == 0)
			return true;
	return false;
}

/* Blanks in place of comments. */
static void
blank_comments(char *p)
{
	bool in = false;

	for (; *p != '\0'; p++) {
		if (p[0] == '/' && p[1] == '*')
			in = true;
		if (in && p[0] == '*' && p[1] == '/') {
			p[0] = p[1] = ' ';
			in = false;
		}
		if (in && *p != '\n')
			*p = ' ';
	}
}

/* Each declaration "type name;" or "type name[n];" of struct name. */
static void
expect_members(const char *header, const char *name, const struct buf *def)
{
	char head[64], want[128];
	struct buf text;
	size_t found = 0;
	char *p, *end;

	read_file(header, &text);
	blank_comments(text.data);
	snprintf(head, sizeof(head), "struct %s {", name);
	p = strstr(text.data, head);
	if (p == NULL)
		fail_msg("%s: no struct %s", header, name);
	p += strlen(head);
	end = strstr(p, "\n}");
	assert_non_null(end);
	for (char *semi; (semi = strchr(p, ';')) != NULL && semi < end;
	    p = semi + 1) {
		char *last = semi;
		char *first;

		if (last[-1] == ']')
			while (*last != '[')
				last--;
		for (first = last; isalnum((unsigned char)first[-1]) ||
		    first[-1] == '_'; first--)
			;
		*last = '\0';
		assert_true(last > first);
		found++;
		if (stays(name, first))
			continue;
		snprintf(want, sizeof(want), "(%s, %s", name, first);
		p = strstr(def->data, want);
		if (p == NULL || (p[strlen(want)] != ')' &&
		    p[strlen(want)] != ','))
			fail_msg("%s: %s of struct %s doesn't travel",
			    header, first, name);
	}
	assert_true(found >= 3);
	buf_release(&text);
}

static void
test_members(void **state)
{
	static const char *const structs[][2] = {
		{ "src/model/attrs.h", "attrs" },
		{ "src/base/err.h", "err" },
		{ "src/model/setup.h", "setup_export" },
		{ "src/model/setup.h", "setup" },
		{ "src/model/item.h", "item" },
		{ "src/model/item.h", "result" },
		{ "src/model/outcome.h", "stored" },
		{ "src/model/fetch_item.h", "fetch_item" },
		{ "src/model/fetch_item.h", "fetch_result" },
		{ "src/model/delete.h", "delete_row" },
		{ "src/model/delete.h", "delete_batch" },
		{ "src/model/upload_note.h", "upload_note" },
	};
	struct buf def;

	(void)state;
	read_file("src/wire/wire.def", &def);
	for (size_t i = 0; i < ARRAY_LEN(structs); i++)
		expect_members(structs[i][0], structs[i][1], &def);
	buf_release(&def);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
