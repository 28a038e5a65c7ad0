/*
 * run.c: one run of the program: its command, what is to go wrong, its
 * answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model.h"
#include "preload.h"

#define ARGS_MAX	32
#define LIMIT_MS	120000	/* then it hangs */

/* What goes wrong in the next run. */
static struct {
	bool	 any;
	bool	 lie;
	char	 kill[64];
	char	 bad[256];
	char	 full[16];
	int	 during[FIELDS_MAX];
} bend;

void
bends_clear(void)
{
	memset(&bend, 0, sizeof(bend));
	store_settle();
	nfs_settle();
}

/* kind, nth, times, how */
void
play_bend(const int *v)
{
	store_bend(v[0], v[1] + 1, v[2] + 1, v[3] + 1);
	bend.any = true;
}

/* call, nth, how: before, after, SIGTERM before */
void
play_kill(const int *v)
{
	static const unsigned calls[] = { CALL_SEND, CALL_RECV, CALL_WRITE,
	    CALL_SYNC, CALL_OPEN, CALL_RENAME, CALL_CONNECT,
	    CALL_SEND | CALL_RECV | CALL_WRITE | CALL_OPEN };

	snprintf(bend.kill, sizeof(bend.kill), "%u:%d:%d:%d", calls[v[0]],
	    v[1] + 1, v[2] == 2 ? SIGTERM : SIGKILL, v[2] == 1);
	bend.any = true;
}

/* call, dir, name (the last: the directory), errno, first, count */
void
play_errno(const int *v)
{
	static const unsigned calls[] = { CALL_STAT, CALL_OPEN, CALL_LIST,
	    CALL_READ, CALL_STAT | CALL_OPEN };
	static const int codes[] = { EIO, ESTALE, EACCES, ENOTCONN,
	    ETIMEDOUT };
	const char *rel = v[2] == name_count() ? rel_dir(v[1]) :
	    rel_name(v[1], v[2]);

	snprintf(bend.bad, sizeof(bend.bad), "%u:tree%s%s:%d:%d:%d",
	    calls[v[0]], rel[0] == '\0' ? "" : "/", rel, codes[v[3]],
	    v[4] + 1, v[5]);
	bend.any = true;
}

/* nth: writes to the catalog until its disk is full */
void
play_full(const int *v)
{
	snprintf(bend.full, sizeof(bend.full), "%d", v[0] + 1);
	bend.any = true;
}

/* proc, nth, times, how */
void
play_nfs(const int *v)
{
	static const int procs[] = { 17, 0, 1, 3, 6, 4 };
	static const int hows[] = { 2, 5, 70, 13, 20, 10006, NFS_CLOSE,
	    NFS_NO_ATTRS, NFS_CUT };

	if (w.set.nfs == 0)
		return;
	nfs_bend(procs[v[0]], v[1] + 1, v[2] + 1, hows[v[3]]);
	bend.any = true;
	/* So often there is nobody left to ask. */
	bend.lie |= hows[v[3]] == NFS_CUT ||
	    (procs[v[0]] == 0 && hows[v[3]] == 2 && v[2] > 3);
}

static void
happen(void)
{
	play_during(bend.during);
}

/* nth request (nfs: or call), then as play_during says. The share itself is
 * exchanged later than at the first one, which may come before the program
 * looks at it. */
void
play_meanwhile(const int *v)
{
	bool share = v[1] == DURING_SHARE;

	memcpy(bend.during, v + 1, sizeof(bend.during) - sizeof(int));
	if (w.set.nfs != 0 && !share && v[5] != 0)
		nfs_during(v[0] + 1, happen);
	else
		store_during(MAX(v[0], share) + 1, happen);
}

/* --- the command --- */

struct args {
	size_t	 n;
	char	*a[ARGS_MAX];
};

static void
add(struct args *args, const char *text)
{
	if (args->n + 1 < ARGS_MAX)
		args->a[args->n++] = xstrdup(text);
}

static void
add_prefix(struct args *args, const struct run *r)
{
	AUTOFREE char *prefix = key_prefix(w.conf);
	AUTOFREE char *whole = xasprintf("%s%s/", prefix, rel_dir(r->prefix));

	if (r->prefix == 0)
		return;
	add(args, "--prefix");
	add(args, whole);
}

/* All names that a file may have in that directory. */
static void
add_from(struct args *args, const struct run *r)
{
	AUTOFREE char *path = xasprintf("%s/from", w.dir);
	AUTOFREE char *prefix = key_prefix(w.conf);
	FILE *f = fopen(path, "w");

	if (f == NULL)
		abort();
	for (int i = 0; i < name_count(); i++) {
		AUTOFREE char *in = tree_path(rel_name(r->from, i));

		if (access(in, F_OK) == 0)
			fprintf(f, "%s%s\n", prefix, rel_name(r->from, i));
	}
	fclose(f);
	add(args, "--files-from");
	add(args, path);
}

static void
add_put(struct args *args, const struct run *r)
{
	if (r->op == OP_MIRROR) {
		add(args, "--delete");
		add(args, "--max-delete");
		add(args, "100%");
		if (r->excluded)
			add(args, "--delete-excluded");
	}
	if (r->from != 0)
		add_from(args, r);
	else
		add_prefix(args, r);
	for (const char *const *o = filter_options(r->filter); *o != NULL; o++)
		add(args, *o);
	if (r->checksum)
		add(args, "--checksum");
	if (r->retry)
		add(args, "--retry-failed");
	if (r->adopt)
		add(args, "--adopt");
	if (r->accept)
		add(args, "--accept-filesystem");
	if (r->follow) {
		add(args, "--links");
		add(args, "follow");
	}
}

static void
add_question(struct args *args, const struct run *r)
{
	AUTOFREE char *prefix = key_prefix(w.conf);
	AUTOFREE char *below = xasprintf("%s%s%s", prefix, rel_dir(r->prefix),
	    r->prefix == 0 ? "" : "/");
	AUTOFREE char *sql = xasprintf("SELECT DISTINCT "
	    "hex(CAST(key AS BLOB)) "
	    "FROM as_of WHERE target LIKE '%%/%s' AND "
	    "substr(key, 1, length('%s')) = '%s'", conf_bucket(w.conf), below,
	    below);

	add(args, "--format");
	add(args, "tsv");
	add(args, sql);
}

static void
add_undone(struct args *args, const struct run *r)
{
	AUTOFREE char *run = xasprintf("%ld", r->undone);

	add(args, run);
	if (!r->dry)
		add(args, "--yes");
}

bool
run_asks_past(const struct run *r)
{
	return r->as_of[0] != '\0' || r->op == OP_UNDO;
}

static void
add_op(struct args *args, const struct run *r)
{
	static const char *const verbs[] = { "PUT", "PUT", "GET", "DEL",
	    "LIST", "TEST", "TEST", "sql", "undo" };
	static const char *const modes[] = { "head", "full", "sample=50%" };
	AUTOFREE char *out = xasprintf("%s/out", w.dir);

	add(args, verbs[r->op]);
	if (r->as_of[0] != '\0') {
		add(args, "--as-of");
		add(args, r->as_of);
	}
	if (r->op == OP_PUT || r->op == OP_MIRROR)
		add_put(args, r);
	else if (r->op == OP_ASK)
		add_question(args, r);
	else if (r->op == OP_UNDO)
		add_undone(args, r);
	else
		add_prefix(args, r);
	if (r->op == OP_ASK)
		return;
	if (r->op == OP_GET) {
		add(args, "--dest_path");
		add(args, out);
	} else if (r->op == OP_DEL) {
		add(args, "--yes");
	} else if (r->op == OP_TEST || r->op == OP_VERIFY) {
		add(args, "--data_integrity");
		add(args, "--mode");
		add(args, modes[r->mode]);
		if (r->op == OP_VERIFY)
			add(args, "--skip_upload");
	}
	if (r->dry)
		add(args, "--dryrun");
	if (r->op == OP_LIST)
		add(args, "--print0");
	else
		add(args, "--json");
	add(args, "--quiet");
}

static void
make_args(struct args *args, const struct run *r)
{
	AUTOFREE char *conf = xasprintf("%s/conf", w.dir);

	memset(args, 0, sizeof(*args));
	add(args, w.program);
	add_op(args, r);
	add(args, "--config");
	add(args, conf);
}

static void
free_args(struct args *args)
{
	for (size_t i = 0; i < args->n; i++)
		free(args->a[i]);
}

char *
run_text(const struct run *r)
{
	struct args args;
	struct buf b;

	memset(&args, 0, sizeof(args));
	add_op(&args, r);
	buf_init(&b, MIB);
	for (size_t i = 0; i < args.n; i++)
		buf_addf(&b, "%s%s", i == 0 ? "" : " ", args.a[i]);
	free_args(&args);
	return b.data;
}

/* --- the process --- */

static void
child_env(char *env[16])
{
	size_t n = 0;

	env[n++] = xasprintf("LD_PRELOAD=%s", w.preload);
	env[n++] = xasprintf("HOME=%s", w.dir);
	env[n++] = xstrdup("LC_ALL=C");
	env[n++] = xasprintf("MODEL_CLOCK=%ld", w.clock_s);
	if (bend.any)
		env[n++] = xstrdup("MODEL_FAST=20");
	if (w.set.coarse)
		env[n++] = xstrdup("MODEL_COARSE=1");
	if (bend.kill[0] != '\0')
		env[n++] = xasprintf("MODEL_KILL=%s", bend.kill);
	if (bend.bad[0] != '\0')
		env[n++] = xasprintf("MODEL_ERRNO=%s", bend.bad);
	if (bend.full[0] != '\0')
		env[n++] = xasprintf("MODEL_FULL=%s", bend.full);
	env[n] = NULL;
}

/* The program, loaded, from which all runs are forked; see preload.h. */
static struct {
	pid_t	 pid;
	int	 fd;
} nursery;

void
nursery_begin(void)
{
	char *env[] = { xasprintf("LD_PRELOAD=%s", w.preload),
	    xstrdup("MODEL_NURSERY=1"), NULL };
	char *args[] = { w.program, NULL };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1)
		abort();
	nursery.pid = fork();
	if (nursery.pid == -1)
		abort();
	if (nursery.pid == 0) {
		/* Two steps, as it may have that number. */
		int fd = fcntl(fds[1], F_DUPFD, NURSERY_FD + 1);

		if (fd == -1 || dup2(fd, NURSERY_FD) == -1)
			_exit(127);
		syscall(SYS_close_range, NURSERY_FD + 1U, ~0U, 0U);
		execve(args[0], args, env);
		_exit(127);
	}
	close(fds[1]);
	nursery.fd = fds[0];
	free(env[0]);
	free(env[1]);
}

void
nursery_end(void)
{
	close(nursery.fd);
	waitpid(nursery.pid, NULL, 0);
}

static int
nursery_number(void)
{
	int n;

	if (recv(nursery.fd, &n, sizeof(n), 0) != sizeof(n)) {
		fprintf(stderr, "model: %s doesn't start\n", w.program);
		exit(2);
	}
	return n;
}

static void
add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text) + 1);
}

/* A process of the program. */
static pid_t
start(const struct args *args, char *const *env, const char *out,
    const char *err)
{
	struct buf b CLEANUP(buf_release);
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", w.uid);
	buf_init(&b, NURSERY_MAX);
	add_text(&b, uid);
	add_text(&b, out);
	add_text(&b, err);
	for (size_t i = 0; i < args->n; i++)
		add_text(&b, args->a[i]);
	add_text(&b, "");
	for (size_t i = 0; env[i] != NULL; i++)
		add_text(&b, env[i]);
	if (send(nursery.fd, b.data, b.len, 0) != (ssize_t)b.len)
		abort();
	return nursery_number();
}

/* Its wait status; one that doesn't end is killed, which is a breach. */
static int
wait_for(pid_t pid)
{
	struct pollfd p = { .fd = nursery.fd, .events = POLLIN };
	int status;

	if (poll(&p, 1, LIMIT_MS) == 0) {
		breach(0, "the run doesn't end");
		kill(pid, SIGKILL);
	}
	status = nursery_number();
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) :
	    WEXITSTATUS(status);
}

static void
take_file(const char *path, struct buf *b)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char data[8192];
	ssize_t n;

	while (fd != -1 && (n = read(fd, data, sizeof(data))) > 0)
		buf_add(b, data, (size_t)n);
}

static long
figure(const char *line, const char *name)
{
	AUTOFREE char *want = xasprintf("\"%s\":", name);
	const char *p = strstr(line, want);

	return p == NULL ? 0 : strtol(p + strlen(want), NULL, 10);
}

static void
take_totals(struct run *r)
{
	const char *line = r->out.data, *p;
	struct totals *t = &r->totals;

	for (p = line; p != NULL && p[0] != '\0'; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (*p != '\0')
			line = p;
	}
	if (line == NULL || strstr(line, "\"found\":") == NULL)
		return;
	*t = (struct totals){ .given = true, .found = figure(line, "found"),
	    .moved = figure(line, "moved"),
	    .unchanged = figure(line, "unchanged"),
	    .failed = figure(line, "failed"),
	    .excluded = figure(line, "excluded"),
	    .gone = figure(line, "gone"), .deleted = figure(line, "deleted"),
	    .pending = figure(line, "pending"), .run = figure(line, "run") };
}

void
run_init(struct run *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->out, 16 * MIB);
	buf_init(&r->err, 16 * MIB);
}

void
run_release(struct run *r)
{
	buf_release(&r->out);
	buf_release(&r->err);
}

static void
say(const struct run *r)
{
	AUTOFREE char *text = run_text(r);

	if (!w.verbose)
		return;
	printf("    %s%s -> %d\n", text, bend.any ? " (bent)" : "",
	    r->status);
	if (r->out.len > 0 && r->op != OP_LIST)
		printf("      %s", r->out.data);
	if (r->err.len > 0)
		printf("%s", r->err.data);
	fflush(stdout);
}

void
run_go(struct run *r)
{
	AUTOFREE char *out = xasprintf("%s/stdout", w.dir);
	AUTOFREE char *err = xasprintf("%s/stderr", w.dir);
	char *env[16];
	struct args args;
	pid_t pid;

	write_conf();
	make_args(&args, r);
	child_env(env);
	r->bent = bend.any;
	r->lied_to = bend.lie;
	r->full = bend.full[0] != '\0';
	judge_begin(r);
	store_begin_run();
	catalog_close();
	pid = start(&args, env, out, err);
	store_set_run(pid);
	r->status = wait_for(pid);
	r->killed = bend.any && (r->status == 256 + SIGKILL ||
	    r->status == 256 + SIGTERM || r->status == 143);
	take_file(out, &r->out);
	take_file(err, &r->err);
	take_totals(r);
	say(r);
	bends_clear();
	judge_end(r);
	free_args(&args);
	for (size_t i = 0; env[i] != NULL; i++)
		free(env[i]);
}

int
run_verb(const char *const *words)
{
	AUTOFREE char *out = xasprintf("%s/stdout", w.dir);
	AUTOFREE char *err = xasprintf("%s/stderr", w.dir);
	AUTOFREE char *conf = xasprintf("%s/conf", w.dir);
	AUTOFREE char *clock = xasprintf("MODEL_CLOCK=%ld", w.clock_s);
	AUTOFREE char *preload = xasprintf("LD_PRELOAD=%s", w.preload);
	char *env[] = { preload, clock, NULL };
	CLEANUP(buf_release) struct buf text;
	struct args args;
	int status;

	write_conf();
	memset(&args, 0, sizeof(args));
	add(&args, w.program);
	for (; *words != NULL; words++)
		add(&args, *words);
	add(&args, "--config");
	add(&args, conf);
	catalog_close();
	status = wait_for(start(&args, env, out, err));
	buf_init(&text, MIB);
	take_file(err, &text);
	if (w.verbose && text.len > 0)
		printf("      %s", text.data);
	free_args(&args);
	return status;
}

/* op, prefix, filter, from, checksum, retry, adopt, follow, mode, dry,
 * excluded */
void
play_run(const int *v)
{
	CLEANUP(run_release) struct run r;

	run_init(&r);
	r.op = (enum op)v[0];
	r.prefix = v[1];
	r.mode = v[8];
	r.dry = v[9] != 0 && r.op != OP_LIST && r.op != OP_TEST &&
	    r.op != OP_VERIFY;
	if (r.op == OP_PUT || r.op == OP_MIRROR) {
		r.filter = v[2];
		r.from = r.op == OP_PUT ? v[3] : 0;
		r.checksum = v[4] != 0;
		r.retry = v[5] != 0 && r.op == OP_PUT && r.from == 0 &&
		    !r.dry;
		r.adopt = v[6] != 0 && !r.dry;
		r.follow = v[7] != 0;
		r.excluded = v[10] != 0;
		if (r.from != 0 || r.retry)
			r.prefix = 0;
		w.adopted |= r.adopt;
	}
	run_go(&r);
}

/* A run of the end of a history; false: that was it. */
static bool
quiet_run(enum op op, struct run *r)
{
	run_init(r);
	r->op = op;
	r->quiet = true;
	run_go(r);
	return !breached();
}

/* Where a run refuses what is there now, the user says that it is right. */
static bool
quiet_accept(void)
{
	CLEANUP(run_release) struct run r;
	CLEANUP(run_release) struct run accepting;

	run_init(&accepting);
	if (!quiet_run(OP_MIRROR, &r) || r.status == 0)
		return !breached();
	accepting.op = OP_PUT;
	accepting.quiet = accepting.accept = w.accepted = true;
	run_go(&accepting);
	return !breached();
}

/* Deletions wait for a run that has read the share, a list is none. */
static bool
quiet_note(void)
{
	CLEANUP(run_release) struct run r;
	AUTOFREE char *sql = xasprintf("SELECT count(*) FROM dirs "
	    "WHERE path = '%s%s' AND state = 'read'", server_of(w.conf),
	    w.tree);

	run_init(&r);
	return (catalog_exists() && catalog_number(sql) > 0) ||
	    quiet_run(OP_PUT, &r);
}

/* What is gone goes, whatever a filter leaves out. */
static bool
quiet_excluded(void)
{
	CLEANUP(run_release) struct run r;

	run_init(&r);
	r.op = OP_MIRROR;
	r.quiet = true;
	r.filter = (int)(w.serial % (uint64_t)filter_count());
	r.excluded = true;
	if (r.filter == 0)
		return true;
	run_go(&r);
	if (!breached())
		judge_no_more(&r);
	return !breached();
}

/* A file in the directory, so that no share is empty; false: there is no such
 * directory. */
static bool
keep_file(const char *dir)
{
	AUTOFREE char *path = xasprintf("%s/%s/keep", w.tree, dir);
	CLEANUP(close_fd) int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC,
	    0644);

	/* Its mode as it is: only the ctime is another one. */
	return fd != -1 && fchown(fd, w.uid, w.uid) == 0 &&
	    fchmod(fd, 0644) == 0;
}

/* A share inside the other one is put into the settings, or taken out: the
 * objects are its own, without a request. */
static void
quiet_inner(int inner)
{
	CLEANUP(run_release) struct run r;
	CLEANUP(run_release) struct run mirror;

	w.inner = inner;
	run_init(&mirror);
	if (!quiet_run(OP_PUT, &r))
		return;
	judge_idle(&r, 0);
	if (!breached() && quiet_run(OP_MIRROR, &mirror))
		judge_equal(&mirror);
}

/* The end of each history: nothing is bent any more, some days later. */
void
play_quiet(void)
{
	CLEANUP(run_release) struct run mirror;
	CLEANUP(run_release) struct run again;
	bool others = w.stubs || w.renumbered ||
	    (w.versions && w.set.fsids != 0);
	uint64_t hash;
	int inner;

	run_init(&mirror);
	run_init(&again);
	bends_clear();
	fs_repair();
	if (!keep_file(""))
		abort();
	/* Who removes a share's directory takes it out of the settings. */
	if (w.inner != 0 && !keep_file(rel_dir(w.inner)))
		w.inner = 0;
	inner = w.inner == 0 && keep_file(rel_dir(1));
	w.clock_s = 30 * 86400L;
	if ((others && !quiet_accept()) || !quiet_note() || !quiet_excluded())
		return;
	w.skip = false;
	if (!quiet_run(OP_MIRROR, &mirror))
		return;
	judge_equal(&mirror);
	if (breached())
		return;
	hash = catalog_hash();
	if (w.ctime)
		keep_file("");
	if (quiet_run(OP_PUT, &again))
		judge_idle(&again, hash);
	if (!breached() && inner != w.inner && !w.renumbered &&
	    w.serial % 3 == 0)
		quiet_inner(inner);
}
