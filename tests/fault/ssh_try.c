/*
 * ssh/ and launch/ against a real sshd, for the system tests.
 *
 *	ssh_try exec [NAME=VALUE...] HOST[:PORT] WORD...
 *	ssh_try launch [NAME=VALUE...] PROGRAM HOST[:PORT]...
 *
 * Names: user, password_file, identity, known, timeout (ms), input (sent to
 * the program, then its end). exec prints "status N" or "error KIND TEXT",
 * then what came, escaped, as "out TEXT" and "err TEXT". launch prints a line
 * for each mail: "started CLIENT", "failed CLIENT KIND TEXT", "ended CLIENT
 * STATUS KIND TEXT"; the line "stop" on its standard input stops them, its
 * end (or "free MS") frees them.
 */
#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "launch/launch.h"

static struct ssh_config config;
static const char *input;
static char password[256];

static void
quit(const char *what, const struct err *err)
{
	fprintf(stderr, "ssh_try: %s: %s\n", what, err->msg);
	exit(1);
}

static const char *
value_of(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && word[n] == '=' ?
	    word + n + 1 : NULL;
}

static void
read_password(const char *path)
{
	FILE *f = fopen(path, "r");

	if (f == NULL || fgets(password, sizeof(password), f) == NULL)
		exit(1);
	fclose(f);
	password[strcspn(password, "\n")] = '\0';
	config.password = password;
}

/* How many of the words are settings. */
static int
settings(char **words)
{
	int i;

	for (i = 0; words[i] != NULL; i++) {
		const char *w = words[i], *v;

		if ((v = value_of(w, "user")) != NULL)
			config.user = v;
		else if ((v = value_of(w, "password_file")) != NULL)
			read_password(v);
		else if ((v = value_of(w, "identity")) != NULL)
			config.identity_file = v;
		else if ((v = value_of(w, "known")) != NULL)
			config.known_hosts = v;
		else if ((v = value_of(w, "timeout")) != NULL)
			config.timeout_ms = (unsigned)strtoul(v, NULL, 10);
		else if ((v = value_of(w, "input")) != NULL)
			input = v;
		else
			break;
	}
	return i;
}

static void
print_text(const char *name, const struct buf *b)
{
	struct buf text;

	buf_init(&text, SIZE_MAX / 4);
	(void)buf_add_escaped(&text, buf_str(b));
	printf("%s %s\n", name, text.len > 0 ? text.data : "");
	buf_release(&text);
}

static void
try_exec(char **words)
{
	struct err err = ERR_INIT;
	struct buf out, errs;
	struct ssh *s = NULL;
	char host[256];
	int status = -1, rc;

	buf_init(&out, 2 * MIB);
	buf_init(&errs, 2 * MIB);
	config.host = host;
	if (launch_parse_host(words[0], host, sizeof(host), &config.port,
	    &err) == -1)
		quit("host", &err);
	rc = ssh_open(&s, &config, &err);
	if (rc == 0)
		rc = ssh_exec(s, (const char *const *)words + 1, &err);
	if (rc == 0 && input != NULL)
		rc = ssh_send(s, str_of(input), &err);
	if (rc == 0 && input != NULL)
		rc = ssh_send_eof(s, &err);
	if (rc == 0)
		do {
			rc = ssh_wait(s, 1000, &out, &errs, MIB, &status,
			    &err);
		} while (rc == 1);
	if (rc == 0)
		printf("status %d\n", status);
	else
		printf("error %s %s\n", err_kind_name(err.kind), err.msg);
	print_text("out", &out);
	print_text("err", &errs);
	if (s != NULL)
		printf("local %s\n", ssh_local_address(s));
	ssh_close(&s);
	buf_release(&out);
	buf_release(&errs);
}

static void
invite(void *arg UNUSED, unsigned client, const char *local, struct buf *b)
{
	struct invite v = { .port_index = 6000, .port_status = 6001,
	    .client = client };

	v.address = xstrdup(local);
	memset(v.key, 0x5a, sizeof(v.key));
	invite_write(b, &v);
	free(v.address);
}

static void
print_mail(struct mailbox *box)
{
	struct mail *m, *next;

	for (m = mailbox_take(box); m != NULL; m = next) {
		struct launch_mail *one = (struct launch_mail *)m;
		const char *kind = err_kind_name(one->err.kind);

		next = m->next;
		if (one->event == LAUNCH_STARTED)
			printf("started %u\n", one->client);
		else if (one->event == LAUNCH_FAILED)
			printf("failed %u %s %s\n", one->client, kind,
			    one->err.msg);
		else
			printf("ended %u %d %s %s\n", one->client, one->status,
			    kind, one->err.msg);
		free(m);
	}
	fflush(stdout);
}

static void
try_launch(char **words)
{
	struct launch_config c = { .hosts = (const char *const *)words + 1,
	    .ssh = config, .path = words[0], .invite = invite };
	struct err err = ERR_INIT;
	struct launch *l;
	struct pollfd p[2];
	unsigned long limit = 10000;
	char line[64];
	ssize_t n;

	while (c.hosts[c.host_count] != NULL)
		c.host_count++;
	c.up = mailbox_new(0);
	if (launch_start(&l, &c, &err) == -1)
		quit("launch", &err);
	for (;;) {
		p[0] = (struct pollfd){ .fd = mailbox_fd(c.up),
		    .events = POLLIN };
		p[1] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
		if (poll(p, 2, -1) == -1)
			break;
		print_mail(c.up);
		if (p[1].revents == 0)
			continue;
		n = read(STDIN_FILENO, line, sizeof(line) - 1);
		if (n <= 0)
			break;
		line[n] = '\0';
		if (strncmp(line, "free ", 5) == 0) {
			limit = strtoul(line + 5, NULL, 10);
			break;
		}
		launch_stop(l);
	}
	launch_free(&l, limit);
	print_mail(c.up);
	mailbox_free(&c.up);
	puts("done");
}

int
main(int argc, char **argv)
{
	struct log_config c = { .stderr_level = LOG_DEBUG };
	struct err err = ERR_INIT;
	int n;

	if (argc < 4)
		return 2;
	if (log_open(&c, &err) == -1)
		quit("log", &err);
	n = settings(argv + 2) + 2;
	if (argc - n < 2)
		return 2;
	if (strcmp(argv[1], "exec") == 0)
		try_exec(argv + n);
	else
		try_launch(argv + n);
	log_close();
	return 0;
}
