/*
 * The settings, a row for each setting. The INI reader, the JSON reader,
 * conf_print, the example file and the checks of the manual all follow this
 * table.
 */
#include "conf/table.h"

#define AT(member)	offsetof(struct conf, member)
#define AT_NFS(member)	offsetof(struct conf_nfs, member)
#define AT_DSS(member)	offsetof(struct conf_dss_target, member)

/* The properties of a row beside its type: none, a secret, of no meaning on
 * another host, the range of numbers, the allowed words, a note on the
 * default. */
#define PLAIN		.secret = false
#define SECRET		.secret = true
#define HERE		.here = true
#define RANGE(lo, hi)	.min = (lo), .max = (hi)
#define WORDS(w)	.words = (w)
#define NOTE(text)	.def_note = (text)

#define ROW(s, k, t, kd, at, d, u, h, ...) \
	{ .section = (s), .key = (k), .type = (t), .kind = (kd), \
	  .offset = (at), .def = (d), .unit = (u), .help = (h), __VA_ARGS__ }
#define YESNO(s, k, at, d, h, ...) \
	ROW(s, k, "yes/no", CONF_BOOL, at, d, "", h, __VA_ARGS__)
#define NUMBER(s, k, at, d, u, h, ...) \
	ROW(s, k, "number", CONF_UINT, at, d, u, h, __VA_ARGS__)
#define SIZE(s, k, at, d, u, h, ...) \
	ROW(s, k, "size", CONF_SIZE, at, d, u, h, __VA_ARGS__)
#define TIME(s, k, at, d, h, ...) \
	ROW(s, k, "time", CONF_TIME, at, d, "", h, __VA_ARGS__)
#define TEXT(s, k, at, d, h, ...) \
	ROW(s, k, "text", CONF_TEXT, at, d, "", h, __VA_ARGS__)
#define LIST(s, k, at, d, h, ...) \
	ROW(s, k, "list", CONF_LIST, at, d, "", h, __VA_ARGS__)
/* Known to the original, of no meaning here: named once and passed over. */
#define NOTHING(s, k) \
	ROW(s, k, "", CONF_NOTHING, 0, NULL, "", "", PLAIN)

static const struct conf_word operations[] = {
	{ "PUT", 1 }, { "LIST", 2 }, { "GET", 3 }, { "DEL", 4 },
	{ "TEST", 5 }, { NULL, 0 }
};
static const struct conf_word nfs_versions[] = {
	{ "auto", 0 }, { "3", 3 }, { "4", 4 }, { NULL, 0 }
};
static const struct conf_word inode_words[] = {
	{ "compare", false }, { "ignore", true }, { NULL, 0 }
};
static const struct conf_word ctime_words[] = {
	{ "compare", false }, { "ignore", true }, { NULL, 0 }
};
static const struct conf_word client_libs[] = {
	{ "minio", CLIENT_LIB_MINIO }, { "boto3", CLIENT_LIB_BOTO3 },
	{ "dss_client", CLIENT_LIB_DSS }, { NULL, 0 }
};
static const struct conf_word levels[] = {
	{ "DEBUG", 0 }, { "INFO", 1 }, { "WARNING", 2 }, { "ERROR", 3 },
	{ "EXCEPTION", 3 }, { "FATAL", 3 }, { NULL, 0 }
};

const struct conf_row_info conf_table[] = {
	LIST("general", "operation", AT(general.operations), NULL,
	    "An operation that this file allows: PUT, LIST, GET, DEL or "
	    "TEST. Without this setting, all are allowed; TEST is allowed "
	    "where PUT is.", WORDS(operations)),
	YESNO("general", "compaction", AT(general.compaction), "yes",
	    "Compact the DSS targets after PUT and DEL, where dss_targets "
	    "names any.", PLAIN),
	SIZE("general", "limit_memory", AT(limit_memory), "0", "",
	    "Memory that a run may take, most of it for data under way. 0: "
	    "256MiB.", RANGE(0, 1024 * 1024 * MIB)),
	SIZE("general", "bwlimit", AT(bwlimit), "0", "a second",
	    "Send and fetch no faster than this, all workers together. "
	    "0: no limit.", RANGE(0, 1024 * 1024 * MIB)),
	NUMBER("general", "tpslimit", AT(tpslimit), "0", "requests a second",
	    "Send S3 no more requests than this, all workers together; each "
	    "try of a request counts. 0: no limit.", RANGE(0, 1000000)),
	TIME("general", "resume_within", AT(resume_within), "24h",
	    "A run that goes on with a cut crawl reads those directories "
	    "again that the crawl read longer ago than this.",
	    RANGE(0, 366 * 86400)),
	TEXT("general", "metrics", AT(general.metrics), NULL,
	    "Figures of the run for Prometheus, at http://HOST:PORT/metrics "
	    "while the run goes on: PORT (for this host alone), HOST:PORT, "
	    "or *:PORT (for everybody). Empty: none.", PLAIN),
	TEXT("general", "metrics_file", AT(general.metrics_file), NULL,
	    "A file that gets the figures at the end of each run, for the "
	    "textfile collector of node_exporter: an absolute path that ends "
	    "in .prom. Empty: none.", PLAIN),
	TEXT("general", "after_run", AT(general.after_run), NULL,
	    "A program, by its absolute path and without arguments, that is "
	    "run at the end of each run, with the line of --json on its "
	    "standard input. Empty: none.", PLAIN),
	TIME("general", "after_run_timeout", AT(general.after_run_timeout),
	    "1m", "after_run is ended when it takes longer.",
	    RANGE(1, 86400)),
	NOTHING("general", "ip_address_family"),

	TEXT("master", "host_or_ip_address", AT(master.host_or_ip_address),
	    NULL, "The address that clients dial. Empty: the address that "
	    "their SSH connection came from.", PLAIN),
	NUMBER("master", "workers", AT(master.workers), "1", "threads",
	    "Threads that crawl, each with many requests under way.",
	    RANGE(1, 64)),
	NUMBER("master", "max_index_size", AT(master.max_index_size), "1000",
	    "objects",
	    "The most objects in one batch of work.", RANGE(1, 100000)),
	SIZE("master", "size", AT(master.size), "1GB", "",
	    "The most bytes in one batch of work; one larger file is a batch "
	    "of its own.", RANGE(MIB, 1024 * 1024 * MIB)),
	TEXT("master", "key_file", AT(master.key_file), NULL,
	    "A file with the key of the run; if there is no such file, it is "
	    "made. With this setting, clients may join by themselves "
	    "(datamover client --join). Empty: a new key for each run, which "
	    "only the clients get that the master starts.", PLAIN),
	NOTHING("master", "index_data_queue_size"),

	LIST("client", "host", AT(client.hosts), NULL,
	    "A host that moves data, by name or address. In JSON: "
	    "clients_hosts_or_ip_addresses. Without hosts, this machine "
	    "works alone.", PLAIN),
	NUMBER("client", "workers", AT(client.workers), "0", "threads",
	    "Threads that move data, each with many requests under way; "
	    "never more threads than processors. 0: one for each processor, "
	    "at most 16.", RANGE(0, 256)),
	NUMBER("client", "max_index_size", AT(client.max_index_size), "0",
	    "objects",
	    "The most objects in one batch of work of a client, if that is "
	    "less than in [master]. 0: as in [master].", RANGE(0, 100000)),
	TEXT("client", "user_id", AT(client.user_id), NULL,
	    "The SSH user on the clients. Empty: the user who runs "
	    "datamover.", PLAIN),
	TEXT("client", "password", AT(client.password), NULL,
	    "The SSH password. Empty: SSH keys. Better: password_file.",
	    SECRET),
	TEXT("client", "password_file", AT(client.password_file), NULL,
	    "A file whose first line is the SSH password.", PLAIN),
	TEXT("client", "identity_file", AT(client.identity_file), NULL,
	    "The SSH private key. Empty: the agent and the usual files.",
	    PLAIN),
	TEXT("client", "known_hosts", AT(client.known_hosts), NULL,
	    "The SSH keys of the hosts. Empty: ~/.ssh/known_hosts and "
	    "/etc/ssh/ssh_known_hosts.", PLAIN),
	YESNO("client", "dest_shared", AT(client.dest_shared), "no",
	    "All clients have the same directory at --dest_path: they fetch "
	    "a large object together, each some ranges of the file. With an "
	    "nfs:// URL this is always so.", PLAIN),
	TEXT("client", "path", AT(client.path), NULL,
	    "The datamover program on the clients. Empty: the path that it "
	    "has on the master.", PLAIN),

	NUMBER("message", "port_index", AT(message.port_index), "6000", "",
	    "The master's TCP port for work.", RANGE(1, 65535)),
	NUMBER("message", "port_status", AT(message.port_status), "6001", "",
	    "The master's TCP port for results and heartbeats.",
	    RANGE(1, 65535)),

	NUMBER("socket_options", "connection_retry_delay",
	    AT(socket_options.connection_retry_delay), "2", "seconds",
	    "Pause between two attempts of a client to connect.",
	    RANGE(1, 3600)),
	NUMBER("socket_options", "max_connection_time_threshold",
	    AT(socket_options.max_connection_time_threshold), "300",
	    "seconds",
	    "How long a client tries to connect, and how long a run without "
	    "clients waits for one to join.", RANGE(1, 86400)),
	NUMBER("socket_options", "recv_timeout",
	    AT(socket_options.recv_timeout), "30", "seconds",
	    "A client, or the master, that is silent for so long counts as "
	    "lost.", RANGE(5, 3600)),
	NOTHING("socket_options", "response_header_length"),

	TEXT("nfs NAME", "server", AT_NFS(server), NULL,
	    "The NFS server, by name or address; also the first part of the "
	    "keys.", NOTE("NAME")),
	LIST("nfs NAME", "share", AT_NFS(shares), NULL,
	    "An export of this server, by its absolute path; with mounted = "
	    "yes the local path at which it is mounted.", PLAIN),

	YESNO("nfs NAME", "may_be_empty", AT_NFS(may_be_empty), "no",
	    "The shares of this section may be empty. With no, an empty "
	    "share in which the catalog knows files counts as out of reach: "
	    "perhaps it is not mounted.", PLAIN),

	YESNO("fs_config", "mounted", AT(fs_config.mounted), "no",
	    "The shares are local paths already: read and write them there "
	    "instead of speaking NFS.", PLAIN),
	YESNO("fs_config", "server_as_prefix",
	    AT(fs_config.server_as_prefix), "yes",
	    "Keys begin with the server: H/S/a/b; no: S/a/b.", PLAIN),
	NUMBER("fs_config", "nfsport", AT(fs_config.access.nfsport), "0", "",
	    "The server's NFS port. 0: for version 3 the server's rpcbind is "
	    "asked, for version 4 the port is 2049.", RANGE(0, 65535)),
	NUMBER("fs_config", "mountport", AT(fs_config.access.mountport), "0",
	    "",
	    "The port of the server's mount service (NFS version 3). With "
	    "this setting and nfsport, rpcbind is not asked. 0: ask rpcbind.",
	    RANGE(0, 65535)),
	ROW("fs_config", "nfs_version", "word", CONF_UINT,
	    AT(fs_config.access.nfs_version), "auto", "",
	    "The NFS version: 3, 4, or auto for 3 and then 4.",
	    WORDS(nfs_versions)),
	NUMBER("fs_config", "uid", AT(fs_config.access.uid), NULL, "",
	    "The user number that is sent to the server.",
	    RANGE(0, 4294967294), NOTE("that of the process")),
	NUMBER("fs_config", "gid", AT(fs_config.access.gid), NULL, "",
	    "The group number that is sent to the server.",
	    RANGE(0, 4294967294), NOTE("that of the process")),
	ROW("fs_config", "inode", "word", CONF_BOOL,
	    AT(fs_config.ignore_inode), "compare", "",
	    "A new inode number means a changed file (compare), or nothing "
	    "(ignore: for FUSE mounts, whose numbers change).",
	    WORDS(inode_words)),
	ROW("fs_config", "ctime", "word", CONF_BOOL,
	    AT(fs_config.ignore_ctime), "compare", "",
	    "A new ctime means a changed file (compare), or nothing (ignore: "
	    "where hard links are made and removed, as cp -al does; a change "
	    "whose mtime was set back is not seen then).",
	    WORDS(ctime_words)),
	TIME("fs_config", "clock_skew", AT(fs_config.clock_skew), "5s",
	    "How far the clocks of a server and of this machine may differ. "
	    "A file that was changed so shortly before it was read is read "
	    "once more by the next run, if the crawl does not show the "
	    "server's clock.", RANGE(0, 86400)),
	NUMBER("fs_config", "timeout", AT(fs_config.timeout), "30",
	    "seconds",
	    "The time limit of one NFS call.", RANGE(1, 3600)),
	YESNO("fs_config", "cross_mounts", AT(fs_config.cross_mounts), "yes",
	    "Move other file systems below a share too. no: each of them "
	    "counts as excluded, with that reason.", PLAIN),
	LIST("fs_config", "skip_dir", AT(fs_config.skip_dirs),
	    ".snapshot, .zfs, ~snapshot",
	    "The name of directories that a crawl leaves out where it meets "
	    "them, with all that is below them; what --prefix or --files-from "
	    "names is moved. An empty value: leave out none.", PLAIN),

	ROW("s3_storage", "client_lib", "word", CONF_UINT,
	    AT(s3_storage.client_lib), "minio", "",
	    "The kind of store: minio and boto3 mean one S3 service; "
	    "dss_client means the clusters of a DSS store, whose map is the "
	    "object conf.json in bucket dss at endpoint.",
	    WORDS(client_libs)),
	LIST("s3_storage", "endpoint", AT(s3_storage.endpoints), NULL,
	    "Where the S3 service is: http:// or https://, host, port, and a "
	    "path in front of the bucket if there is one. "
	    "Several endpoints are nodes of the same service, used in turn. "
	    "With dss_client: the discovery endpoint.", PLAIN),
	TEXT("s3_storage", "bucket", AT(s3_storage.bucket), NULL,
	    "The bucket. It must exist. With dss_client this setting is "
	    "ignored: the buckets are dss0, dss1 and so on.", PLAIN),
	TEXT("s3_storage", "name", AT(s3_storage.name), NULL,
	    "The name of the store in the catalog, whatever the endpoint is. "
	    "The first run with a name gives the name to the store of "
	    "endpoint and bucket; by another endpoint with the same name "
	    "nothing is sent again. Empty: the store is known by its "
	    "endpoint.", PLAIN),
	TEXT("s3_storage", "access_key", AT(s3_storage.access_key), NULL,
	    "The access key. Empty: AWS_ACCESS_KEY_ID, a profile, or another "
	    "source.", HERE, NOTE("from the environment")),
	TEXT("s3_storage", "secret_key", AT(s3_storage.secret_key), NULL,
	    "The secret key. Better: secret_key_file.", SECRET, HERE,
	    NOTE("from the environment")),
	TEXT("s3_storage", "secret_key_file",
	    AT(s3_storage.secret_key_file), NULL,
	    "A file whose first line is the secret key. Other users must not "
	    "be able to read the file.", HERE),
	TEXT("s3_storage", "session_token", AT(s3_storage.session_token),
	    NULL, "The token of temporary credentials.", SECRET, HERE,
	    NOTE("from the environment")),
	TEXT("s3_storage", "profile", AT(s3_storage.profile), NULL,
	    "Take the credentials from this profile of ~/.aws/config and "
	    "~/.aws/credentials.",
	    HERE, NOTE("from the environment")),
	TEXT("s3_storage", "region", AT(s3_storage.region), "us-east-1",
	    "The region for which requests are signed.", PLAIN),
	TEXT("s3_storage", "ca_file", AT(s3_storage.ca_file), NULL,
	    "The certificates (PEM) with which https endpoints are checked. "
	    "Empty: those of AWS_CA_BUNDLE, else those of the system.",
	    HERE),
	TEXT("s3_storage", "proxy", AT(s3_storage.proxy), NULL,
	    "The HTTP proxy in front of the store: http://HOST:PORT. Empty: "
	    "none; the variables of the environment do not count.", PLAIN),
	YESNO("s3_storage", "request_payer", AT(s3_storage.request_payer),
	    "no", "Agree to pay for requests and traffic, for a bucket whose "
	    "requesters pay.", PLAIN),
	YESNO("s3_storage", "path_style", AT(s3_storage.path_style), "yes",
	    "Name the bucket in the path of URLs. no: in the host name.",
	    PLAIN),
	YESNO("s3_storage", "sign_payload", AT(s3_storage.sign_payload),
	    "no", "Sign the data too (SHA-256), for stores that insist.",
	    PLAIN),
	SIZE("s3_storage", "part_size", AT(s3_storage.part_size), "8MiB",
	    "",
	    "Larger files are uploaded in parts of this size; a file of more "
	    "than max_parts such parts gets larger parts.",
	    RANGE(5 * MIB, 5 * GIB)),
	NUMBER("s3_storage", "max_parts", AT(s3_storage.max_parts), "10000",
	    "parts",
	    "The most parts that the store takes for one object.",
	    RANGE(1, 10000)),
	SIZE("s3_storage", "max_object_size", AT(s3_storage.max_object_size),
	    "50000GiB", "",
	    "The largest object that the store takes: 10,000 parts of 5 GiB "
	    "at AWS, 5TiB at many other stores. A larger file is not sent: it "
	    "counts as failed.", RANGE(5 * MIB, 50000 * GIB)),
	NUMBER("s3_storage", "max_inflight", AT(s3_storage.max_inflight),
	    "32", "requests",
	    "The most requests of one worker at a time.", RANGE(1, 1024)),
	NUMBER("s3_storage", "retry_for", AT(s3_storage.retry_for), "300",
	    "seconds",
	    "How long a request that fails for a passing reason is tried "
	    "again; the first request of a run for 30 s at most.",
	    RANGE(0, 86400)),
	TEXT("s3_storage", "storage_class", AT(s3_storage.storage_class),
	    NULL, "The storage class of new objects. Empty: the bucket's.",
	    PLAIN),
	TEXT("s3_storage", "sse", AT(s3_storage.sse), NULL,
	    "Encryption by the store: AES256, aws:kms or aws:kms:KEY-ID. "
	    "Empty: the bucket decides.", PLAIN),

	TEXT("catalog", "path", AT(catalog.path), NULL,
	    "The catalog, a file on a local file system; its directory must "
	    "exist.", NOTE("/var/lib/datamover/catalog.db for root and who "
	    "owns that directory, else $XDG_STATE_HOME/datamover/catalog.db")),

	TEXT("dss_targets", "installation_path", AT(dss_installation_path),
	    "/usr/dss/nkv-target", "Where the DSS software is on the targets.",
	    PLAIN),
	NUMBER("dss_targets", "compaction_timeout",
	    AT(dss_compaction_timeout), "14400", "seconds",
	    "A compaction of a target that takes longer counts as failed.",
	    RANGE(1, 604800)),
	TEXT("dss_targets NAME", "host", AT_DSS(host), NULL,
	    "A DSS target to compact: HOST or HOST:PORT of its SSH server.",
	    NOTE("NAME")),
	LIST("dss_targets NAME", "nqn", AT_DSS(nqns), NULL,
	    "A subsystem of this target. Without this setting: the "
	    "subsystems that the target lists as its own.", PLAIN),

	TEXT("logging", "path", AT(logging.path), NULL,
	    "The directory for log files.", NOTE("/var/log/dss for root "
	    "and who owns it, else $XDG_STATE_HOME/datamover")),
	ROW("logging", "level", "word", CONF_TEXT, AT(logging.level), "INFO",
	    "", "How much is logged: DEBUG, INFO, WARNING or ERROR.",
	    WORDS(levels)),
	SIZE("logging", "max_log_file_size", AT(logging.max_log_file_size),
	    "1MiB", "",
	    "A log file that grows beyond this size is put aside.",
	    RANGE(4 * KIB, 1024 * GIB)),
	NUMBER("logging", "log_file_backup_count",
	    AT(logging.log_file_backup_count), "5", "files",
	    "The number of log files put aside that are kept.",
	    RANGE(0, 1000)),

	NOTHING("environment", "target_dir"),
	NOTHING("environment", "gcc_required"),
	NOTHING("environment", "gcc_source"),
	NOTHING("environment", "gcc_version"),

	NOTHING("aws", "awslib_log_debug"),
};
const size_t conf_table_len = ARRAY_LEN(conf_table);

_Static_assert(ARRAY_LEN(conf_table) <= CONF_ROWS_MAX,
    "struct conf keeps the origin of each row");
