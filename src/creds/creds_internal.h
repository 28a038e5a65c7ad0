/*
 * creds_internal.h: the sources of keys. Each reads the environment and the
 * files of the AWS SDKs anew each time it is asked. A source returns 1 with
 * keys, 0 if nobody has configured it, -1 with an error if it is configured but
 * has no keys to give.
 */
#ifndef CREDS_CREDS_INTERNAL_H
#define CREDS_CREDS_INTERNAL_H

#include <stdatomic.h>

#include "creds/creds.h"
#include "s3/http.h"

/* A line of ~/.aws/config or ~/.aws/credentials. */
struct aws_line {
	char	*section;	/* "profile NAME", "sso-session NAME" */
	char	*key;
	char	*value;
};
/* Both files as one list; of two lines with one key the later counts. */
struct aws_files {
	struct aws_line *v;
	size_t	 count;
};

struct creds_ask {
	const struct store *store;	/* the settings */
	struct aws_files files;
	char	*region;		/* of the profile; or NULL */
	const _Atomic bool *stop;	/* break off */
};

/* The value of a variable, or NULL if unset or empty. */
const char *creds_env(const char *name);
/* Paths of the two files: the caller frees them; NULL: HOME is not set. */
char	*aws_config_path(void) MUST_USE;
char	*aws_credentials_path(void) MUST_USE;
/* A missing file is no error. */
int	 aws_files_read(struct aws_files *, struct err *) MUST_USE;
void	 aws_files_release(struct aws_files *);
/* NULL: no such key. kind is "profile" or "sso-session". */
const char *aws_value(const struct aws_files *, const char *kind,
	    const char *name, const char *key);
bool	 aws_has(const struct aws_files *, const char *kind,
	    const char *name);
/* Read a small file, without the white space at its end. */
int	 creds_read_text(const char *path, struct buf *, struct err *)
	    MUST_USE;

/* --- answers --- */

/* The names of the members in a JSON object with keys. */
struct creds_json {
	const char *access_key;
	const char *secret_key;
	const char *session_token;
	const char *expiration;	/* a text as 2026-01-31T12:00:00Z, or
				   milliseconds since 1970 */
	const char *inside;	/* the object is this member; or NULL */
	bool	 must_end;
};
/* PEER: no such object. where is put in front of errors. */
int	 creds_take_json(struct keys *, struct str text,
	    const struct creds_json *, const char *where, struct err *)
	    MUST_USE;
/* Seconds since 1970 of a time in the forms that these files have. */
bool	 creds_time(const char *text, int64_t *ret);
/* Turn an answer that is not 200 into an error: DENIED for 401 and 403. */
int	 creds_refused(int status, struct str body, const char *where,
	    struct err *);

/* --- sources --- */

/* A profile that provides keys by itself or through a role. named: its absence
 * is an error. */
int	 creds_from_profile(struct creds_ask *, const char *name, bool named,
	    struct keys *, struct err *);
int	 creds_from_environment(struct creds_ask *, struct keys *,
	    struct err *);
int	 creds_from_container(struct creds_ask *, struct keys *,
	    struct err *);
int	 creds_from_instance(struct creds_ask *, struct keys *,
	    struct err *);
/* AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN. */
int	 creds_from_web_identity(struct creds_ask *, struct keys *,
	    struct err *);
/* Run the program of credential_process. */
int	 creds_from_process(struct creds_ask *, const char *command,
	    struct keys *, struct err *);
/* The token of "aws sso login" in its cache, and the portal. */
int	 creds_from_sso(struct creds_ask *, const char *profile,
	    struct keys *, struct err *);

/* What AssumeRole is asked with. A text that is not set is NULL. */
struct sts_role {
	const char *arn;
	const char *session_name;
	const char *external_id;
	const char *duration;	/* s */
	const char *token_file;	/* web identity; else base signs */
	const struct keys *base;
};
int	 creds_assume(struct creds_ask *, const struct sts_role *,
	    struct keys *, struct err *);

#endif
