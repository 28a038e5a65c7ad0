#include "frame/who.h"

#include <pwd.h>
#include <unistd.h>

#include "base/version.h"
#include "crypto/crypto.h"

static void
fill_user(struct who *w)
{
	char text[4096];
	struct passwd p, *found = NULL;

	if (getpwuid_r(getuid(), &p, text, sizeof(text), &found) == 0 &&
	    found != NULL)
		str_escape(str_of(found->pw_name), w->user, sizeof(w->user));
	else
		snprintf(w->user, sizeof(w->user), "%ju",
		    (uintmax_t)getuid());
}

static void
hash_settings(const struct conf *c, uint8_t out[SHA256_LEN])
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		abort();
	conf_print(c, f, false, false);
	if (fclose(f) != 0)
		abort();
	sha256(text, len, out);
	free(text);
}

void
who_is_it(struct who *w, const struct conf *c)
{
	const char *sudo = getenv("SUDO_USER");

	memset(w, 0, sizeof(*w));
	fill_user(w);
	if (sudo != NULL && sudo[0] != '\0') {
		str_escape(str_of(sudo), w->sudo_user, sizeof(w->sudo_user));
		w->row.sudo_user = w->sudo_user;
	}
	if (gethostname(w->host, sizeof(w->host) - 1) == 0)
		w->row.host = w->host;
	w->row.user = w->user;
	w->row.version = DATAMOVER_VERSION;
	if (c != NULL)
		hash_settings(c, w->row.settings);
}
