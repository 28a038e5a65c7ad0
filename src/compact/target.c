#include <ctype.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include "base/clock.h"
#include "compact/compact_internal.h"
#include "json/jval.h"
#include "launch/launch.h"
#include "ssh/ssh.h"

#define SCRIPT		"scripts/dss_rpc.py"
#define SOCKET		"/var/run/spdk.sock"
#define COMMAND_MS	60000	/* one command */
#define POLL_FIRST_MS	1000
#define POLL_MAX_MS	10000
#define TRIES		5	/* of a connection, of asking after one */
#define OUTPUT_MAX	(256 * KIB)
#define NQN_MAX		223	/* as NVMe says */

struct subsystem {
	const char *nqn;
	bool	 running;
	unsigned missed;	/* answers, one after the other */
	uint64_t start_ms;
};

struct work {
	struct compact_target *c;
	struct ssh *ssh;	/* or NULL */
	char	*script;
	bool	 sudo;
	struct strlist found;
	const struct strlist *nqns;
	struct subsystem *v;	/* of each */
	size_t	 running;
	uint64_t deadline_ms;
	unsigned tries;		/* to connect, since it worked last */
};

/* --- what programs print --- */

int
compact_answer(struct str text, char *word, size_t len, struct err *err)
{
	struct jval *root = NULL;
	const char *start, *end, *result;
	int rc = -1;

	start = text.len == 0 ? NULL : memchr(text.p, '{', text.len);
	end = text.len == 0 ? NULL : memrchr(text.p, '}', text.len);
	if (start != NULL && end != NULL && end > start &&
	    jval_parse((struct str){ start, (size_t)(end - start) + 1 },
	    "answer", &root, NULL) == 0) {
		result = jval_string(jval_get(root, "result"));
		if (result != NULL && *result != '\0') {
			str_escape(str_of(result), word, len);
			rc = 0;
		}
	}
	jval_free(&root);
	return rc == 0 ? 0 : err_set(err, ERR_PEER, 0,
	    "the answer has no result");
}

bool
compact_nqn_is_sane(const char *nqn)
{
	size_t len = strlen(nqn);

	if (len == 0 || len > NQN_MAX || nqn[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (nqn[i] <= ' ' || nqn[i] > '~')
			return false;
	return true;
}

static bool
is_of_host(const char *nqn, const char *host)
{
	const char *last = strrchr(nqn, ':');
	size_t n = strcspn(host, ".");

	/* "host1" is not "host10". */
	return last != NULL && n > 0 && strncmp(last + 1, host, n) == 0 &&
	    !isalnum((unsigned char)last[1 + n]);
}

void
compact_find(struct str text, const char *host, struct strlist *out)
{
	static const char mark[] = "NQN=";
	const char *p = text.p, *end = text.p + text.len;

	for (;;) {
		char nqn[NQN_MAX + 1];
		size_t n = 0;

		p = memmem(p, (size_t)(end - p), mark, sizeof(mark) - 1);
		if (p == NULL)
			return;
		p += sizeof(mark) - 1;
		while (p + n < end && n < NQN_MAX && p[n] > ' ' && p[n] <= '~')
			n++;
		memcpy(nqn, p, n);
		nqn[n] = '\0';
		if (is_of_host(nqn, host) && compact_nqn_is_sane(nqn))
			strlist_add(out, nqn);
		p += n;
	}
}

/* --- saying it --- */

static void
say(struct work *w, const char *nqn, enum compaction_state state,
    uint64_t start_ms, const struct err *err)
{
	struct compaction_mail *m = xcalloc(1, sizeof(*m));

	m->mail.type = MAIL_COMPACTION;
	snprintf(m->c.target, sizeof(m->c.target), "%s", w->c->t->host);
	snprintf(m->c.nqn, sizeof(m->c.nqn), "%s", nqn);
	m->c.state = state;
	m->c.seconds = (double)(clock_mono_ms() - start_ms) / 1000;
	if (err != NULL)
		snprintf(m->c.reason, sizeof(m->c.reason), "%s", err->msg);
	mailbox_put(w->c->up, &m->mail);
}

static void
end_one(struct work *w, struct subsystem *s, const struct err *err)
{
	if (s->running)
		w->running--;
	s->running = false;
	say(w, s->nqn, err == NULL ? COMPACTION_DONE : COMPACTION_FAILED,
	    s->start_ms, err);
}

/* --- the connection --- */

static int
in_time(const struct work *w, struct err *err)
{
	if (*w->c->stop)
		return err_set(err, ERR_STOPPED, 0, "stopped");
	if (clock_mono_ms() >= w->deadline_ms)
		return err_set(err, ERR_RETRY, 0, "not idle within %u s "
		    "(compaction_timeout)",
		    w->c->conf->dss_compaction_timeout);
	return 0;
}

static int
pause_ms(const struct work *w, uint64_t ms, struct err *err)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end) {
		if (in_time(w, err) == -1)
			return -1;
		(void)poll(NULL, 0, (int)MIN(end - clock_mono_ms() + 1,
		    (uint64_t)100));
	}
	return in_time(w, err);
}

static int
connect_once(struct work *w, struct err *err)
{
	const struct conf *c = w->c->conf;
	struct ssh_config sc = {
		.user = c->client.user_id,
		.password = c->client.password,
		.identity_file = c->client.identity_file,
		.known_hosts = c->client.known_hosts,
		.stop = w->c->stop,
	};
	char host[256];

	if (launch_parse_host(w->c->t->host, host, sizeof(host), &sc.port,
	    err) == -1)
		return -1;
	sc.host = host;
	return ssh_open(&w->ssh, &sc, err);
}

static int
connected(struct work *w, struct err *err)
{
	if (in_time(w, err) == -1)
		return -1;
	while (w->ssh == NULL) {
		if (connect_once(w, err) == 0)
			break;
		if (err->kind != ERR_RETRY || ++w->tries >= TRIES)
			return err_wrap(err, "ssh");
		if (pause_ms(w, w->tries * 1000, err) == -1)
			return -1;
	}
	w->tries = 0;
	return 0;
}

/* --- commands --- */

/* Return the last line of the output of a failed command: the reason of the
 * failure. */
static const char *
last_line(const struct buf *b, char *out, size_t len)
{
	size_t end = b->len, start;

	while (end > 0 && isspace((unsigned char)b->data[end - 1]))
		end--;
	for (start = end; start > 0 && b->data[start - 1] != '\n';)
		start--;
	return str_escape((struct str){ b->data == NULL ? "" : b->data + start,
	    end - start }, out, len);
}

static int
run_command(struct work *w, const char *const *argv, struct buf *out,
    struct buf *errs, int *ret_status, struct err *err)
{
	uint64_t end = clock_mono_ms() + COMMAND_MS;
	int rc;

	if (ssh_exec(w->ssh, argv, err) == -1 ||
	    ssh_send_eof(w->ssh, err) == -1)
		return -1;
	do {
		if (clock_mono_ms() >= end)
			return err_set(err, ERR_RETRY, 0, "%s: no answer "
			    "within %d s", argv[0], COMMAND_MS / 1000);
		rc = ssh_wait(w->ssh, 500, out, errs, OUTPUT_MAX / 2,
		    ret_status, err);
	} while (rc == 1);
	return rc;
}

/* Run a command and put the output into out; PEER if the command fails. Any
 * other error is an error of the connection, which is closed. */
static int
ask(struct work *w, const char *const *argv, struct buf *out, struct err *err)
{
	struct buf errs;
	char line[150];
	int status = -1, rc;

	if (connected(w, err) == -1)
		return -1;
	buf_init(&errs, OUTPUT_MAX);
	rc = run_command(w, argv, out, &errs, &status, err);
	if (rc == -1)
		ssh_close(&w->ssh);
	else if (status != 0)
		rc = err_set(err, ERR_PEER, 0, "%s ended with exit status %d"
		    "%s%s", strrchr(argv[0], '/') == NULL ? argv[0] :
		    strrchr(argv[0], '/') + 1, status, errs.len > 0 ? ": " :
		    "", last_line(&errs, line, sizeof(line)));
	buf_release(&errs);
	return rc;
}

static int
rpc(struct work *w, const char *nqn, bool get_status, char *word, size_t len,
    struct err *err)
{
	const char *argv[] = { "sudo", "-n", w->script, "-s", SOCKET,
	    "rdb_compact", "-n", nqn, get_status ? "--get_status" : NULL,
	    NULL };
	struct buf out;
	int rc;

	buf_init(&out, OUTPUT_MAX);
	rc = ask(w, argv + (w->sudo ? 0 : 2), &out, err);
	if (rc == 0)
		rc = compact_answer(buf_str(&out), word, len, err);
	buf_release(&out);
	return rc;
}

/* --- one target --- */

static int
find_nqns(struct work *w, struct err *err)
{
	static const char *const name[] = { "uname", "-n", NULL };
	const char *list[] = { "sudo", "-n", "nvme", "list-subsys", NULL };
	struct buf host, text;
	int rc;

	buf_init(&host, OUTPUT_MAX);
	buf_init(&text, OUTPUT_MAX);
	rc = ask(w, name, &host, err);
	if (rc == 0 && host.len == 0)
		rc = err_set(err, ERR_PEER, 0, "uname -n printed nothing: "
		    "name the subsystems in nqn");
	if (rc == 0)
		rc = ask(w, list + (w->sudo ? 0 : 2), &text, err);
	if (rc == 0) {
		host.data[strcspn(host.data, "\r\n")] = '\0';
		compact_find(buf_str(&text), host.data, &w->found);
		w->nqns = &w->found;
		if (w->found.n == 0)
			rc = err_set(err, ERR_GONE, 0, "nvme list-subsys "
			    "shows no subsystem of this host: name them in "
			    "nqn");
	}
	buf_release(&host);
	buf_release(&text);
	return rc;
}

static void
start_one(struct work *w, struct subsystem *s)
{
	struct err err = ERR_INIT;
	char word[64];

	s->start_ms = clock_mono_ms();
	if (!compact_nqn_is_sane(s->nqn))
		err_set(&err, ERR_CONFIG, 0, "this is not an NQN");
	else if (rpc(w, s->nqn, false, word, sizeof(word), &err) == 0 &&
	    strcmp(word, "STARTED") != 0)
		err_set(&err, ERR_PEER, 0, "it was not started: %s", word);
	if (err.kind != ERR_NONE) {
		end_one(w, s, &err);
		return;
	}
	s->running = true;
	w->running++;
	say(w, s->nqn, COMPACTION_RUNNING, s->start_ms, NULL);
}

static bool
means_failure(const char *word)
{
	return strcasestr(word, "fail") != NULL ||
	    strcasestr(word, "error") != NULL;
}

static void
look_at_one(struct work *w, struct subsystem *s)
{
	struct err err = ERR_INIT;
	char word[64];

	if (rpc(w, s->nqn, true, word, sizeof(word), &err) == -1) {
		/* The target goes on with the compaction, even if the status
		 * can't be read. */
		if (++s->missed >= TRIES || err.kind == ERR_DENIED ||
		    in_time(w, NULL) == -1)
			end_one(w, s, &err);
		return;
	}
	s->missed = 0;
	if (strcmp(word, "IDLE") == 0) {
		end_one(w, s, NULL);
	} else if (means_failure(word)) {
		err_set(&err, ERR_PEER, 0, "the target says %s", word);
		end_one(w, s, &err);
	}
}

static void
await_all(struct work *w)
{
	uint64_t wait_ms = POLL_FIRST_MS;
	struct err err = ERR_INIT;

	while (w->running > 0) {
		if (pause_ms(w, wait_ms, &err) == -1)
			break;
		for (size_t i = 0; i < w->nqns->n; i++)
			if (w->v[i].running)
				look_at_one(w, &w->v[i]);
		wait_ms = MIN(wait_ms + wait_ms / 4, (uint64_t)POLL_MAX_MS);
	}
	for (size_t i = 0; i < w->nqns->n; i++)
		if (w->v[i].running)
			end_one(w, &w->v[i], &err);
}

static bool
login_is_root(const struct conf *c)
{
	const char *user = c->client.user_id;

	return user == NULL ? geteuid() == 0 : strcmp(user, "root") == 0;
}

static void
work(struct work *w)
{
	uint64_t start_ms = clock_mono_ms();
	struct err err = ERR_INIT;

	if (connected(w, &err) == -1) {
		for (size_t i = 0; i < w->nqns->n; i++)
			say(w, w->nqns->v[i], COMPACTION_FAILED, start_ms,
			    &err);
		if (w->nqns->n == 0)
			say(w, "", COMPACTION_FAILED, start_ms, &err);
		return;
	}
	if (w->nqns->n == 0 && find_nqns(w, &err) == -1) {
		say(w, "", COMPACTION_FAILED, start_ms, &err);
		return;
	}
	w->v = xcalloc(w->nqns->n, sizeof(*w->v));
	for (size_t i = 0; i < w->nqns->n; i++) {
		w->v[i].nqn = w->nqns->v[i];
		start_one(w, &w->v[i]);
	}
	await_all(w);
	free(w->v);
}

/* May this login run the script? sudo -l runs nothing. */
static int
look_for_script(struct work *w, struct err *err)
{
	const char *there[] = { "test", "-f", w->script, NULL };
	const char *allowed[] = { "sudo", "-n", "-l", w->script, NULL };
	struct buf out;
	int rc;

	buf_init(&out, OUTPUT_MAX);
	rc = ask(w, there, &out, err);
	if (rc == -1 && err->kind == ERR_PEER)
		err_set(err, ERR_PEER, 0, "%s is not there", w->script);
	if (rc == 0 && w->sudo)
		rc = ask(w, allowed, &out, err);
	buf_release(&out);
	return rc;
}

int
compact_target_look(const struct conf *conf, const struct conf_dss_target *t,
    size_t *ret_count, struct err *err)
{
	static const _Atomic bool never;
	struct compact_target c = { .conf = conf, .t = t, .stop = &never };
	struct work w = { .c = &c, .nqns = &t->nqns,
	    .sudo = !login_is_root(conf),
	    .script = xasprintf("%s/" SCRIPT, conf->dss_installation_path),
	    .deadline_ms = UINT64_MAX };
	int rc;

	rc = look_for_script(&w, err);
	if (rc == 0 && t->nqns.n == 0)
		rc = find_nqns(&w, err);
	*ret_count = w.nqns->n;
	for (size_t i = 0; rc == 0 && i < w.nqns->n; i++)
		if (!compact_nqn_is_sane(w.nqns->v[i]))
			rc = err_set(err, ERR_PEER, 0, "'%s' is not an NQN",
			    w.nqns->v[i]);
	ssh_close(&w.ssh);
	free(w.script);
	strlist_clear(&w.found);
	return rc;
}

void *
compact_target_main(void *arg)
{
	struct compact_target *c = arg;
	struct work w = { .c = c, .nqns = &c->t->nqns,
	    .sudo = !login_is_root(c->conf),
	    .script = xasprintf("%s/" SCRIPT, c->conf->dss_installation_path),
	    .deadline_ms = clock_mono_ms() +
	    (uint64_t)c->conf->dss_compaction_timeout * 1000 };
	struct mail *m = xcalloc(1, sizeof(*m));

	work(&w);
	ssh_close(&w.ssh);
	free(w.script);
	strlist_clear(&w.found);
	m->type = MAIL_COMPACTED;
	mailbox_put(c->up, m);
	return NULL;
}
