#include "wire/codec.h"

static void
free_fetch_item(void *p)
{
	struct fetch_item *it = p;

	fetch_item_free(&it);
}

static void
free_delete_batch(void *p)
{
	struct delete_batch *b = p;

	delete_batch_free(&b);
}

static void
free_upload_note(void *p)
{
	struct upload_note *n = p;

	upload_note_free(&n);
}

#define MEMBER(s, m)	(((struct s *)0)->m)
/* Offset of a member. Compiling fails if the member has a type other than t. */
#define OFFSET(s, m, t) (offsetof(struct s, m) + 0 * sizeof(char[ \
	__builtin_types_compatible_p(__typeof__(MEMBER(s, m)), t) ? 1 : -1]))
#define PLAIN(k, s, m, t) \
	{ .kind = k, .name = #m, .at = OFFSET(s, m, t), \
	  .size = sizeof(MEMBER(s, m)) },
#define COUNT(s, c) \
	.count_at = offsetof(struct s, c), .count_size = sizeof(MEMBER(s, c))

#define RECORD(id, s)	static const struct wire_field fields_##id[] = {
#define U32(s, m)	PLAIN(KIND_U32, s, m, uint32_t)
#define U64(s, m)	PLAIN(KIND_U64, s, m, uint64_t)
#define I32(s, m)	PLAIN(KIND_I32, s, m, int32_t)
#define I64(s, m)	PLAIN(KIND_I64, s, m, int64_t)
#define BOOL(s, m)	PLAIN(KIND_BOOL, s, m, bool)
#define ENUM(s, m, end) \
	{ .kind = KIND_ENUM, .name = #m, .at = offsetof(struct s, m), \
	  .size = sizeof(MEMBER(s, m)), .most = end },
#define TEXT(s, m)	PLAIN(KIND_TEXT, s, m, char *)
#define TEXT_OR_NONE(s, m) PLAIN(KIND_TEXT_OR_NONE, s, m, char *)
#define TEXT_IN(s, m) \
	PLAIN(KIND_TEXT_IN, s, m, char[sizeof(MEMBER(s, m))])
#define BYTES(s, m) \
	PLAIN(KIND_BYTES, s, m, uint8_t[sizeof(MEMBER(s, m))])
#define HANDLE(s, m)	PLAIN(KIND_HANDLE, s, m, struct handle)
#define MD5S(s, m, c) \
	{ .kind = KIND_MD5S, .name = #m, .at = OFFSET(s, m, uint8_t *), \
	  .size = sizeof(void *), COUNT(s, c) },
#define INSIDE(s, m, r) \
	{ .kind = KIND_INSIDE, .name = #m, .at = offsetof(struct s, m), \
	  .size = sizeof(MEMBER(s, m)), .record = &record_##r },
#define OWNED(s, m, r, f) \
	{ .kind = KIND_OWNED, .name = #m, .at = offsetof(struct s, m), \
	  .size = sizeof(*MEMBER(s, m)), .record = &record_##r, .free_fn = f },
#define LIST(s, m, c, r, n) \
	{ .kind = KIND_LIST, .name = #m, .at = offsetof(struct s, m), \
	  .size = sizeof(*MEMBER(s, m)), COUNT(s, c), .most = n, \
	  .record = &record_##r },
#define WHEN(s, m)	PLAIN(KIND_WHEN, s, m, bool)
#define DONE(s, m)	PLAIN(KIND_DONE, s, m, bool)
#define END(id, s) \
	}; \
	static const struct wire_record record_##id = { .name = #id, \
	    .size = sizeof(struct s), .fields = fields_##id, \
	    .count = ARRAY_LEN(fields_##id) };
#include "wire/wire.def"

#define WIRE_DEF_MESSAGES
#define MESSAGE(n, id)	[WIRE_##n] = { .name = #n, .record = &record_##id },
const struct wire_message wire_messages[WIRE__MAX] = {
#include "wire/wire.def"
};

const char *
wire_type_name(enum wire_type type)
{
	return (unsigned)type < WIRE__MAX &&
	    wire_messages[type].name != NULL ? wire_messages[type].name : "?";
}

/* --- release --- */

static void
release_list(const struct wire_field *f, char *base);

static void
release_record(const struct wire_record *r, char *base)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct wire_field *f = &r->fields[i];
		char *p = base + f->at;

		switch (f->kind) {
		case KIND_TEXT:
		case KIND_TEXT_OR_NONE:
		case KIND_MD5S:
			free(wire_get_pointer(p));
			wire_set_pointer(p, NULL);
			break;
		case KIND_INSIDE:
			release_record(f->record, p);
			break;
		case KIND_OWNED:
			f->free_fn(wire_get_pointer(p));
			wire_set_pointer(p, NULL);
			break;
		case KIND_LIST:
			release_list(f, base);
			break;
		default:
			break;
		}
	}
}

static void
release_list(const struct wire_field *f, char *base)
{
	char *v = wire_get_pointer(base + f->at);
	size_t n = wire_get_number(base + f->count_at, f->count_size);

	for (size_t i = 0; v != NULL && i < n; i++)
		release_record(f->record, v + i * f->size);
	free(v);
	wire_set_pointer(base + f->at, NULL);
	wire_set_number(base + f->count_at, f->count_size, 0);
}

void
wire_msg_release(struct wire_msg *m)
{
	const struct wire_record *r = NULL;

	if ((unsigned)m->type < WIRE__MAX)
		r = wire_messages[m->type].record;
	/* These wipe secrets. */
	if (m->type == WIRE_SETUP)
		setup_release(&m->u.setup);
	else if (m->type == WIRE_KEYS)
		keys_release(&m->u.keys.keys);
	else if (r != NULL)
		release_record(r, wire_content(m));
	memset(m, 0, sizeof(*m));
}
