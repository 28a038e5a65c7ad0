/* credential_process: a program prints keys. It is run without a shell. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "creds/creds_internal.h"
#include "json/jval.h"

#define WORDS_MAX	64
#define LIMIT_MS	60000
#define TURN_MS		50	/* how often to look at stop */

/* Cut the command into words, in its own memory: blanks separate, double and
 * single quotes hold together, a backslash outside of single quotes takes the
 * next character as it is. Return the number of words; 0: none, too many, or an
 * open quote. */
static size_t
split(char *command, char **words)
{
	char *in = command, *out = command, quote = '\0';
	size_t n = 0;
	bool inside = false;

	for (; *in != '\0'; in++) {
		bool blank = *in == ' ' || *in == '\t';

		if (quote == '\0' && blank) {
			if (inside)
				*out++ = '\0';
			inside = false;
			continue;
		}
		if (!inside) {
			if (n == WORDS_MAX)
				return 0;
			words[n++] = out;
			inside = true;
		}
		if (quote == *in) {
			quote = '\0';
		} else if (quote == '\0' && (*in == '"' || *in == '\'')) {
			quote = *in;
		} else if (*in == '\\' && quote != '\'' && in[1] != '\0') {
			*out++ = *++in;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	words[n] = NULL;
	return quote == '\0' ? n : 0;
}

/* The environment of this process, but for keys. */
static char **
make_environment(void)
{
	static const char *const secret[] = { "AWS_ACCESS_KEY_ID=",
	    "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=" };
	size_t n = 0, kept = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = xcalloc(n + 1, sizeof(*env));
	for (size_t i = 0; i < n; i++) {
		bool keep = true;

		for (size_t j = 0; j < ARRAY_LEN(secret); j++)
			keep = keep && strncmp(environ[i], secret[j],
			    strlen(secret[j])) != 0;
		if (keep)
			env[kept++] = environ[i];
	}
	return env;
}

static int
start(char **words, int out, pid_t *ret_pid)
{
	AUTOFREE char **env = make_environment();
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int rc;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	rc = posix_spawnp(ret_pid, words[0], &files, &attr, words, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

/* Read until the program closes its output. */
static int
read_all(struct creds_ask *a, int fd, struct buf *out, struct err *err)
{
	uint64_t end = clock_mono_ms() + LIMIT_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char chunk[4096];
	ssize_t n;

	for (;;) {
		if (a->stop != NULL && atomic_load(a->stop))
			return err_set(err, ERR_STOPPED, 0, "stopped");
		if (clock_mono_ms() >= end)
			return err_set(err, ERR_RETRY, 0, "did not end within "
			    "%d s", LIMIT_MS / 1000);
		if (poll(&p, 1, TURN_MS) <= 0)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return 0;
		if (n == -1 && errno != EINTR)
			return err_errno(err, ERR_RESOURCE, errno, "read");
		if (n > 0 && buf_add(out, chunk, (size_t)n) == -1)
			return err_set(err, ERR_PEER, 0, "prints more than "
			    "%zu bytes", HTTP_ANSWER_MAX);
		explicit_bzero(chunk, sizeof(chunk));
	}
}

static int
run(struct creds_ask *a, char **words, struct buf *out, struct err *err)
{
	CLEANUP(close_fd) int from = -1;
	CLEANUP(close_fd) int to = -1;
	int fds[2], no, status = 0, rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_errno(err, ERR_RESOURCE, errno, "pipe");
	from = fds[0];
	to = fds[1];
	no = start(words, to, &pid);
	close_fd(&to);
	to = -1;
	if (no != 0)
		return err_errno(err, ERR_CONFIG, no, "%s", words[0]);
	rc = read_all(a, from, out, err);
	if (rc == -1)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (rc == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		rc = err_set(err, ERR_DENIED, 0, "%s: exit status %d",
		    words[0], WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return rc;
}

static bool
is_version_1(struct str text)
{
	struct jval *root = NULL;
	bool is;

	if (jval_parse(text, "answer", &root, NULL) == -1)
		return false;
	is = jval_get(root, "Version") != NULL &&
	    jval_int(jval_get(root, "Version")) == 1;
	jval_free(&root);
	return is;
}

int
creds_from_process(struct creds_ask *a, const char *command, struct keys *k,
    struct err *err)
{
	static const struct creds_json form = { .access_key = "AccessKeyId",
	    .secret_key = "SecretAccessKey", .session_token = "SessionToken",
	    .expiration = "Expiration" };
	CLEANUP(http_wipe) struct buf out;
	AUTOFREE char *own = xstrdup(command);
	char *words[WORDS_MAX + 1];

	buf_init(&out, HTTP_ANSWER_MAX);
	if (split(own, words) == 0)
		return err_set(err, ERR_CONFIG, 0, "credential_process: write "
		    "a program and its arguments");
	if (run(a, words, &out, err) == -1)
		return err_wrap(err, "credential_process");
	if (!is_version_1(buf_str(&out)))
		return err_set(err, ERR_PEER, 0, "credential_process: %s does "
		    "not print JSON with \"Version\": 1", words[0]);
	return creds_take_json(k, buf_str(&out), &form, "credential_process",
	    err) == -1 ? -1 : 1;
}
