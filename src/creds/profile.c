/* A profile of the two files: the keys in it, or where it says they are. */
#include "creds/creds_internal.h"

#define DEPTH_MAX	8	/* roles that lead to each other */

struct profile {
	struct creds_ask *a;
	const char *name;
};

static const char *
value(const struct profile *p, const char *key)
{
	return aws_value(&p->a->files, "profile", p->name, key);
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

/* The keys that stand in the profile. */
static int
own_keys(const struct profile *p, struct keys *k, struct err *err)
{
	const char *access = value(p, "aws_access_key_id");
	const char *secret = value(p, "aws_secret_access_key");

	if (access == NULL && secret == NULL)
		return 0;
	if (access == NULL || secret == NULL)
		return err_set(err, ERR_CONFIG, 0, "profile [%s] has only one "
		    "of aws_access_key_id and aws_secret_access_key",
		    p->name);
	*k = (struct keys){ .access_key = xstrdup(access),
	    .secret_key = xstrdup(secret),
	    .session_token = copy(value(p, "aws_session_token")) };
	return 1;
}

static int
from_credential_source(const struct profile *p, const char *source,
    struct keys *k, struct err *err)
{
	static const struct {
		const char *name;
		int	 (*find)(struct creds_ask *, struct keys *,
			    struct err *);
	} known[] = {
		{ "Environment", creds_from_environment },
		{ "EcsContainer", creds_from_container },
		{ "Ec2InstanceMetadata", creds_from_instance },
	};
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(source, known[i].name) != 0)
			continue;
		rc = known[i].find(p->a, k, err);
		return rc != 0 ? rc : err_set(err, ERR_CONFIG, 0,
		    "credential_source = %s has no keys", source);
	}
	return err_set(err, ERR_CONFIG, 0, "credential_source is Environment, "
	    "EcsContainer or Ec2InstanceMetadata");
}

static int
find(const struct profile *p, unsigned depth, struct keys *k,
    struct err *err);

/* The keys that ask for the role. */
static int
base_keys(const struct profile *p, unsigned depth, struct keys *k,
    struct err *err)
{
	const char *source = value(p, "source_profile");
	const char *from = value(p, "credential_source");
	struct profile next = { .a = p->a, .name = source };
	int rc;

	if (source == NULL && from == NULL)
		return err_set(err, ERR_CONFIG, 0, "role_arn needs "
		    "source_profile, credential_source or "
		    "web_identity_token_file");
	if (source == NULL)
		return from_credential_source(p, from, k, err);
	if (depth == DEPTH_MAX)
		return err_set(err, ERR_CONFIG, 0, "source_profile leads "
		    "round and round");
	/* A profile may name itself: its own keys ask for the role. */
	if (strcmp(source, p->name) == 0)
		rc = own_keys(p, k, err);
	else
		rc = find(&next, depth + 1, k, err);
	return rc != 0 ? rc : err_set(err, ERR_CONFIG, 0,
	    "source_profile = %s has no keys", source);
}

static int
from_role(const struct profile *p, const char *arn, unsigned depth,
    struct keys *k, struct err *err)
{
	CLEANUP(keys_release) struct keys base = { .access_key = NULL };
	const struct sts_role role = {
		.arn = arn,
		.session_name = value(p, "role_session_name"),
		.external_id = value(p, "external_id"),
		.duration = value(p, "duration_seconds"),
		.token_file = value(p, "web_identity_token_file"),
		.base = &base,
	};

	if (value(p, "mfa_serial") != NULL)
		return err_set(err, ERR_CONFIG, 0, "mfa_serial: nobody is here "
		    "to type a code");
	if (role.token_file == NULL && base_keys(p, depth, &base, err) == -1)
		return -1;
	return creds_assume(p->a, &role, k, err);
}

static int
find(const struct profile *p, unsigned depth, struct keys *k,
    struct err *err)
{
	const char *arn = value(p, "role_arn");
	const char *command = value(p, "credential_process");
	int rc;

	if (arn != NULL)
		return from_role(p, arn, depth, k, err);
	rc = own_keys(p, k, err);
	if (rc != 0)
		return rc;
	if (value(p, "sso_account_id") != NULL ||
	    value(p, "sso_start_url") != NULL)
		return creds_from_sso(p->a, p->name, k, err);
	return command == NULL ? 0 : creds_from_process(p->a, command, k, err);
}

int
creds_from_profile(struct creds_ask *a, const char *name, bool named,
    struct keys *k, struct err *err)
{
	const struct profile p = { .a = a, .name = name };
	AUTOFREE char *path = aws_credentials_path();
	AUTOFREE char *other = aws_config_path();
	int rc;

	if (!aws_has(&a->files, "profile", name))
		return !named ? 0 : err_set(err, ERR_CONFIG, 0, "there is no "
		    "profile [%s] in %s or %s", name, path == NULL ?
		    "~/.aws/credentials" : path, other == NULL ?
		    "~/.aws/config" : other);
	free(a->region);
	a->region = copy(value(&p, "region"));
	rc = find(&p, 1, k, err);
	if (rc == 0 && named)
		rc = err_set(err, ERR_CONFIG, 0, "it says nothing of keys");
	return rc == -1 ? err_wrap(err, "profile %s", name) : rc;
}
