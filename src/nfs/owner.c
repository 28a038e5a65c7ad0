#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <unistd.h>

#include "model/attrs.h"
#include "nfs/owner.h"

#define NAMES_MAX	4096	/* remembered names of users, and of groups */
#define SLOTS		(2 * NAMES_MAX)
#define NAME_LEN	256
#define BUFFER_MAX	(1 * MIB)

struct name {
	char	*text;		/* NULL: a free slot */
	uint32_t number;
};

/* Remember every look-up: a crawl meets the same few names millions of times,
 * and a name service may be slow. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct name slots[SLOTS];
	size_t	 count;
} names_locked[2];		/* users, groups */

/* "-1" and the like are no numbers. */
static bool
is_number(struct str s, uint32_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0 || s.len > 10)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = v > UINT32_MAX ? OWNER_NONE : (uint32_t)v;
	return true;
}

/* Ask the host's user database; ERANGE: the buffer is too small. */
static int
ask(const char *name, bool is_group, char *buf, size_t size, uint32_t *ret)
{
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;
	int no = is_group ? getgrnam_r(name, &gr, buf, size, &group) :
	    getpwnam_r(name, &pw, buf, size, &user);

	*ret = OWNER_NONE;
	if (group != NULL)
		*ret = gr.gr_gid;
	if (user != NULL)
		*ret = pw.pw_uid;
	return no;
}

static uint32_t
look_up(const char *name, bool is_group)
{
	uint32_t number = OWNER_NONE;

	for (size_t size = 4 * KIB; size <= BUFFER_MAX; size *= 4) {
		AUTOFREE char *buf = xmalloc(size);

		if (ask(name, is_group, buf, size, &number) != ERANGE)
			break;
	}
	return number;
}

static uint32_t
find_locked(const char *name, bool is_group)
{
	size_t i = 5381;
	struct name *n;

	for (const char *p = name; *p != '\0'; p++)
		i = i * 33 + (unsigned char)*p;
	for (i %= SLOTS;; i = (i + 1) % SLOTS) {
		n = &names_locked[is_group].slots[i];
		if (n->text == NULL)
			break;
		if (strcmp(n->text, name) == 0)
			return n->number;
	}
	/* No honest server has more names; a server that invents names gets
	 * OWNER_NONE for further names. */
	if (names_locked[is_group].count == NAMES_MAX)
		return OWNER_NONE;
	names_locked[is_group].count++;
	n->text = xstrdup(name);
	n->number = look_up(name, is_group);
	return n->number;
}

uint32_t
owner_number(struct str text, bool is_group)
{
	const char *at = text.len == 0 ? NULL : memchr(text.p, '@', text.len);
	size_t len = at == NULL ? text.len : (size_t)(at - text.p);
	char name[NAME_LEN];
	uint32_t number;

	if (is_number(text, &number))
		return number;
	if (len == 0 || len >= sizeof(name) ||
	    memchr(text.p, '\0', len) != NULL)
		return OWNER_NONE;
	memcpy(name, text.p, len);
	name[len] = '\0';
	if (strcmp(name, "nobody") == 0 || strcmp(name, "nogroup") == 0)
		return OWNER_NONE;
	pthread_mutex_lock(&lock);
	number = find_locked(name, is_group);
	pthread_mutex_unlock(&lock);
	return number;
}
