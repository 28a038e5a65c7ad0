-- The tables. They are private: people read the views (datamover-catalog(5)).
--
-- Every stage inserts into tables of its own. Numbers that end in _ns are
-- nanoseconds since 1970; sizes are bytes; ino and size are 64-bit unsigned
-- numbers kept in SQLite's signed ones. Ids are given out by the master and
-- are never used twice.

-- Where objects go to.
CREATE TABLE target (
	id INTEGER PRIMARY KEY,
	endpoint TEXT NOT NULL,
	bucket TEXT NOT NULL,
	server_as_prefix INTEGER NOT NULL, -- key = path, else without server
	UNIQUE (endpoint, bucket, server_as_prefix)
) STRICT;

-- Where objects come from. slot is the export's index in the run that is
-- going on, NULL if it has no part in it.
CREATE TABLE export (
	id INTEGER PRIMARY KEY,
	server TEXT NOT NULL,
	share TEXT NOT NULL,
	path TEXT NOT NULL UNIQUE,
	slot INTEGER
) STRICT;

-- One row for each run. crawl is the id of the first run of the crawl: a run
-- that continues a cut run has the same crawl. The counters are written in the
-- transaction that writes the rows which the counters count.
CREATE TABLE run (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	crawl INTEGER,
	op TEXT NOT NULL,
	target INTEGER NOT NULL,
	scope TEXT NOT NULL,
	command TEXT,
	pid INTEGER,
	started_ns INTEGER NOT NULL,
	updated_ns INTEGER NOT NULL,	-- last commit
	ended_ns INTEGER,
	state TEXT NOT NULL,	-- running complete interrupted failed dead
	reason TEXT,
	first_result INTEGER NOT NULL,	-- results of the run have larger ids
	found INTEGER NOT NULL DEFAULT 0,
	moved INTEGER NOT NULL DEFAULT 0,
	unchanged INTEGER NOT NULL DEFAULT 0,
	failed INTEGER NOT NULL DEFAULT 0,
	excluded INTEGER NOT NULL DEFAULT 0,
	gone INTEGER NOT NULL DEFAULT 0,
	pending INTEGER NOT NULL DEFAULT 0,
	bytes INTEGER NOT NULL DEFAULT 0,
	found_bytes INTEGER NOT NULL DEFAULT 0,
	dirs INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One row for each directory. run is the last run that read the directory, or
-- failed to (clean 0); the counts are those of that reading. kept is the last
-- crawl that did not read the directory because the directory is excluded. The
-- row with the empty path counts the files of a list (--files-from).
CREATE TABLE dir (
	id INTEGER PRIMARY KEY,
	export INTEGER NOT NULL,
	parent INTEGER,
	path TEXT NOT NULL UNIQUE,
	run INTEGER,
	clean INTEGER NOT NULL DEFAULT 0,
	kept INTEGER,
	gone_run INTEGER,
	found INTEGER NOT NULL DEFAULT 0,
	found_bytes INTEGER NOT NULL DEFAULT 0,
	unchanged INTEGER NOT NULL DEFAULT 0,
	excluded INTEGER NOT NULL DEFAULT 0,
	failed INTEGER NOT NULL DEFAULT 0,
	queued INTEGER NOT NULL DEFAULT 0,
	queued_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Directories that this crawl has still to read. The transaction that writes
-- the last page of a directory deletes the row, so a directory whose reading
-- was cut is read again. started: some pages of the directory are written. An
-- id is never used twice: rows are handed out in the order of their ids, and a
-- row with an id below the last one handed out would wait for ever.
CREATE TABLE frontier (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	dir INTEGER NOT NULL UNIQUE,
	fh BLOB,
	started INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX frontier_started ON frontier (dir) WHERE started = 1;

-- One row for each file (or other entry) in its newest version: a version of
-- a file is an id. raw are the bytes of the path where path is not them
-- (escaped as S3 keys are). why: excluded, and the reason. gone_run: the run
-- that did not find it any more.
CREATE TABLE object (
	id INTEGER PRIMARY KEY,
	dir INTEGER NOT NULL,
	path TEXT NOT NULL UNIQUE,
	raw BLOB,
	kind INTEGER NOT NULL,		-- enum entry_kind
	size INTEGER NOT NULL,
	mtime_ns INTEGER NOT NULL,
	ctime_ns INTEGER NOT NULL,
	ino INTEGER NOT NULL,
	mode INTEGER NOT NULL,
	uid INTEGER NOT NULL,
	gid INTEGER NOT NULL,
	run INTEGER NOT NULL,		-- the run that saw it first
	why TEXT,
	gone_run INTEGER
) STRICT;
CREATE INDEX object_dir ON object (dir) WHERE gone_run IS NULL;

-- Earlier versions: what object held before the file changed or came back.
CREATE TABLE history (
	id INTEGER PRIMARY KEY,
	dir INTEGER NOT NULL,
	path TEXT NOT NULL,
	raw BLOB,
	kind INTEGER NOT NULL,
	size INTEGER NOT NULL,
	mtime_ns INTEGER NOT NULL,
	ctime_ns INTEGER NOT NULL,
	ino INTEGER NOT NULL,
	mode INTEGER NOT NULL,
	uid INTEGER NOT NULL,
	gid INTEGER NOT NULL,
	run INTEGER NOT NULL,
	why TEXT,
	gone_run INTEGER,
	until_run INTEGER NOT NULL,
	fate TEXT NOT NULL		-- changed, gone
) STRICT;
CREATE INDEX history_path ON history (path);

-- The backlog: what is to be moved, in the order it was found. A lease is a
-- range of ids; rows go range by range, when all below have results.
CREATE TABLE todo (
	id INTEGER PRIMARY KEY,
	object INTEGER NOT NULL,
	export INTEGER NOT NULL,
	flags INTEGER NOT NULL,		-- enum item_flag
	prev INTEGER,			-- version that the target may hold
	fh BLOB
) STRICT;

-- Leases that are out, and closed leases whose backlog rows still exist
-- because an older lease is out. AUTOINCREMENT: the lease of a late result
-- must not be the id of a newer lease.
CREATE TABLE lease (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	run INTEGER NOT NULL,
	first INTEGER NOT NULL,
	last INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	closed INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Objects whose lease was out when a run died: S3 is asked before anything
-- is sent again.
CREATE TABLE settle (
	target INTEGER NOT NULL,
	object INTEGER NOT NULL,
	PRIMARY KEY (target, object)
) STRICT, WITHOUT ROWID;

-- What became of a version at a target; the newest result for a version
-- replaces the one before. held: the target has these bytes, and the digests
-- are those of what was read (a later failure leaves them).
-- outcome: 0 moved, 1 unchanged, 2 failed, 3 gone, 4 failed in the crawl.
CREATE TABLE result (
	id INTEGER PRIMARY KEY,
	object INTEGER NOT NULL,
	target INTEGER NOT NULL,
	run INTEGER NOT NULL,
	outcome INTEGER NOT NULL,
	held INTEGER NOT NULL,
	size INTEGER NOT NULL,
	time_ns INTEGER NOT NULL,
	md5 BLOB,
	etag TEXT,
	part_size INTEGER,
	part_md5s BLOB,
	attempts INTEGER NOT NULL,
	version_id TEXT,
	reason TEXT,
	UNIQUE (object, target)
) STRICT;
CREATE INDEX result_problem ON result (target, outcome, run)
	WHERE outcome >= 2;

-- Every failure of every run; an object or, with object NULL, a directory.
CREATE TABLE failure (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL,
	target INTEGER NOT NULL,
	object INTEGER,
	dir INTEGER,
	path TEXT NOT NULL,
	kind TEXT NOT NULL,
	code INTEGER NOT NULL,
	reason TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	time_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX failure_run ON failure (run);

-- Multipart uploads that were begun and not ended. The row is written before
-- CreateMultipartUpload is sent: upload_id NULL means begun perhaps.
CREATE TABLE upload (
	object INTEGER NOT NULL,
	target INTEGER NOT NULL,
	upload_id TEXT,
	intent_sec INTEGER NOT NULL,	-- by the clock of S3
	part_size INTEGER NOT NULL,
	PRIMARY KEY (object, target)
) STRICT, WITHOUT ROWID;

-- The verdicts of TEST.
CREATE TABLE verification (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL,
	object INTEGER NOT NULL,
	target INTEGER NOT NULL,
	method TEXT NOT NULL,
	outcome TEXT NOT NULL,
	reason TEXT,
	time_ns INTEGER NOT NULL
) STRICT;
