/*
 * Check the host key against known_hosts. libssh reads each line; this file
 * decides which lines count, since libssh passes over "@revoked" and cannot say
 * where a different key stands.
 */
#include <ctype.h>
#include <errno.h>

#include "ssh/ssh_internal.h"

#define GLOBAL_FILE "/etc/ssh/ssh_known_hosts"

struct search {
	char	 host[300];	/* as it stands in the files */
	ssh_key	 key;
	bool	 known;
	bool	 revoked;
	bool	 found;		/* the files hold a different key of
				   this host */
	char	 where[160];	/* file:line of the first of them */
};

/* The part of a line after a marker; NULL: the line says nothing to us. */
static char *
after_marker(char *line, bool *ret_revoked)
{
	static const char marker[] = "@revoked";
	char *p = line;

	*ret_revoked = false;
	for (char *q = line; *q != '\0'; q++)
		if (*q == '\t' || *q == '\n' || *q == '\r')
			*q = ' ';
	p += strspn(p, " ");
	if (strncmp(p, marker, sizeof(marker) - 1) == 0) {
		*ret_revoked = true;
		p += sizeof(marker) - 1;
		p += strspn(p, " ");
	}
	return *p == '\0' || *p == '#' || *p == '@' ? NULL : p;
}

static void
look_at_line(struct search *s, char *line, const char *file, size_t number)
{
	struct ssh_knownhosts_entry *e = NULL;
	bool revoked;
	char *p = after_marker(line, &revoked);

	if (p == NULL ||
	    ssh_known_hosts_parse_line(s->host, p, &e) != SSH_OK)
		return;
	if (ssh_key_cmp(s->key, e->publickey, SSH_KEY_CMP_PUBLIC) == 0) {
		if (revoked)
			s->revoked = true;
		else
			s->known = true;
	} else if (!revoked && !s->found) {
		s->found = true;
		snprintf(s->where, sizeof(s->where), "%s:%zu", file, number);
	}
	ssh_knownhosts_entry_free(e);
}

static int
look_in(struct search *s, const char *file, struct err *err)
{
	AUTOFREE char *line = NULL;
	size_t room = 0, number = 0;
	FILE *f = fopen(file, "re");

	if (f == NULL) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return err_errno(err, ERR_DENIED, errno, "%s", file);
	}
	while (getline(&line, &room, f) != -1)
		look_at_line(s, line, file, ++number);
	fclose(f);
	return 0;
}

static void
describe(ssh_key key, char *out, size_t len)
{
	unsigned char *hash = NULL;
	size_t hash_len;
	char *text = NULL;

	if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash,
	    &hash_len) == 0)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256,
		    hash, hash_len);
	snprintf(out, len, "%s %s",
	    ssh_key_type_to_char(ssh_key_type(key)),
	    text == NULL ? "?" : text);
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
}

static int
judge(const struct ssh *c, const struct search *s, const char *file,
    struct err *err)
{
	char key[128], port[16] = "";

	describe(s->key, key, sizeof(key));
	if (s->revoked)
		return err_set(err, ERR_DENIED, 0,
		    "the host key %s is REVOKED in known_hosts", key);
	if (s->known)
		return 0;
	if (s->found)
		return err_set(err, ERR_DENIED, 0, "THE HOST KEY HAS CHANGED, "
		    "somebody may be listening: it is %s; if you know why: "
		    "ssh-keygen -R '%s' (%s)", key, s->host, s->where);
	if (c->port != 22)
		snprintf(port, sizeof(port), "-p %u ", c->port);
	return err_set(err, ERR_DENIED, 0, "unknown host key %s; if it is "
	    "the right one: ssh-keyscan %s%s >> %s", key, port, c->host,
	    file == NULL ? "~/.ssh/known_hosts" : file);
}

static void
name_host(const struct ssh *c, struct search *s)
{
	if (c->port == 22)
		snprintf(s->host, sizeof(s->host), "%s", c->host);
	else
		snprintf(s->host, sizeof(s->host), "[%s]:%u", c->host,
		    c->port);
	for (char *p = s->host; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

int
ssh_check_host_key(struct ssh *c, const char *known_hosts, struct err *err)
{
	struct search s = { .key = NULL };
	char home[512], file[600];
	int rc;

	name_host(c, &s);
	if (ssh_get_server_publickey(c->session, &s.key) != SSH_OK)
		return ssh_fault(c, ERR_PEER, "host key", err);
	if (known_hosts != NULL) {
		rc = look_in(&s, known_hosts, err);
	} else {
		ssh_home(home, sizeof(home));
		snprintf(file, sizeof(file), "%s/.ssh/known_hosts", home);
		rc = look_in(&s, file, err);
		if (rc == 0)
			rc = look_in(&s, GLOBAL_FILE, err);
	}
	if (rc == 0)
		rc = judge(c, &s, known_hosts, err);
	ssh_key_free(s.key);
	return rc;
}
