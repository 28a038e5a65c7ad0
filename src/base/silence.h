/*
 * silence.h: names a server that does not answer. After 5 s without a sign of
 * life while somebody waits for it, a line of the log (people see it too) names
 * the server, and another one tells when it answers again. One struct for each
 * server and process: what one connection hears counts for all.
 *
 * Life cycle: silence_of, as long as the process lives. All functions may be
 * called by any thread, without a lock. A thread that can't look, because it
 * hangs elsewhere, blames nobody.
 */
#ifndef BASE_SILENCE_H
#define BASE_SILENCE_H

#include "base/base.h"

struct silence;

/* The server of this name, "S3 http://host:9000", made at its first use. */
struct silence *silence_of(const char *name);
/* A request is sent, or a connection is tried. */
void	 silence_begin(struct silence *, uint64_t now_ms);
/* The request is over: answered, even by a refusal, or given up. */
void	 silence_end(struct silence *, bool answered, uint64_t now_ms);
/* The server sends or takes bytes, or this program holds bytes back (bwlimit,
 * a source that is slow): the server is not silent. */
void	 silence_heard(struct silence *, uint64_t now_ms);
/* Call about once a second while requests are open or wait to be sent again:
 * tells of the silence. */
void	 silence_look(struct silence *, uint64_t now_ms);

/* The directory at this path, whose calls hang while the server behind it does
 * not answer: the main thread looks. */
struct silence *silence_of_directory(const char *path);
/* Look at all directories. */
void	 silence_watch(uint64_t now_ms);
/* Call a function that may hang because of a directory, in this thread, while
 * another one looks. */
void	 silence_call(void (*fn)(void *), void *arg);

#endif
