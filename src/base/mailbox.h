/*
 * mailbox.h: messages from any number of threads to a single thread.
 *
 * A message starts with a struct mail (first member), so queueing needs no
 * allocation. The mailbox has a descriptor that polls readable when the mailbox
 * may hold messages; the reader takes every message with mailbox_take.
 * Ownership of a message passes to the mailbox with mailbox_put and to the
 * reader with mailbox_take.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include "base/base.h"

struct mail {
	struct mail *next;
	int	 type;
};

struct mailbox;

/* The mailbox holds at most limit waiting messages (0: no limit). */
struct mailbox *mailbox_new(size_t limit);
/* The mailbox must be empty and without a waiting writer. */
void	 mailbox_free(struct mailbox **);

/* Any thread. Waits while the mailbox is full. */
void	 mailbox_put(struct mailbox *, struct mail *);

/* Only for the reader's thread. Return the waiting messages, oldest first,
 * linked by next; NULL for an empty mailbox. Resets the descriptor. */
struct mail *mailbox_take(struct mailbox *);
/* As mailbox_take, but waits up to timeout_ms (-1: for ever) for a message. */
struct mail *mailbox_wait(struct mailbox *, int timeout_ms);
/* For poll(2): readable when messages wait. */
int	 mailbox_fd(const struct mailbox *);

#endif
