-- The views: what people and reports ask. Their columns are a public
-- interface (datamover-catalog(5)); columns may be added, none goes.

-- Every file in its newest version, once for each target that has a result
-- for it; without any, once for the target of the last run.
CREATE VIEW objects AS
SELECT
	o.path AS path,
	coalesce(o.raw, CAST(o.path AS BLOB)) AS path_raw,
	iif(t.server_as_prefix = 0, substr(o.path, instr(o.path, '/') + 1),
	    o.path) AS key,
	CASE o.kind WHEN 1 THEN 'file' WHEN 2 THEN 'directory'
	    WHEN 3 THEN 'symlink' WHEN 4 THEN 'fifo' WHEN 5 THEN 'socket'
	    WHEN 6 THEN 'device' WHEN 7 THEN 'device'
	    ELSE 'unknown' END AS kind,
	o.size AS size,
	o.mtime_ns AS mtime_ns,
	strftime('%Y-%m-%dT%H:%M:%SZ', o.mtime_ns / 1000000000,
	    'unixepoch') AS mtime,
	printf('%04o', o.mode) AS mode,
	o.uid AS uid,
	o.gid AS gid,
	iif(r.md5 IS NULL, NULL, lower(hex(r.md5))) AS md5,
	r.etag AS etag,
	CASE WHEN o.gone_run IS NOT NULL OR r.outcome = 3 THEN 'gone'
	    WHEN o.why IS NOT NULL THEN 'excluded'
	    WHEN r.outcome IN (0, 1) THEN 'stored'
	    WHEN r.outcome IN (2, 4) THEN 'failed'
	    WHEN r.outcome = 5 THEN 'deleted'
	    WHEN l.object IS NOT NULL THEN 'leased'
	    ELSE 'pending' END AS state,
	coalesce(o.why, r.reason) AS reason,
	t.endpoint || '/' || t.bucket AS target,
	t.endpoint AS endpoint,
	t.bucket AS bucket,
	coalesce(r.run, o.run) AS run,
	o.run AS first_run,
	o.gone_run AS gone_run,
	iif(r.outcome IN (0, 1), strftime('%Y-%m-%dT%H:%M:%SZ',
	    r.time_ns / 1000000000, 'unixepoch'), NULL) AS stored_at,
	r.attempts AS attempts,
	r.part_size AS part_size,
	r.part_md5s AS part_md5s,
	r.version_id AS version_id,
	o.id AS version
FROM object o
	LEFT JOIN result r ON r.object = o.id
	LEFT JOIN target t ON t.id = coalesce(r.target,
	    (SELECT target FROM run ORDER BY id DESC LIMIT 1))
	LEFT JOIN (SELECT b.object
	    FROM lease a CROSS JOIN todo b ON b.id BETWEEN a.first AND a.last
	    WHERE a.closed = 0) l ON l.object = o.id;

-- Earlier versions: the file changed, or went and came back.
CREATE VIEW versions AS
SELECT
	h.path AS path,
	h.id AS version,
	h.size AS size,
	h.mtime_ns AS mtime_ns,
	strftime('%Y-%m-%dT%H:%M:%SZ', h.mtime_ns / 1000000000,
	    'unixepoch') AS mtime,
	iif(r.md5 IS NULL, NULL, lower(hex(r.md5))) AS md5,
	r.etag AS etag,
	iif(r.held, 'stored', 'never stored') AS state,
	t.endpoint || '/' || t.bucket AS target,
	h.run AS first_run,
	h.until_run AS until_run,
	h.fate AS fate,
	r.version_id AS version_id
FROM history h
	LEFT JOIN result r ON r.object = h.id
	LEFT JOIN target t ON t.id = r.target;

-- Every run.
CREATE VIEW runs AS
SELECT
	r.id AS run,
	r.op AS operation,
	r.state AS state,
	r.reason AS reason,
	t.endpoint || '/' || t.bucket AS target,
	r.crawl AS crawl,
	strftime('%Y-%m-%dT%H:%M:%SZ', r.started_ns / 1000000000,
	    'unixepoch') AS started,
	strftime('%Y-%m-%dT%H:%M:%SZ', r.ended_ns / 1000000000,
	    'unixepoch') AS ended,
	round((coalesce(r.ended_ns, r.updated_ns) - r.started_ns) / 1e9, 3)
	    AS seconds,
	r.found AS found,
	r.moved AS moved,
	r.unchanged AS unchanged,
	r.failed AS failed,
	r.excluded AS excluded,
	r.gone AS gone,
	r.pending AS pending,
	r.bytes AS bytes,
	r.found_bytes AS found_bytes,
	r.dirs AS dirs,
	r.command AS command
FROM run r LEFT JOIN target t ON t.id = r.target;

-- What is failed now: files without a later success, directories that could
-- not be read when they were read last.
CREATE VIEW failures AS
SELECT
	f.run AS run,
	f.path AS path,
	iif(f.object IS NULL, 'directory', 'object') AS what,
	f.kind AS kind,
	f.code AS code,
	f.reason AS reason,
	f.attempts AS attempts,
	strftime('%Y-%m-%dT%H:%M:%SZ', f.time_ns / 1000000000,
	    'unixepoch') AS time,
	t.endpoint || '/' || t.bucket AS target,
	f.object AS version
FROM failure f
	LEFT JOIN target t ON t.id = f.target
	LEFT JOIN object o ON o.id = f.object
	LEFT JOIN dir d ON d.id = f.dir
	LEFT JOIN result r ON r.object = f.object AND r.target = f.target
WHERE CASE
	WHEN f.object IS NULL THEN d.run = f.run AND d.clean = 0 AND
	    d.gone_run IS NULL
	WHEN o.id IS NULL OR o.gone_run IS NOT NULL THEN 0
	WHEN r.outcome IN (2, 4) THEN r.run = f.run
	ELSE coalesce(r.run, 0) < f.run AND d.run = f.run
	END;

-- Every failure that ever was.
CREATE VIEW failure_log AS
SELECT
	f.run AS run,
	f.path AS path,
	iif(f.object IS NULL, 'directory', 'object') AS what,
	f.kind AS kind,
	f.code AS code,
	f.reason AS reason,
	f.attempts AS attempts,
	strftime('%Y-%m-%dT%H:%M:%SZ', f.time_ns / 1000000000,
	    'unixepoch') AS time,
	t.endpoint || '/' || t.bucket AS target,
	f.object AS version
FROM failure f LEFT JOIN target t ON t.id = f.target;

-- Every directory, with the numbers of its last reading.
CREATE VIEW dirs AS
SELECT
	d.path AS path,
	CASE WHEN d.gone_run IS NOT NULL THEN 'gone'
	    WHEN f.dir IS NOT NULL THEN 'pending'
	    WHEN d.run IS NULL AND d.kept IS NULL THEN 'unread'
	    WHEN coalesce(d.kept, 0) > coalesce(d.run, 0) THEN 'excluded'
	    WHEN d.clean = 0 THEN 'failed'
	    ELSE 'read' END AS state,
	d.run AS run,
	d.found AS found,
	d.found_bytes AS found_bytes,
	d.unchanged AS unchanged,
	d.excluded AS excluded,
	d.failed AS failed,
	d.queued AS queued,
	d.queued_bytes AS queued_bytes,
	d.gone_run AS gone_run,
	e.server AS server,
	e.share AS share
FROM dir d
	LEFT JOIN frontier f ON f.dir = d.id
	LEFT JOIN export e ON e.id = d.export
WHERE d.path <> '';

-- Multipart uploads that were begun and not ended.
CREATE VIEW uploads AS
SELECT
	coalesce(o.path, h.path) AS path,
	t.endpoint || '/' || t.bucket AS target,
	u.upload_id AS upload_id,
	strftime('%Y-%m-%dT%H:%M:%SZ', u.intent_sec, 'unixepoch') AS begun,
	u.part_size AS part_size,
	u.object AS version
FROM upload u
	LEFT JOIN object o ON o.id = u.object
	LEFT JOIN history h ON h.id = u.object
	LEFT JOIN target t ON t.id = u.target;

-- What TEST found, every time.
CREATE VIEW verifications AS
SELECT
	v.run AS run,
	coalesce(o.path, h.path) AS path,
	v.method AS method,
	v.outcome AS outcome,
	v.reason AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', v.time_ns / 1000000000,
	    'unixepoch') AS time,
	t.endpoint || '/' || t.bucket AS target,
	v.object AS version
FROM verification v
	LEFT JOIN object o ON o.id = v.object
	LEFT JOIN history h ON h.id = v.object
	LEFT JOIN target t ON t.id = v.target;
