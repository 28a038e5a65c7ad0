/* Logging in: by a key of the agent or of a file, or by password. */
#include <errno.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ssh/ssh_internal.h"

#define AGENT_LIMIT_MS	3000
#define PROMPT_ROUNDS	4

struct login {
	struct ssh *s;
	const struct ssh_config *c;
	struct buf tried;	/* for the message */
	bool	 some;		/* the server took one thing, wants more */
};

static void
note(struct login *l, const char *what, const char *result)
{
	(void)buf_addf(&l->tried, "%s%s: %s", l->tried.len > 0 ? "; " : "",
	    what, result);
}

/* Return the result of a method: 1 logged in, 0 try further methods, -1
 * error. */
static int
came_to(struct login *l, int rc, const char *what, struct err *err)
{
	switch (rc) {
	case SSH_AUTH_SUCCESS:
		return 1;
	case SSH_AUTH_PARTIAL:
		l->some = true;
		note(l, what, "accepted, but not enough");
		return 0;
	case SSH_AUTH_DENIED:
		note(l, what, "refused");
		return 0;
	default:
		break;
	}
	/* One possible cause: too many login attempts for this server. */
	(void)ssh_fault(l->s, ERR_DENIED, "login", err);
	if (l->tried.len > 0)
		(void)err_wrap(err, "%s", l->tried.data);
	return -1;
}

/*
 * libssh waits for the agent without a limit, and an agent forwarded over a
 * dead connection never answers. So ask the agent first, within a limit. Return
 * the number of the agent's keys, or -1 without an agent.
 */
static long
agent_keys(void)
{
	static const uint8_t request[5] = { 0, 0, 0, 1, 11 };
	struct timeval limit = { .tv_sec = AGENT_LIMIT_MS / 1000 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = getenv("SSH_AUTH_SOCK");
	uint8_t answer[9];
	size_t have = 0;
	int fd;

	if (path == NULL || *path == '\0' || strlen(path) >= sizeof(a.sun_path))
		return -1;
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    send(fd, request, sizeof(request), MSG_NOSIGNAL) ==
	    (ssize_t)sizeof(request)) {
		while (have < sizeof(answer)) {
			ssize_t n = recv(fd, answer + have,
			    sizeof(answer) - have, 0);

			if (n <= 0)
				break;
			have += (size_t)n;
		}
	}
	close(fd);
	if (have < sizeof(answer) || answer[4] != 12)
		return -1;
	return (long)answer[5] << 24 | (long)answer[6] << 16 |
	    (long)answer[7] << 8 | (long)answer[8];
}

static int
by_agent(struct login *l, struct err *err)
{
	long keys = agent_keys();
	int rc;

	if (keys <= 0) {
		note(l, "ssh agent", keys == 0 ? "has no keys" : "none");
		return 0;
	}
	for (;;) {
		rc = ssh_userauth_agent(l->s->session, NULL);
		if (rc != SSH_AUTH_AGAIN)
			break;
		if (ssh_turn(l->s, "login", err) == -1)
			return -1;
	}
	return came_to(l, rc, "ssh agent", err);
}

/* Called for an encrypted key; without this callback libssh asks at the
 * terminal. */
static int
no_passphrase(const char *prompt UNUSED, char *out UNUSED, size_t len UNUSED,
    int echo UNUSED, int verify UNUSED, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

static int
by_key(struct login *l, const char *path, ssh_key key, struct err *err)
{
	int rc;

	for (;;) {
		rc = ssh_userauth_publickey(l->s->session, NULL, key);
		if (rc != SSH_AUTH_AGAIN)
			break;
		if (ssh_turn(l->s, "login", err) == -1)
			return -1;
	}
	return came_to(l, rc, path, err);
}

static int
by_identity_file(struct login *l, struct err *err)
{
	const char *path = l->c->identity_file;
	bool encrypted = false;
	ssh_key key = NULL;
	int rc;

	if (access(path, R_OK) == -1)
		return err_errno(err, ERR_CONFIG, errno, "identity_file %s",
		    path);
	if (ssh_pki_import_privkey_file(path, NULL, no_passphrase, &encrypted,
	    &key) == SSH_OK) {
		rc = by_key(l, path, key, err);
		ssh_key_free(key);
		return rc;
	}
	if (!encrypted)
		return err_set(err, ERR_CONFIG, 0, "identity_file %s is not a "
		    "private key that libssh reads", path);
	rc = by_agent(l, err);
	if (rc != 0)
		return rc;
	return err_set(err, ERR_DENIED, 0, "identity_file is encrypted and no "
	    "key of an ssh agent was accepted (%s): ssh-add %s",
	    l->tried.len > 0 ? l->tried.data : "", path);
}

static int
by_usual_files(struct login *l, struct err *err)
{
	static const char *const names[] = { "id_ed25519", "id_ecdsa",
	    "id_rsa" };
	char home[512], path[600];

	ssh_home(home, sizeof(home));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool encrypted = false;
		ssh_key key = NULL;
		int rc;

		snprintf(path, sizeof(path), "%s/.ssh/%s", home, names[i]);
		rc = ssh_pki_import_privkey_file(path, NULL, no_passphrase,
		    &encrypted, &key);
		if (rc == SSH_EOF)
			continue;
		if (rc != SSH_OK) {
			note(l, names[i], encrypted ? "is encrypted" :
			    "cannot be read");
			continue;
		}
		rc = by_key(l, names[i], key, err);
		ssh_key_free(key);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
by_password(struct login *l, struct err *err)
{
	int rc;

	for (;;) {
		rc = ssh_userauth_password(l->s->session, NULL,
		    l->c->password);
		if (rc != SSH_AUTH_AGAIN)
			break;
		if (ssh_turn(l->s, "login", err) == -1)
			return -1;
	}
	return came_to(l, rc, "password", err);
}

/* Answer a single prompt without echo, once in a login, with the password.
 * Return -1 if the server asks for anything else. */
static int
answer_prompts(ssh_session session, const char *password, bool *answered)
{
	int count = ssh_userauth_kbdint_getnprompts(session);

	for (int i = 0; i < count; i++) {
		char echo = 1;

		if (ssh_userauth_kbdint_getprompt(session, (unsigned)i,
		    &echo) == NULL || echo || *answered)
			return -1;
		*answered = true;
		if (ssh_userauth_kbdint_setanswer(session, (unsigned)i,
		    password) != 0)
			return -1;
	}
	return 0;
}

static int
by_prompts(struct login *l, struct err *err)
{
	bool answered = false;
	int rc, rounds = 0;

	for (;;) {
		rc = ssh_userauth_kbdint(l->s->session, NULL, NULL);
		if (rc == SSH_AUTH_AGAIN) {
			if (ssh_turn(l->s, "login", err) == -1)
				return -1;
		} else if (rc != SSH_AUTH_INFO) {
			break;
		} else if (++rounds > PROMPT_ROUNDS ||
		    answer_prompts(l->s->session, l->c->password,
		    &answered) == -1) {
			note(l, "keyboard-interactive",
			    "asks for more than a password");
			return 0;
		}
	}
	return came_to(l, rc, "keyboard-interactive", err);
}

static int
by_keys(struct login *l, struct err *err)
{
	int rc;

	if (l->c->identity_file != NULL)
		return by_identity_file(l, err);
	rc = by_agent(l, err);
	return rc != 0 ? rc : by_usual_files(l, err);
}

/* With a password keys are used only where a server wants both. */
static int
try_all(struct login *l, struct err *err)
{
	unsigned done = 0;
	int rc = 0;

	while (rc == 0) {
		unsigned offered = ~done &
		    (unsigned)ssh_userauth_list(l->s->session, NULL);
		bool password = l->c->password != NULL;

		if (password && (offered & SSH_AUTH_METHOD_PASSWORD)) {
			done |= SSH_AUTH_METHOD_PASSWORD;
			rc = by_password(l, err);
		} else if (password &&
		    (offered & SSH_AUTH_METHOD_INTERACTIVE)) {
			done |= SSH_AUTH_METHOD_INTERACTIVE;
			rc = by_prompts(l, err);
		} else if ((offered & SSH_AUTH_METHOD_PUBLICKEY) &&
		    (!password || l->some || done == 0)) {
			done |= SSH_AUTH_METHOD_PUBLICKEY;
			rc = by_keys(l, err);
		} else {
			break;
		}
	}
	return rc;
}

static void
refused(struct login *l, struct err *err)
{
	static const struct { unsigned method; const char *name; } names[] = {
		{ SSH_AUTH_METHOD_PUBLICKEY, "publickey" },
		{ SSH_AUTH_METHOD_PASSWORD, "password" },
		{ SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive" },
		{ SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic" },
		{ SSH_AUTH_METHOD_HOSTBASED, "hostbased" }
	};
	unsigned offered = (unsigned)ssh_userauth_list(l->s->session, NULL);
	char *user = NULL;
	char list[80] = "";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t len = strlen(list);

		if (offered & names[i].method)
			snprintf(list + len, sizeof(list) - len, "%s%s",
			    len > 0 ? "," : "", names[i].name);
	}
	if (ssh_options_get(l->s->session, SSH_OPTIONS_USER, &user) != SSH_OK)
		user = NULL;
	err_set(err, ERR_DENIED, 0, "login as %s refused; the server "
	    "offers %s; tried %s", user == NULL ? "?" : user,
	    list[0] == '\0' ? "nothing" : list,
	    l->tried.len > 0 ? l->tried.data : "nothing");
	ssh_string_free_char(user);
}

int
ssh_login(struct ssh *s, const struct ssh_config *c, struct err *err)
{
	struct login l = { .s = s, .c = c };
	int rc;

	for (;;) {
		rc = ssh_userauth_none(s->session, NULL);
		if (rc != SSH_AUTH_AGAIN)
			break;
		if (ssh_turn(s, "login", err) == -1)
			return -1;
	}
	if (rc == SSH_AUTH_SUCCESS)
		return 0;
	/* The server may have closed the connection: too many logins. */
	if (rc == SSH_AUTH_ERROR)
		return ssh_fault(s, ERR_RETRY, "login", err);
	buf_init(&l.tried, 1024);
	rc = try_all(&l, err);
	if (rc == 0)
		refused(&l, err);
	buf_release(&l.tried);
	return rc == 1 ? 0 : -1;
}
