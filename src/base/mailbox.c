#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mailbox.h"

struct mailbox {
	int	 fd;
	size_t	 limit;
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct {
		struct mail *head;
		struct mail **tail;
		size_t	 count;
	} locked;
};

struct mailbox *
mailbox_new(size_t limit)
{
	struct mailbox *m = xcalloc(1, sizeof(*m));

	m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->fd == -1) {
		fputs("datamover: no descriptor left for a mailbox\n", stderr);
		abort();
	}
	m->limit = limit;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->room, NULL);
	m->locked.tail = &m->locked.head;
	return m;
}

void
mailbox_free(struct mailbox **mp)
{
	struct mailbox *m = *mp;

	if (m == NULL)
		return;
	close_fd(&m->fd);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->room);
	free(m);
	*mp = NULL;
}

static void
ring(const struct mailbox *m)
{
	uint64_t one = 1;

	/* EAGAIN: the descriptor is readable already. */
	if (write(m->fd, &one, sizeof(one)) == -1)
		return;
}

void
mailbox_put(struct mailbox *m, struct mail *mail)
{
	pthread_mutex_lock(&m->lock);
	while (m->limit > 0 && m->locked.count >= m->limit)
		pthread_cond_wait(&m->room, &m->lock);
	mail->next = NULL;
	*m->locked.tail = mail;
	m->locked.tail = &mail->next;
	if (m->locked.count++ == 0)
		ring(m);
	pthread_mutex_unlock(&m->lock);
}

struct mail *
mailbox_take(struct mailbox *m)
{
	struct mail *head;
	uint64_t n;

	pthread_mutex_lock(&m->lock);
	head = m->locked.head;
	m->locked.head = NULL;
	m->locked.tail = &m->locked.head;
	m->locked.count = 0;
	if (read(m->fd, &n, sizeof(n)) == -1)
		n = 0;		/* EAGAIN: nobody rang */
	pthread_cond_broadcast(&m->room);
	pthread_mutex_unlock(&m->lock);
	return head;
}

struct mail *
mailbox_wait(struct mailbox *m, int timeout_ms)
{
	struct pollfd pfd = { .fd = m->fd, .events = POLLIN };
	struct mail *head = mailbox_take(m);

	if (head != NULL || timeout_ms == 0)
		return head;
	if (poll(&pfd, 1, timeout_ms) == -1)
		return NULL;
	return mailbox_take(m);
}

int
mailbox_fd(const struct mailbox *m)
{
	return m->fd;
}
