#include <ctype.h>
#include <limits.h>

#include "crypto/crypto.h"
#include "dest/dest.h"
#include "model/path.h"

#define SCHEME "nfs://"
#define HOST_MAX_LEN 255

static int
refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_USAGE, 0, "nfs://SERVER[:PORT]/PATH: %s", why);
}

/* --- server and port --- */

static int
parse_port(struct str text, unsigned *ret_port, struct err *err)
{
	unsigned port = 0;

	if (text.len == 0 || text.len > 5)
		return refuse(err, "the port must be from 1 to 65535");
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.p[i]))
			return refuse(err,
			    "the port must be from 1 to 65535");
		port = port * 10 + (unsigned)(text.p[i] - '0');
	}
	if (port == 0 || port > 65535)
		return refuse(err, "the port must be from 1 to 65535");
	*ret_port = port;
	return 0;
}

/* Check for letters, digits and the extra characters of names and addresses. */
static bool
is_host(struct str host, const char *others)
{
	for (size_t i = 0; i < host.len; i++)
		if (!isalnum((unsigned char)host.p[i]) &&
		    (host.p[i] == '\0' ||
		    strchr(others, host.p[i]) == NULL))
			return false;
	return host.len > 0 && host.len <= HOST_MAX_LEN;
}

/* SERVER, SERVER:PORT, [ADDRESS] or [ADDRESS]:PORT */
static int
parse_server(struct str text, struct dest_url *u, struct err *err)
{
	struct str host = text, rest = { text.p + text.len, 0 };
	const char *end;

	if (text.len > 0 && text.p[0] == '[') {
		end = memchr(text.p, ']', text.len);
		if (end == NULL)
			return refuse(err, "the address lacks its ]");
		host = (struct str){ text.p + 1,
		    (size_t)(end - text.p) - 1 };
		rest = (struct str){ end + 1,
		    (size_t)(text.p + text.len - end) - 1 };
		if (!is_host(host, ":.%-_"))
			return refuse(err, "no address stands in the []");
	} else {
		end = memchr(text.p, ':', text.len);
		if (end != NULL) {
			host.len = (size_t)(end - text.p);
			rest = (struct str){ end, text.len - host.len };
		}
		if (rest.len > 1 && memchr(rest.p + 1, ':', rest.len - 1) !=
		    NULL)
			return refuse(err,
			    "an IPv6 address stands in brackets");
		if (!is_host(host, ".-_"))
			return refuse(err, "no server is named so");
	}
	if (rest.len > 0) {
		if (rest.p[0] != ':')
			return refuse(err, "what follows the ] is no port");
		rest.p++;
		rest.len--;
		if (parse_port(rest, &u->port, err) == -1)
			return -1;
	}
	u->server = xstrndup(host.p, host.len);
	return 0;
}

/* --- path --- */

/* %XX into bytes. */
static int
decode(struct str text, char *to, size_t *ret_len, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.p[i] == '?')
			return refuse(err, "there are no ?options, settings "
			    "stand in [fs_config]; a ? of a name is %3F");
		if (text.p[i] != '%') {
			to[n++] = text.p[i];
			continue;
		}
		high = i + 2 < text.len ? hex_value(text.p[i + 1]) : -1;
		low = high == -1 ? -1 : hex_value(text.p[i + 2]);
		if (low == -1)
			return refuse(err, "after a % two hex digits follow; "
			    "a % of a name is %25");
		to[n++] = (char)(high * 16 + low);
		i += 2;
	}
	*ret_len = n;
	return memchr(to, '\0', n) == NULL ? 0 :
	    refuse(err, "no path has a NUL");
}

/* Keep a single slash between components, none at the end. */
static int
normalise(const char *from, size_t len, char *to, struct err *err)
{
	const char *end = from + len;
	size_t n = 0;

	while (from < end) {
		const char *slash = memchr(from, '/', (size_t)(end - from));
		struct str part = { from, (size_t)((slash == NULL ? end :
		    slash) - from) };

		from += part.len + 1;
		if (part.len == 0)
			continue;
		if (path_name_is_dot(part))
			return refuse(err, "the path has . or .. in it");
		if (part.len > PATH_NAME_MAX)
			return refuse(err, "a name in the path is too long");
		to[n++] = '/';
		memcpy(to + n, part.p, part.len);
		n += part.len;
	}
	if (n == 0)
		to[n++] = '/';
	to[n] = '\0';
	return 0;
}

int
dest_url(const char *text, struct dest_url *u, struct err *err)
{
	const char *p = text + strlen(SCHEME), *slash;
	char bytes[PATH_MAX], path[PATH_MAX + 2];
	size_t len = 0;

	memset(u, 0, sizeof(*u));
	if (strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
		return 0;
	slash = strchr(p, '/');
	if (slash == NULL)
		return refuse(err, "the path is missing");
	if (strlen(slash) >= PATH_MAX)
		return refuse(err, "the path is too long");
	if (decode(str_of(slash), bytes, &len, err) == -1 ||
	    normalise(bytes, len, path, err) == -1 ||
	    parse_server((struct str){ p, (size_t)(slash - p) }, u, err) ==
	    -1)
		return -1;
	u->path = xstrdup(path);
	return 1;
}

void
dest_url_release(struct dest_url *u)
{
	free(u->server);
	free(u->path);
	memset(u, 0, sizeof(*u));
}
