/*
 * codec.h: the content of wire.def as tables, for the codec and for the test
 * that compares the tables with the manual.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include <assert.h>

#include "wire/wire.h"

/* Bytes in front of a frame's content: the length of the rest, and the type. */
#define WIRE_HEAD	5

enum wire_kind {
	KIND_U32 = 0,
	KIND_U64,
	KIND_I32,
	KIND_I64,
	KIND_BOOL,
	KIND_ENUM,
	KIND_TEXT,
	KIND_TEXT_OR_NONE,
	KIND_TEXT_IN,
	KIND_BYTES,
	KIND_HANDLE,
	KIND_MD5S,
	KIND_INSIDE,
	KIND_OWNED,
	KIND_LIST,
	KIND_WHEN,
	KIND_DONE
};

struct wire_record;
struct wire_field {
	enum wire_kind kind;
	const char *name;
	size_t	 at;		/* offset in the struct */
	size_t	 size;		/* size of the member */
	size_t	 count_at;	/* offset and size of the member that counts */
	size_t	 count_size;
	size_t	 most;		/* ENUM: end of the values; LIST: greatest
				   length, or 0 */
	const struct wire_record *record;
	void	(*free_fn)(void *);
};
struct wire_record {
	const char *name;
	size_t	 size;		/* size of the struct */
	const struct wire_field *fields;
	size_t	 count;
};

struct wire_message {
	const char *name;
	const struct wire_record *record;	/* NULL: no content */
};
/* Indexed by type, from WIRE_HELLO. */
extern const struct wire_message wire_messages[WIRE__MAX];

/* --- access to members of a struct by table --- */

/* Return the content of a message: all members of the union begin at the same
 * address. */
static inline void *
wire_content(const struct wire_msg *m)
{
	return (char *)(uintptr_t)&m->u;
}

static inline void *
wire_get_pointer(const char *member)
{
	void *p;

	memcpy(&p, member, sizeof(p));
	return p;
}

static inline void
wire_set_pointer(char *member, void *p)
{
	memcpy(member, &p, sizeof(p));
}

/* Read a number of the struct, of the width of its member. */
static inline uint64_t
wire_get_number(const char *member, size_t size)
{
	uint64_t n64;
	uint32_t n32;
	uint8_t n8;

	switch (size) {
	case 1:
		memcpy(&n8, member, 1);
		return n8;
	case 4:
		memcpy(&n32, member, 4);
		return n32;
	default:
		assert(size == 8);
		memcpy(&n64, member, 8);
		return n64;
	}
}

static inline void
wire_set_number(char *member, size_t size, uint64_t n)
{
	uint32_t n32 = (uint32_t)n;
	uint8_t n8 = (uint8_t)n;

	switch (size) {
	case 1:
		memcpy(member, &n8, 1);
		break;
	case 4:
		memcpy(member, &n32, 4);
		break;
	default:
		assert(size == 8);
		memcpy(member, &n, 8);
	}
}

#endif
