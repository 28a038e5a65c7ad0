/*
 * ask.h: a question to the person at the terminal.
 */
#ifndef RUN_ASK_H
#define RUN_ASK_H

#include "base/base.h"

/* Somebody is there to be asked: input and messages are a terminal. */
bool	 ask_can(void);
/* Print the text to standard error and read a line: true if the line is
 * "yes". A signal of the descriptor ends the waiting and stays unread in the
 * descriptor. */
bool	 ask_yes(const char *text, int signals);

#endif
