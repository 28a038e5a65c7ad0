/*
 * conf_text.h: for the tests of conf/: load settings from a text. The file
 * is called t.conf or t.json in a directory of its own, and messages are
 * compared without that directory.
 */
#ifndef KIT_CONF_TEXT_H
#define KIT_CONF_TEXT_H

#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"

int text_setup(void **state);
char *text_path(const char *name);
int text_teardown(void **state);
void text_write(const char *name, struct str text, mode_t mode);
int text_load_bytes(struct conf *c, const char *name, struct str text,
    struct err *err);
int text_load(struct conf *c, const char *name, const char *text,
    struct err *err);

/* The message without the directory in front. */
const char *text_message(const struct err *err);

#endif
