/*
 * conf.h: the settings. One row per setting in conf_table.c (name, section,
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
#include "base/err.h"

struct strlist {
	char	**v;
	size_t	 n;
};

struct conf_nfs {
	char	*server;		/* as configured: also the key's H */
	struct strlist shares;		/* absolute, without trailing slash */
};

struct conf_dss_target {
	char	*host;
	struct strlist nqns;
};

enum conf_client_lib { CLIENT_LIB_MINIO = 0, CLIENT_LIB_BOTO3,
	CLIENT_LIB_DSS };

struct conf {
	char	*file;			/* where it came from, or NULL */
	struct {			/* [general] */
		bool	 compaction;
		struct strlist operations;	/* empty: all */
	} general;
	struct {
		char	*host_or_ip_address;
		unsigned workers;	/* crawl threads */
		unsigned max_index_size;/* objects in a lease */
		uint64_t size;		/* bytes in a lease */
		unsigned index_data_queue_size;
	} master;
	struct {
		struct strlist hosts;
		unsigned workers;
		unsigned max_index_size;
		char	*user_id;
		char	*password;
		char	*password_file;
		char	*identity_file;
		char	*path;		/* of datamover on the clients */
	} client;
	struct {
		unsigned port_index;
		unsigned port_status;
	} message;
	struct {
		unsigned connection_retry_delay;	/* s */
		unsigned max_connection_time_threshold;	/* s */
		unsigned response_header_length;
		unsigned recv_timeout;			/* s */
	} socket_options;
	struct {
		bool	 mounted;
		struct conf_nfs *nfs;
		size_t	 nfs_count;
		unsigned nfsport;	/* 0: default */
		unsigned mountport;
		unsigned nfs_version;	/* 3, 4; 0: auto */
		uint32_t uid;
		uint32_t gid;
		bool	 server_as_prefix;
		bool	 ignore_inode;	/* inode = ignore */
		unsigned timeout;	/* s, of one NFS call */
		struct strlist skip_dirs; /* .snapshot, .zfs, ~snapshot */
	} fs_config;
	struct {
		enum conf_client_lib client_lib;
		struct strlist endpoints; /* with scheme, no trailing slash */
		char	*bucket;
		char	*access_key;
		char	*secret_key;
		char	*secret_key_file;
		char	*session_token;
		char	*profile;
		char	*region;
		char	*ca_file;
		bool	 path_style;
		bool	 sign_payload;
		uint64_t part_size;	/* bytes, at least 5 MiB; default 8 MiB */
		unsigned max_inflight;	/* requests of one worker */
		unsigned retry_for;	/* s */
		char	*storage_class;
		char	*sse;
	} s3_storage;
	struct {
		char	*path;		/* catalog.db */
	} catalog;
	struct conf_dss_target *dss_targets;
	size_t	 dss_target_count;
	char	*dss_installation_path;
	struct {
		char	*path;		/* directory */
		char	*level;
		uint64_t max_log_file_size;
		unsigned log_file_backup_count;
	} logging;
	struct {
		bool	 gcc_required;
		char	*gcc_source;
		char	*gcc_version;
		char	*target_dir;
	} environment;
	struct {
		unsigned awslib_log_debug;
	} aws;
	uint64_t limit_memory;		/* bytes; 0: default */
	uint64_t bwlimit;		/* bytes a second; 0: none */
};

/* The defaults alone. */
void	 conf_init(struct conf *);
void	 conf_release(struct conf *);

/* Read a file (".json": the original's format). path NULL: datamover.conf in
 * /etc/dss/datamover, else config.json there; none is ERR_CONFIG that says
 * what to do. Errors are ERR_CONFIG "file:line: what, what to do". */
int	 conf_load(struct conf *, const char *path, struct err *) MUST_USE;

/* Set one setting from text, as a file would: section "fs_config", key
 * "nfsport"; where is put in front of errors ("--nfs-port"). A list setting
 * that is set from an option replaces what the file said. */
int	 conf_set(struct conf *, const char *section, const char *key,
	    const char *value, const char *where, struct err *) MUST_USE;
/* Replace the whole server map by one server and one share. */
void	 conf_set_nfs(struct conf *, const char *server, const char *share);

/* After options: credentials from secret_key_file, the environment
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION,
 * AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE) and ~/.aws/credentials, paths
 * that depend on who we are, and checks that need several settings (no
 * bucket, no endpoint, no share, two shares that meet in one key). needs_s3
 * and needs_nfs say what the operation will use. */
int	 conf_finish(struct conf *, bool needs_s3, bool needs_nfs,
	    struct err *) MUST_USE;

/* Print the settings in force as INI (secrets as "(set)"), or with the
 * comments of the table. */
void	 conf_print(const struct conf *, FILE *, bool comments,
	    bool with_secrets);
/* The commented example file, made from the table. */
void	 conf_print_example(FILE *);

/* One row of the table, for tests and documentation. */
struct conf_row_info {
	const char *section;
	const char *key;
	const char *type;	/* "yes/no", "number", "size", "text", "list" */
	const char *def;
	const char *unit;
	const char *help;
	bool	 later;		/* known, but no meaning yet: exit 2 when used */
};
size_t	 conf_rows(const struct conf_row_info **);

#endif
