/*
 * What the tests of dest/dest.h share: a temporary directory with a destination
 * "to" in it and a place "away" outside of it, bytes that follow from their
 * offset, and calls that must succeed. The program stands in the directory.
 */
#ifndef KIT_DEST_H
#define KIT_DEST_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dest/posix_internal.h"

extern struct dest *dest;

void dest_kit_write(const char *path, const char *text);

/* The file has these bytes and no more. */
void dest_kit_expect(const char *path, const void *bytes, size_t len);

bool dest_kit_is_there(const char *path);

/* The temporary name of a file in a directory, with the directory. */
const char *dest_kit_temp(const char *dir, const char *name);

/* Bytes that differ from range to range and from seed to seed. */
void dest_kit_fill(uint8_t *p, uint64_t offset, size_t len, unsigned seed);

int dest_kit_setup(void **state);
int dest_kit_teardown(void **state);

/* Leave nothing of the test before. */
int dest_kit_empty(void **state);

struct dest_file *dest_kit_begin(const char *rel, uint64_t size, uint64_t range,
    const char *etag);

enum err_kind dest_kit_refuses(const char *rel, uint64_t size,
    uint64_t range, const char *text);

/* Write the range and say that it is whole. */
void dest_kit_range(struct dest_file *f, uint32_t index, unsigned seed);

void dest_kit_commit(struct dest_file **f);

/* The whole way, with this text. */
void dest_kit_put(const char *rel, const char *text);

/* Run fn in a child and give its exit status, or 1000 + signal. */
int dest_kit_child(void (*fn)(void *), void *arg);

#endif
