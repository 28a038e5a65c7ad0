#include <limits.h>

#include "crypto/crypto.h"
#include "dest/dest_internal.h"
#include "model/key.h"
#include "model/path.h"

#define TEMP_HEAD	".datamover-"
#define TEMP_TAIL	".part"
#define TEMP_HASH_BYTES	8

void
dest_temp_name(struct str name, char out[DEST_TEMP_LEN + 1])
{
	uint8_t hash[SHA256_LEN];
	char hex[2 * TEMP_HASH_BYTES + 1];

	sha256(name.p, name.len, hash);
	hex_encode(hash, TEMP_HASH_BYTES, hex);
	snprintf(out, DEST_TEMP_LEN + 1, TEMP_HEAD "%s" TEMP_TAIL, hex);
}

/* Could dest_temp_name return this name? */
static bool
is_temp_name(struct str name)
{
	if (name.len != DEST_TEMP_LEN || !str_starts(name, STR(TEMP_HEAD)) ||
	    !str_ends(name, STR(TEMP_TAIL)))
		return false;
	for (size_t i = sizeof(TEMP_HEAD) - 1;
	    i < name.len - (sizeof(TEMP_TAIL) - 1); i++)
		if (memchr("0123456789abcdef", name.p[i], 16) == NULL)
			return false;
	return true;
}

static const char *
component_fault(struct str part, bool last)
{
	if (part.len == 0)
		return last ? "ends in a slash: a directory, not a file" :
		    "has an empty component";
	if (path_name_is_dot(part))
		return "has a component \".\" or \"..\"";
	if (part.len > PATH_NAME_MAX)
		return "has a component of more than 255 bytes";
	/* Such a name may be the temporary name of a file being fetched. */
	if (is_temp_name(part))
		return "has a name kept for files that are being fetched";
	return NULL;
}

static const char *
path_fault(struct str rel)
{
	if (rel.len == 0)
		return "is empty";
	if (rel.p[0] == '/')
		return "is absolute";
	if (memchr(rel.p, '\0', rel.len) != NULL)
		return "has a NUL byte";
	if (rel.len >= PATH_MAX)
		return "is too long for a path";
	for (;;) {
		const char *slash = memchr(rel.p, '/', rel.len);
		struct str part = rel;
		const char *fault;

		if (slash != NULL)
			part.len = (size_t)(slash - rel.p);
		fault = component_fault(part, slash == NULL);
		if (fault != NULL || slash == NULL)
			return fault;
		rel.p += part.len + 1;
		rel.len -= part.len + 1;
	}
}

int
dest_path_check(struct str rel, struct err *err)
{
	const char *fault = path_fault(rel);

	if (fault == NULL)
		return 0;
	return err_set(err, ERR_INVALID, 0,
	    "can't be a file below the destination: the path %s", fault);
}

int
dest_path(struct buf *out, struct str key, struct err *err)
{
	size_t before = out->len;
	struct str rel;

	if (key_to_path(out, key) == -1)
		return err_set(err, ERR_INVALID, 0,
		    "can't be a file below the destination: "
		    "the path is too long");
	rel = buf_str(out);
	rel.p += before;
	rel.len -= before;
	if (!key_is_of_path(key, rel) && !str_eq(key, rel))
		return err_set(err, ERR_INVALID, 0,
		    "can't be a file below the destination: the key holds "
		    "escapes for a name that has another key (see KEYS in "
		    "datamover(1)); give the object another key");
	return dest_path_check(rel, err);
}
