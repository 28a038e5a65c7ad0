/*
 * key.h: file name bytes <-> S3 key (and catalog path), pure and reversible.
 *
 * S3 keys are UTF-8. Bytes that are valid UTF-8 stay as they are; each byte
 * that is not part of a valid sequence becomes U+FFFD and two upper-case hex
 * digits, and each byte of a literal U+FFFD (EF BF BD) is written the same
 * way. Two names never meet in one key.
 */
#ifndef MODEL_KEY_H
#define MODEL_KEY_H

#include "base/buf.h"

#define KEY_MAX 1024		/* S3: at most 1,024 bytes of UTF-8 */

/* Append the key text for these name bytes (slashes are kept). */
int	 key_from_path(struct buf *, struct str path) MUST_USE;
/* Append the name bytes that this key text stands for. */
int	 key_to_path(struct buf *, struct str key) MUST_USE;
/* True if key_from_path writes this key text for these name bytes. Others write
 * keys that key_from_path never does: a U+FFFD without an escape, or escapes of
 * bytes that need none. Such a key stands for the name of another key. */
bool	 key_is_of_path(struct str key, struct str path);
/* A catalog path ("server/share/dir/name") without its server: the key when
 * server_as_prefix is no. Points into path; "" if nothing follows. */
const char *key_without_server(const char *path);
/* The key text of a catalog path. Points into path. */
const char *key_of_path(const char *path, bool server_as_prefix);
/* Return the name, below the root with this key text, that a key stands for.
 * NULL: of none. */
char	*key_name_below(const char *root, struct str key);

/* Append the key text for what somebody has written as the beginning of a key,
 * or as bytes of a path: those that aren't UTF-8 can only be of a path. */
int	 key_from_either(struct buf *, struct str) MUST_USE;

#endif
