/*
 * hosts.c: what a run on several hosts needs: the master's ports and
 * key, each client, each DSS target. Hosts are asked several at once, and
 * said in the order of the settings.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/version.h"
#include "check/check_internal.h"
#include "compact/compact_internal.h"
#include "crypto/crypto.h"
#include "launch/launch.h"
#include "wire/wire.h"

#define AT_ONCE		16U	/* as a run logs in */
#define AGAIN_MS	30000	/* how long a busy sshd is asked again */
#define PAUSE_MS	500
#define ANSWER_MS	30000	/* of a program there */
#define OUTPUT_MAX	(64 * KIB)

struct answer {
	bool	 done;
	const char *subject;
	struct err err;		/* NONE: message is good news */
	const char *todo;
	char	 message[200];
};

struct hosts {
	const struct conf *conf;
	void	(*look)(const struct conf *, size_t, struct answer *);
	size_t	 count;
	struct answer *answers;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t	 next;		/* locked, and done of the answers */
};

/* --- several at once --- */

static void *
look_at_some(void *arg)
{
	struct hosts *h = arg;
	size_t i;

	pthread_mutex_lock(&h->lock);
	while (h->next < h->count) {
		i = h->next++;
		pthread_mutex_unlock(&h->lock);
		h->look(h->conf, i, &h->answers[i]);
		pthread_mutex_lock(&h->lock);
		h->answers[i].done = true;
		pthread_cond_broadcast(&h->changed);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static void
say(struct check *c, const char *area, const struct answer *a)
{
	if (a->err.kind == ERR_NONE)
		check_say(c, CHECK_OK, area, a->subject, NULL, "%s",
		    a->message);
	else
		check_say(c, CHECK_FAIL, area, a->subject, a->todo, "%s",
		    a->err.msg);
}

static void
await(struct hosts *h, size_t i)
{
	pthread_mutex_lock(&h->lock);
	while (!h->answers[i].done)
		pthread_cond_wait(&h->changed, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

static void
look_at_all(struct check *c, const char *area, size_t count,
    void (*look)(const struct conf *, size_t, struct answer *))
{
	struct hosts h = { .conf = c->conf, .look = look, .count = count,
	    .answers = xcalloc(count, sizeof(*h.answers)) };
	pthread_t threads[AT_ONCE];
	unsigned n = 0;

	pthread_mutex_init(&h.lock, NULL);
	pthread_cond_init(&h.changed, NULL);
	while (n < AT_ONCE && n < count && pthread_create(&threads[n], NULL,
	    look_at_some, &h) == 0)
		n++;
	if (n == 0)
		(void)look_at_some(&h);
	for (size_t i = 0; i < count; i++) {
		await(&h, i);
		say(c, area, &h.answers[i]);
	}
	while (n > 0)
		pthread_join(threads[--n], NULL);
	pthread_cond_destroy(&h.changed);
	pthread_mutex_destroy(&h.lock);
	free(h.answers);
}

/* --- one host --- */

static const char *
login_todo(const struct err *err)
{
	if (err->code == EAI_AGAIN)
		return "is its name right, does the name server answer?";
	switch (err->kind) {
	case ERR_UNREACHABLE:
		return "is its name right, is it up, does sshd run there, "
		    "does a firewall let us through?";
	case ERR_RETRY:
		return "is it overloaded? see also MaxStartups in its "
		    "sshd_config";
	default:
		return "see user_id, identity_file, password_file and "
		    "known_hosts in [client]";
	}
}

/* An sshd that closes the connection before the login, as it does when too
 * many come at once, is asked again, as a run does. */
static struct ssh *
log_in(const struct conf *conf, const char *name, struct err *err)
{
	uint64_t end_ms = clock_mono_ms() + AGAIN_MS;
	struct ssh_config sc = { .user = conf->client.user_id,
	    .password = conf->client.password,
	    .identity_file = conf->client.identity_file,
	    .known_hosts = conf->client.known_hosts };
	struct ssh *s = NULL;
	char host[256];

	if (launch_parse_host(name, host, sizeof(host), &sc.port, err) == -1)
		return NULL;
	sc.host = host;
	while (ssh_open(&s, &sc, err) == -1) {
		if (err->kind != ERR_RETRY || clock_mono_ms() >= end_ms)
			return NULL;
		(void)poll(NULL, 0, PAUSE_MS);
	}
	err_clear(err);
	return s;
}

/* Run argv on the host. Standard output goes to out, standard error to errs,
 * the exit status to *ret_status. */
static int
ask(struct ssh *s, const char *const *argv, struct buf *out, struct buf *errs,
    int *ret_status, struct err *err)
{
	uint64_t end_ms = clock_mono_ms() + ANSWER_MS;
	int rc;

	if (ssh_exec(s, argv, err) == -1 || ssh_send_eof(s, err) == -1)
		return -1;
	do {
		if (clock_mono_ms() >= end_ms)
			return err_set(err, ERR_RETRY, 0, "%s: no answer "
			    "within %d s", argv[0], ANSWER_MS / 1000);
		rc = ssh_wait(s, 500, out, errs, OUTPUT_MAX / 2, ret_status,
		    err);
	} while (rc == 1);
	return rc;
}

/* Return the last line that begins with start; a shell may have greeted
 * before that line. */
static struct str
line_with(const struct buf *b, const char *start)
{
	struct str rest = buf_str(b), found = STR("");
	size_t len = strlen(start);

	while (rest.len > 0) {
		const char *end = memchr(rest.p, '\n', rest.len);
		size_t n = end == NULL ? rest.len : (size_t)(end - rest.p);

		if (n > len && memcmp(rest.p, start, len) == 0)
			found = (struct str){ rest.p, n };
		n = MIN(n + 1, rest.len);
		rest = (struct str){ rest.p + n, rest.len - n };
	}
	return found;
}

static void
judge_version(struct answer *a, const char *path, int status,
    const struct buf *out, const struct buf *errs)
{
	static const char ours[] = "datamover " DATAMOVER_VERSION;
	struct str line = line_with(out, "datamover ");
	char text[100];

	a->todo = "install version " DATAMOVER_VERSION " there, or set path "
	    "in [client]";
	if (status == 127 || status == 126) {
		str_escape(line_with(errs, ""), text, sizeof(text));
		err_set(&a->err, ERR_CONFIG, 0, "%s %s%s%s", path,
		    status == 127 ? "is not there" : "cannot be run",
		    text[0] == '\0' ? "" : ": ", text);
	} else if (status == 0 && line.len == 0) {
		err_set(&a->err, ERR_PEER, 0, "%s --version prints no version "
		    "of datamover", path);
	} else if (status != 0) {
		str_escape(line_with(errs, ""), text, sizeof(text));
		err_set(&a->err, ERR_PEER, 0, "%s --version ended with exit "
		    "status %d%s%s", path, status,
		    text[0] == '\0' ? "" : ": ", text);
	} else if (!str_eq(line, STR(ours))) {
		str_escape(line, text, sizeof(text));
		err_set(&a->err, ERR_PEER, 0, "%s is %s, the master is %s",
		    path, text, ours);
	} else {
		snprintf(a->message, sizeof(a->message), "login, and %s there",
		    ours);
	}
}

static void
look_at_client(const struct conf *conf, size_t i, struct answer *a)
{
	const char *argv[] = { conf->client.path, "--version", NULL };
	const char *host = conf->client.hosts.v[i];
	struct ssh *s = log_in(conf, host, &a->err);
	struct buf out CLEANUP(buf_release);
	struct buf errs CLEANUP(buf_release);
	int status = -1;

	a->subject = host;
	buf_init(&out, OUTPUT_MAX);
	buf_init(&errs, OUTPUT_MAX);
	if (s == NULL) {
		a->todo = login_todo(&a->err);
	} else if (ask(s, argv, &out, &errs, &status, &a->err) == -1) {
		a->todo = "see the log of its sshd";
	} else {
		judge_version(a, conf->client.path, status, &out, &errs);
	}
	ssh_close(&s);
}

static void
look_at_target(const struct conf *conf, size_t i, struct answer *a)
{
	size_t count;

	a->subject = conf->dss_targets[i].host;
	if (compact_target_look(conf, &conf->dss_targets[i], &count,
	    &a->err) == 0) {
		snprintf(a->message, sizeof(a->message), "login, dss_rpc.py "
		    "is there, %zu subsystem%s to compact", count,
		    count == 1 ? "" : "s");
		return;
	}
	if (a->err.kind == ERR_PEER || a->err.kind == ERR_GONE)
		a->todo = "see installation_path in [dss_targets], and nqn of "
		    "this target";
	else
		a->todo = login_todo(&a->err);
}

/* --- the master --- */

static void
check_port(struct check *c, const char *name, unsigned port)
{
	static const char anybody[] = "all addresses";
	const char *address = c->conf->master.host_or_ip_address;
	AUTOFREE char *at = xasprintf("%s %u", name, port);
	struct wire_listener *l = NULL;
	struct err err = ERR_INIT;
	uint8_t key[TLS_KEY_LEN];

	random_bytes(key, sizeof(key));
	if (wire_listen(&l, address, port, key, &err) == -1)
		check_say(c, CHECK_FAIL, "master", at, "is a run going on? "
		    "see datamover status, ss -tlnp, port_index and "
		    "port_status in [message] and host_or_ip_address in "
		    "[master]", "%s", err.msg);
	else
		check_say(c, CHECK_OK, "master", at, NULL,
		    "clients can be listened for on %s",
		    address == NULL ? anybody : address);
	wire_listen_free(&l);
}

static void
check_key_file(struct check *c, const char *path)
{
	AUTOFREE char *dir = path_parent(path);
	struct err err = ERR_INIT;
	uint8_t key[TLS_KEY_LEN];

	if (access(path, F_OK) == -1 && errno == ENOENT) {
		if (access(dir, W_OK | X_OK) == 0)
			check_say(c, CHECK_OK, "master", path, NULL,
			    "the first run makes this key");
		else
			check_say(c, CHECK_FAIL, "master", path,
			    "make the directory writable, or set key_file "
			    "in [master]", "it is not there, and can't be "
			    "made: %s", strerror(errno));
		return;
	}
	if (key_file_read(path, key, &err) == -1)
		check_say(c, CHECK_FAIL, "master", path, "it must be readable "
		    "for its owner, and hold one key; without the file a run "
		    "makes it", "%s", err.msg);
	else
		check_say(c, CHECK_OK, "master", path, NULL,
		    "the key of those who join can be read");
	explicit_bzero(key, sizeof(key));
}

void
check_hosts(struct check *c)
{
	const struct conf *conf = c->conf;

	if (conf->client.hosts.n > 0 || conf->master.key_file != NULL) {
		check_port(c, "port_index", conf->message.port_index);
		check_port(c, "port_status", conf->message.port_status);
	}
	if (conf->master.key_file != NULL)
		check_key_file(c, conf->master.key_file);
	look_at_all(c, "client", conf->client.hosts.n, look_at_client);
	if (conf->general.compaction)
		look_at_all(c, "target", conf->dss_target_count,
		    look_at_target);
}
