/* The invitation of a client, and the file with a run's key. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "launch/launch.h"

#define KEY_TEXT	64	/* base64 of TLS_KEY_LEN bytes */

enum field {
	F_ADDRESS = 0,
	F_PORT_INDEX,
	F_PORT_STATUS,
	F_CLIENT,
	F_KEY,			/* up to here each is a must */
	F_RETRY_DELAY,
	F_GIVE_UP,
	F__MAX
};

static const char *const names[F__MAX] = {
	"address", "port_index", "port_status", "client", "key", "retry_delay",
	"give_up"
};

/* Exactly 64 characters. */
static bool
key_decode(const char *text, uint8_t key[TLS_KEY_LEN])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t group = 0;
	size_t out = 0;

	for (size_t i = 0; i < KEY_TEXT; i++) {
		const char *p = text[i] == '\0' ? NULL :
		    strchr(digits, text[i]);

		if (p == NULL)
			return false;
		group = group << 6 | (uint32_t)(p - digits);
		if (i % 4 == 3) {
			key[out++] = (uint8_t)(group >> 16);
			key[out++] = (uint8_t)(group >> 8);
			key[out++] = (uint8_t)group;
			group = 0;
		}
	}
	return true;
}

static void
add_text(struct buf *b, enum field f, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	(void)buf_addf(b, "%s ", names[f]);
	(void)buf_add_escaped(b, str_of(value));
	(void)buf_addch(b, '\n');
}

static void
add_number(struct buf *b, enum field f, unsigned value)
{
	if (value > 0)
		(void)buf_addf(b, "%s %u\n", names[f], value);
}

void
invite_write(struct buf *b, const struct invite *v)
{
	char key[KEY_TEXT + 1];

	base64_encode(v->key, sizeof(v->key), key);
	(void)buf_addstr(b, "datamover-invite 1\n");
	add_text(b, F_ADDRESS, v->address);
	add_number(b, F_PORT_INDEX, v->port_index);
	add_number(b, F_PORT_STATUS, v->port_status);
	add_number(b, F_CLIENT, v->client);
	(void)buf_addf(b, "%s %s\n", names[F_KEY], key);
	add_number(b, F_RETRY_DELAY, v->retry_delay_s);
	add_number(b, F_GIVE_UP, v->give_up_s);
	(void)buf_addch(b, '\n');
	explicit_bzero(key, sizeof(key));
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo buf_add_escaped for a text without NUL; return NULL if malformed. */
static char *
unescape(struct str s)
{
	char *out = xmalloc(s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\\' && i + 1 < s.len && s.p[i + 1] == '\\') {
			i++;
		} else if (c == '\\' && i + 3 < s.len &&
		    s.p[i + 1] == 'x' && hex_digit(s.p[i + 2]) != -1 &&
		    hex_digit(s.p[i + 3]) != -1) {
			c = (unsigned char)(hex_digit(s.p[i + 2]) * 16 +
			    hex_digit(s.p[i + 3]));
			i += 3;
			if (c == '\0')
				break;
		} else if (c == '\\' || c < 0x20) {
			c = '\0';
			break;
		}
		out[n++] = (char)c;
		out[n] = '\0';
		if (i + 1 == s.len)
			return out;
	}
	explicit_bzero(out, n);
	free(out);
	return NULL;
}

static bool
read_number(struct str s, uint32_t max, unsigned *ret)
{
	uint64_t n = 0;

	if (s.len == 0 || s.len > 10 || s.p[0] == '0')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = (unsigned)n;
	return n <= max;
}

static bool
read_text(struct str s, char **ret)
{
	*ret = unescape(s);
	return *ret != NULL;
}

static bool
read_field(struct invite *v, enum field f, struct str s)
{
	switch (f) {
	case F_ADDRESS:
		return read_text(s, &v->address);
	case F_PORT_INDEX:
		return read_number(s, 65535, &v->port_index);
	case F_PORT_STATUS:
		return read_number(s, 65535, &v->port_status);
	case F_CLIENT:
		return read_number(s, INT32_MAX, &v->client);
	case F_KEY:
		return s.len == KEY_TEXT && key_decode(s.p, v->key);
	case F_RETRY_DELAY:
		return read_number(s, INT32_MAX, &v->retry_delay_s);
	case F_GIVE_UP:
		return read_number(s, INT32_MAX, &v->give_up_s);
	case F__MAX:
	default:
		return false;
	}
}

/* Return the next line without its newline; false after the last line. */
static bool
next_line(struct str *rest, struct str *line)
{
	const char *end = rest->len == 0 ? NULL :
	    memchr(rest->p, '\n', rest->len);

	if (end == NULL)
		return false;
	*line = (struct str){ rest->p, (size_t)(end - rest->p) };
	rest->p += line->len + 1;
	rest->len -= line->len + 1;
	return true;
}

static enum field
field_of(struct str line, struct str *value)
{
	for (unsigned f = 0; f < F__MAX; f++) {
		size_t n = strlen(names[f]);

		if (line.len > n && line.p[n] == ' ' &&
		    memcmp(line.p, names[f], n) == 0) {
			*value = (struct str){ line.p + n + 1,
			    line.len - n - 1 };
			return (enum field)f;
		}
	}
	return F__MAX;
}

static int
read_lines(struct invite *v, struct str rest, struct err *err)
{
	bool seen[F__MAX] = { false };
	struct str line, value = STR("");

	if (!next_line(&rest, &line) ||
	    !str_eq(line, STR("datamover-invite 1")))
		return err_set(err, ERR_CONFIG, 0, "this is no invitation "
		    "that this version knows");
	for (;;) {
		enum field f;

		if (!next_line(&rest, &line))
			return err_set(err, ERR_CONFIG, 0,
			    "the invitation is cut short");
		if (line.len == 0)
			break;
		/* The line itself may hold a secret. */
		f = field_of(line, &value);
		if (f == F__MAX)
			return err_set(err, ERR_CONFIG, 0,
			    "the invitation has a line of another version");
		if (seen[f] || !read_field(v, f, value))
			return err_set(err, ERR_CONFIG, 0,
			    "the invitation's %s is wrong", names[f]);
		seen[f] = true;
	}
	for (unsigned f = 0; f <= F_KEY; f++)
		if (!seen[f])
			return err_set(err, ERR_CONFIG, 0,
			    "the invitation has no %s", names[f]);
	if (rest.len > 0)
		return err_set(err, ERR_CONFIG, 0,
		    "something follows the invitation");
	return 0;
}

int
invite_read(struct invite *v, struct str text, struct err *err)
{
	memset(v, 0, sizeof(*v));
	if (read_lines(v, text, err) == 0)
		return 0;
	invite_release(v);
	return -1;
}

void
invite_release(struct invite *v)
{
	free_secret(&v->address);
	explicit_bzero(v, sizeof(*v));
}

int
key_file_read(const char *path, uint8_t key[TLS_KEY_LEN], struct err *err)
{
	char text[KEY_TEXT + 2];
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK);
	struct stat st;
	ssize_t n;
	bool ok;

	if (fd == -1 || fstat(fd, &st) == -1)
		return err_errno(err, ERR_CONFIG, errno, "key file %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, 0,
		    "key file %s is not a file", path);
	if ((st.st_mode & 077) != 0)
		return err_set(err, ERR_CONFIG, 0,
		    "key file %s is open to others: chmod 600", path);
	n = read(fd, text, sizeof(text));
	ok = (n == KEY_TEXT || (n == KEY_TEXT + 1 && text[KEY_TEXT] == '\n'));
	ok = ok && key_decode(text, key);
	explicit_bzero(text, sizeof(text));
	if (!ok)
		return err_set(err, ERR_CONFIG, 0, "key file %s does not hold "
		    "one line of %d characters in base64", path, KEY_TEXT);
	return 0;
}

/* A new file that nobody sees half-written. */
static int
write_key(const char *path, const char *text, struct err *err)
{
	AUTOFREE char *own = xasprintf("%s.%ld.new", path, (long)getpid());
	int fd = open(own, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok;
	int no;

	if (fd == -1)
		return err_errno(err, ERR_CONFIG, errno, "key file %s", own);
	ok = write(fd, text, KEY_TEXT + 1) == KEY_TEXT + 1 && fsync(fd) == 0;
	no = errno;
	if (close(fd) == 0 && ok) {
		/* If another process made the file first, use the key in the
		 * file. */
		ok = link(own, path) == 0 || errno == EEXIST;
		no = errno;
	}
	(void)unlink(own);
	return ok ? 0 : err_errno(err, ERR_CONFIG, no, "key file %s", path);
}

int
key_file_make(const char *path, uint8_t key[TLS_KEY_LEN], struct err *err)
{
	char text[KEY_TEXT + 2];
	int rc;

	if (access(path, F_OK) == 0)
		return key_file_read(path, key, err);
	random_bytes(key, TLS_KEY_LEN);
	base64_encode(key, TLS_KEY_LEN, text);
	text[KEY_TEXT] = '\n';
	rc = write_key(path, text, err);
	explicit_bzero(text, sizeof(text));
	return rc == 0 ? key_file_read(path, key, err) : -1;
}
