/*
 * ask.h: a question to the person at the terminal.
 */
#ifndef RUN_ASK_H
#define RUN_ASK_H

#include "base/base.h"

/* Somebody is there to be asked: input and messages are a terminal. */
bool	 ask_can(void);
/* Prints the text to standard error and reads a line: true if it is "yes".
 * Signals of the descriptor end the waiting: they are left in it. */
bool	 ask_yes(const char *text, int signals);

#endif
