/*
 * signals.h: SIGINT and SIGTERM as readable events of a single descriptor of
 * the process.
 */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include "base/err.h"

/* Block the signals that stop a run, and ignore the signals raised by a failed
 * write. Returns the descriptor for SIGINT and SIGTERM, or -1. Call this
 * function once in the process, before any thread starts. */
int	 signals_block(struct err *) MUST_USE;
/* True if a signal has arrived and waits to be read. For code that waits for
 * a server while no loop reads the descriptor; such code ends with
 * ERR_STOPPED. Any thread. */
bool	 signals_waiting(void);
/* As signals_waiting, but wait for a signal until the time is over. */
bool	 signals_wait(int timeout_ms);
/* Read the next signal from the descriptor; 0 if none waits. */
int	 signals_next(int fd);

#endif
