/*
 * The addresses of a server. A name may have several addresses: of a single
 * host, where an address may be unserved (::1 beside 127.0.0.1), or of a
 * cluster whose nodes share the load and take over from each other.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "nfs/nfs.h"

#include "base/clock.h"

#define LOST_MS		60000	/* choose() avoids a lost address for this
				   time */
#define LOST_MAX	16	/* lost addresses remembered */

struct lost {
	char	 text[64];
	uint64_t until_ms;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lost lost_locked[LOST_MAX];
/* Rotates the first address, to spread the connections. */
static _Atomic unsigned turn;

static bool
is_lost(const char *text)
{
	uint64_t now = clock_mono_ms();
	bool lost = false;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < LOST_MAX; i++)
		if (lost_locked[i].until_ms > now &&
		    strcmp(lost_locked[i].text, text) == 0)
			lost = true;
	pthread_mutex_unlock(&lock);
	return lost;
}

/* Remember the lost address in the slot of the same address, or else in the
 * slot of the address lost longest ago. */
static void
set_lost(const char *text)
{
	struct lost *l = &lost_locked[0];

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < LOST_MAX; i++) {
		if (strcmp(lost_locked[i].text, text) == 0) {
			l = &lost_locked[i];
			break;
		}
		if (lost_locked[i].until_ms < l->until_ms)
			l = &lost_locked[i];
	}
	snprintf(l->text, sizeof(l->text), "%s", text);
	l->until_ms = clock_mono_ms() + LOST_MS;
	pthread_mutex_unlock(&lock);
}

static void
choose(struct nfs_addresses *a)
{
	unsigned first = atomic_fetch_add(&turn, 1);

	for (unsigned i = 0; i < a->count; i++) {
		a->at = (first + i) % a->count;
		if (!is_lost(tnfs_address(a)))
			return;
	}
	a->at = first % a->count;
}

int
tnfs_addresses_resolve(struct nfs_addresses *a, const char *server,
    struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int r = getaddrinfo(server, NULL, &hints, &list);
	size_t n = 0;

	if (r != 0)
		return err_set(err, ERR_UNREACHABLE, r,
		    "%s: cannot resolve the name: %s", server,
		    gai_strerror(r));
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
		n++;
	a->v = xcalloc(n, sizeof(*a->v));
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		char text[64];

		if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text,
		    sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
			a->v[a->count++] = xstrdup(text);
	}
	freeaddrinfo(list);
	if (a->count == 0)
		return err_set(err, ERR_UNREACHABLE, 0,
		    "%s: the name has no address", server);
	choose(a);
	return 0;
}

void
tnfs_addresses_copy(struct nfs_addresses *to,
    const struct nfs_addresses *from)
{
	*to = *from;
	to->v = xcalloc(from->count, sizeof(*to->v));
	for (unsigned i = 0; i < from->count; i++)
		to->v[i] = xstrdup(from->v[i]);
}

void
tnfs_addresses_release(struct nfs_addresses *a)
{
	for (unsigned i = 0; i < a->count; i++)
		free(a->v[i]);
	free(a->v);
	memset(a, 0, sizeof(*a));
}

const char *
tnfs_address(const struct nfs_addresses *a)
{
	return a->v[a->at];
}

void
tnfs_address_next(struct nfs_addresses *a, bool lost)
{
	if (a->count < 2)
		return;
	if (lost)
		set_lost(tnfs_address(a));
	a->at = (a->at + 1) % a->count;
}
