/*
 * jsontext.h: text as a JSON string, for JSON written by hand: log lines, the
 * last line of a run, one line a key. Pure; any thread.
 */
#ifndef BASE_JSONTEXT_H
#define BASE_JSONTEXT_H

#include "base/buf.h"

/* Append s with its quotes. Valid UTF-8 stays unchanged, control characters
 * become \uNNNN, a byte outside valid UTF-8 becomes U+FFFD. */
int	 buf_add_json(struct buf *, struct str);

#endif
