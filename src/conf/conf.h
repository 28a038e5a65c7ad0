/*
 * conf.h: the settings. One row per setting in table.c (name, section,
 * type, range, default, unit, help); the INI reader, the reader of the
 * original's config.json, `conf` (print, validate, convert), the example file
 * and datamover.conf(5) all follow that table.
 *
 * Life cycle: conf_load (which begins with the defaults), options of the
 * command line with conf_set, conf_finish, then read-only, any thread.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/strlist.h"
#include "model/keyring.h"
#include "model/store.h"
#include "model/tree_spec.h"

struct conf_nfs {
	char	*name;			/* of the section: [nfs NAME] */
	uint32_t given;			/* the settings that the file has
					   set, a bit for each row */
	char	*server;		/* as configured: also the key's H */
	struct strlist shares;		/* absolute, without trailing slash */
	bool	 may_be_empty;		/* each of them */
};

struct conf_dss_target {
	char	*name;
	uint32_t given;			/* as above */
	char	*host;
	struct strlist nqns;
};

#define CONF_ROWS_MAX	96

/* Where a setting came from. */
enum conf_origin { CONF_DEFAULT = 0, CONF_FILE, CONF_OPTION };

struct conf {
	char	*file;			/* where it came from, or NULL */
	struct {			/* [general] */
		bool	 compaction;
		struct strlist operations;	/* empty: all */
		char	*metrics;	/* where they are shown; or NULL */
		char	*metrics_file;	/* absolute; or NULL */
		char	*after_run;	/* likewise */
		unsigned after_run_timeout;	/* s */
	} general;
	struct {
		char	*host_or_ip_address;
		unsigned workers;	/* crawl threads */
		unsigned max_index_size;/* objects in a lease */
		uint64_t size;		/* bytes in a lease */
		char	*key_file;	/* of those who join; or NULL */
	} master;
	struct {
		struct strlist hosts;
		unsigned workers;	/* conf_finish: never 0 */
		unsigned max_index_size;/* objects in a lease */
		char	*user_id;
		char	*password;
		char	*password_file;
		char	*identity_file;
		char	*known_hosts;
		bool	 dest_shared;	/* dest_path is one for all */
		char	*path;		/* of datamover on the clients */
	} client;
	struct {
		unsigned port_index;
		unsigned port_status;
	} message;
	struct {
		unsigned connection_retry_delay;	/* s */
		unsigned max_connection_time_threshold;	/* s */
		unsigned recv_timeout;			/* s */
	} socket_options;
	struct {
		bool	 mounted;
		struct conf_nfs *nfs;
		size_t	 nfs_count;
		struct nfs_access access;
		bool	 server_as_prefix;
		bool	 ignore_inode;	/* inode = ignore */
		bool	 ignore_ctime;	/* ctime = ignore */
		unsigned clock_skew;	/* s: between a filer and us */
		unsigned timeout;	/* s, of one NFS call */
		bool	 cross_mounts;	/* into file systems below a share */
		struct strlist skip_dirs; /* .snapshot, .zfs, ~snapshot */
	} fs_config;
	struct store s3_storage;
	struct {
		char	*path;		/* catalog.db */
	} catalog;
	struct conf_dss_target *dss_targets;
	size_t	 dss_target_count;
	char	*dss_installation_path;
	unsigned dss_compaction_timeout;	/* s */
	struct {
		char	*path;		/* directory */
		char	*level;
		uint64_t max_log_file_size;
		unsigned log_file_backup_count;
	} logging;
	unsigned resume_within;		/* s: age of a directory's reading */
	uint64_t limit_memory;		/* bytes; 0: default */
	uint64_t bwlimit;		/* bytes a second; 0: none */
	unsigned tpslimit;		/* S3 requests a second; 0: none */
	/* Warnings that people should read once (in the log): settings of
	 * the original that were passed over, a file with secrets that other
	 * users can read. */
	struct strlist notices;
	unsigned char origin[CONF_ROWS_MAX];	/* enum conf_origin by row */
};

/* The defaults alone. */
void	 conf_init(struct conf *);
void	 conf_release(struct conf *);

/* Read a file (".json": the original's format) into a struct conf that need
 * not be initialised; callers must release the struct also after an error. path
 * NULL: datamover.conf in /etc/dss/datamover, else config.json in the same
 * directory; if both are missing, ERR_CONFIG says what to do. Errors are
 * ERR_CONFIG "file:line: what; what to do". Not for several threads at once:
 * inih keeps its limits in global variables. */
int	 conf_load(struct conf *, const char *path, struct err *) MUST_USE;

/* Set a setting from text, as a file would: section "fs_config", key
 * "nfsport"; where is put in front of errors ("--nfs-port"). A list that an
 * option sets replaces the list of the file; set again, the list grows. */
int	 conf_set(struct conf *, const char *section, const char *key,
	    const char *value, const char *where, struct err *) MUST_USE;
/* Replace the whole server map by a single server with a single share. */
void	 conf_set_nfs(struct conf *, const char *server, const char *share);
/* Return the origin of the setting; CONF_DEFAULT also for an unknown
 * setting. */
enum conf_origin conf_origin_of(const struct conf *, const char *section,
	    const char *key);

/* Call after the options are set: fills in credentials from secret_key_file,
 * the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
 * AWS_PROFILE, AWS_REGION, AWS_DEFAULT_REGION, AWS_SHARED_CREDENTIALS_FILE) and
 * ~/.aws/credentials, client.password_file, paths that depend on the user, and
 * does checks that need several settings (no bucket, no endpoint, no share, two
 * shares that meet in a key). needs_s3 and needs_nfs say what the operation
 * will use. The default logging.path need not exist: a missing default is no
 * reason to stop. */
int	 conf_finish(struct conf *, bool needs_s3, bool needs_nfs,
	    struct err *) MUST_USE;

/* More advice for `check` and `conf`: pairs of settings that are allowed but
 * surprise (mounted = yes with server_as_prefix = yes). */
void	 conf_advise(const struct conf *, struct strlist *);

/* Return true if [general] operation allows the operation ("PUT"): without
 * that setting every operation is allowed; TEST and undo are where PUT is. */
bool	 conf_allows(const struct conf *, const char *operation);

/* What does not show a change of a file (inode = ignore, ctime = ignore), as
 * attrs_same takes the flags. */
unsigned conf_ignored(const struct conf *);

/* Append the catalog path of a share, as key text: "H/S", S without its
 * leading slash, H alone for the share "/". Always with the server, whatever
 * the settings are. -1 if the buffer is full. */
int	 conf_key_prefix(const struct conf *, const char *server,
	    const char *share, struct buf *) MUST_USE;
/* Append what the S3 keys of a share begin with, as key text without a slash
 * at its end: "H/S" (server_as_prefix yes) or "S" ("" for the share "/"). */
int	 conf_s3_prefix(const struct conf *, const char *server,
	    const char *share, struct buf *) MUST_USE;
/* ERR_USAGE unless prefix (key text) ends in '/' and lies under a configured
 * share. */
int	 conf_check_prefix(const struct conf *, const char *prefix,
	    struct err *) MUST_USE;
/* Find the share above a key (or prefix); ret_rest: the rest of the key
 * behind the share's prefix and its slash. Return false if the key lies under
 * no share. */
bool	 conf_share_of(const struct conf *, const char *key,
	    const struct conf_nfs **ret_nfs, const char **ret_share,
	    const char **ret_rest);

/* Print the settings in force as INI (secrets as "(set)"), or with the
 * comments of the table. */
void	 conf_print(const struct conf *, FILE *, bool comments,
	    bool with_secrets);
/* Append, as INI, the settings in force that decide which files a crawl finds
 * and which it takes for changed: all of [fs_config] but the time limit. */
void	 conf_describe_source(const struct conf *, struct buf *);
/*
 * Append, as INI, the settings in force that those who move data need: all of
 * [s3_storage] and [fs_config], but for credentials and names of files (rows
 * with here set). The client of a team reads the text with conf_from_master,
 * which begins with the defaults. ERR_CONFIG: this program does not know a
 * setting, or not its value.
 */
void	 conf_for_clients(const struct conf *, struct buf *);
int	 conf_from_master(struct conf *, const char *text, struct err *)
	    MUST_USE;
/* The commented example file, made from the table. */
void	 conf_print_example(FILE *);

/*
 * One row of the table. Sections "nfs NAME" and "dss_targets NAME" stand for
 * any number of sections with names of their own; their offsets are into
 * struct conf_nfs and struct conf_dss_target.
 */
enum conf_kind {
	CONF_BOOL = 0,		/* bool */
	CONF_UINT,		/* unsigned */
	CONF_SIZE,		/* uint64_t, with units */
	CONF_TIME,		/* unsigned: seconds, with units */
	CONF_TEXT,		/* char *, NULL when empty */
	CONF_LIST,		/* struct strlist */
	CONF_NOTHING		/* of the original: passed over */
};
struct conf_word {
	const char *word;
	unsigned value;
};
struct conf_row_info {
	const char *section;
	const char *key;
	const char *type;	/* "yes/no", "number", "size", "time", "text",
				   "word",
				   "list"; "" for CONF_NOTHING */
	const char *def;	/* as in a file, lists with ", "; or NULL */
	const char *def_note;	/* shown where the default is not a plain
				   value; or NULL */
	const char *unit;	/* or "" */
	const char *help;
	bool	 secret;	/* printed as "(set)" */
	bool	 here;		/* of this host: clients do not get the
				   setting */
	enum conf_kind kind;
	size_t	 offset;
	uint64_t min, max;	/* of numbers, sizes and times */
	const struct conf_word *words;	/* the only values, or NULL */
};

#endif
