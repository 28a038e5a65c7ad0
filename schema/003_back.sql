-- The way back and the proof: runs without a backlog, deletions, verdicts.

-- backlog 1: the run crawls and queues; if the run is cut, the next run with
-- backlog 1 continues it. Other runs do not change frontier, todo, lease and
-- settle.
-- deleted: objects removed from the target.
ALTER TABLE run ADD COLUMN backlog INTEGER NOT NULL DEFAULT 1;
ALTER TABLE run ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;

-- The file system of the export's root in the last complete run; and what the
-- crawl seen_crawl saw of the root.
ALTER TABLE export ADD COLUMN fsid INTEGER;
ALTER TABLE export ADD COLUMN seen_fsid INTEGER;
ALTER TABLE export ADD COLUMN seen_empty INTEGER;
ALTER TABLE export ADD COLUMN seen_crawl INTEGER;

-- The key of an object that the catalog does not know; object is 0 then.
ALTER TABLE verification ADD COLUMN path TEXT;

-- The last verdict on an object as the target holds it now. The row is deleted
-- when the target gets other bytes, loses the object, or the file has a newer
-- version.
CREATE TABLE verified (
	object INTEGER NOT NULL,
	target INTEGER NOT NULL,
	run INTEGER NOT NULL,
	method TEXT NOT NULL,
	outcome TEXT NOT NULL,
	time_ns INTEGER NOT NULL,
	PRIMARY KEY (object, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX verified_age ON verified (target, time_ns);

-- Objects that are about to be deleted at the target. A row is written before
-- the request is sent, and deleted with the answer: if a row is left when a
-- run begins, the target may or may not have the object.
CREATE TABLE doomed (
	target INTEGER NOT NULL,
	object INTEGER NOT NULL,
	run INTEGER NOT NULL,
	PRIMARY KEY (target, object)
) STRICT, WITHOUT ROWID;

CREATE INDEX object_gone ON object (path) WHERE gone_run IS NOT NULL;

-- result.outcome 5: deleted at the target; version_id is then that of the
-- delete marker.

DROP VIEW objects;
-- Every file in its newest version, once for each target that has a result
-- for it; without any, once for the target of the last run that crawled.
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
	CASE WHEN r.outcome = 5 THEN 'deleted'
	    WHEN o.gone_run IS NOT NULL OR r.outcome = 3 THEN 'gone'
	    WHEN o.why IS NOT NULL THEN 'excluded'
	    WHEN r.outcome IN (0, 1) THEN 'stored'
	    WHEN r.outcome IN (2, 4) THEN 'failed'
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
	o.id AS version,
	iif(r.outcome = 5, strftime('%Y-%m-%dT%H:%M:%SZ',
	    r.time_ns / 1000000000, 'unixepoch'), NULL) AS deleted_at,
	strftime('%Y-%m-%dT%H:%M:%SZ', v.time_ns / 1000000000,
	    'unixepoch') AS verified_at,
	v.outcome AS verdict
FROM object o
	LEFT JOIN result r ON r.object = o.id
	LEFT JOIN target t ON t.id = coalesce(r.target,
	    (SELECT target FROM run WHERE backlog = 1
	    ORDER BY id DESC LIMIT 1))
	LEFT JOIN (SELECT b.object
	    FROM lease a CROSS JOIN todo b ON b.id BETWEEN a.first AND a.last
	    WHERE a.closed = 0) l ON l.object = o.id
	LEFT JOIN verified v ON v.object = r.object AND v.target = r.target;

DROP VIEW versions;
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
	CASE WHEN r.outcome = 5 THEN 'deleted'
	    WHEN r.held OR r.outcome IN (0, 1) THEN 'stored'
	    ELSE 'never stored' END AS state,
	t.endpoint || '/' || t.bucket AS target,
	h.run AS first_run,
	h.until_run AS until_run,
	h.fate AS fate,
	r.version_id AS version_id
FROM history h
	LEFT JOIN result r ON r.object = h.id
	LEFT JOIN target t ON t.id = r.target;

DROP VIEW runs;
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
	r.command AS command,
	r.deleted AS deleted
FROM run r LEFT JOIN target t ON t.id = r.target;

DROP VIEW failures;
-- What is failed now: files without a later success, directories that could
-- not be read when they were read last, what is gone and could not be deleted;
-- of the operations that do not crawl, what failed in the last run of the
-- operation at the target.
CREATE VIEW failures AS
SELECT
	f.run AS run,
	f.path AS path,
	iif(f.object IS NULL AND f.dir IS NOT NULL, 'directory', 'object')
	    AS what,
	f.kind AS kind,
	f.code AS code,
	f.reason AS reason,
	f.attempts AS attempts,
	strftime('%Y-%m-%dT%H:%M:%SZ', f.time_ns / 1000000000,
	    'unixepoch') AS time,
	t.endpoint || '/' || t.bucket AS target,
	f.object AS version
FROM failure f
	LEFT JOIN run y ON y.id = f.run
	LEFT JOIN target t ON t.id = f.target
	LEFT JOIN object o ON o.id = f.object
	LEFT JOIN dir d ON d.id = f.dir
	LEFT JOIN result r ON r.object = f.object AND r.target = f.target
WHERE CASE
	WHEN y.backlog = 0 AND r.outcome IN (2, 4) AND r.run = f.run
	    AND o.gone_run IS NULL THEN 1
	WHEN y.backlog = 0 THEN (r.run IS NULL OR r.run <= f.run) AND
	    NOT EXISTS (SELECT 1 FROM run z WHERE z.id > f.run AND
	    z.op = y.op AND z.target = y.target)
	WHEN f.object IS NULL THEN d.run = f.run AND d.clean = 0 AND
	    d.gone_run IS NULL
	WHEN o.id IS NULL THEN 0
	WHEN o.gone_run IS NOT NULL THEN r.held = 1 AND r.run < f.run AND
	    f.run >= o.gone_run	-- it could not be deleted at the target
	WHEN r.outcome IN (2, 4) THEN r.run = f.run
	ELSE coalesce(r.run, 0) < f.run AND d.run = f.run
	END;

DROP VIEW failure_log;
-- Every failure that ever was.
CREATE VIEW failure_log AS
SELECT
	f.run AS run,
	f.path AS path,
	iif(f.object IS NULL AND f.dir IS NOT NULL, 'directory', 'object')
	    AS what,
	f.kind AS kind,
	f.code AS code,
	f.reason AS reason,
	f.attempts AS attempts,
	strftime('%Y-%m-%dT%H:%M:%SZ', f.time_ns / 1000000000,
	    'unixepoch') AS time,
	t.endpoint || '/' || t.bucket AS target,
	f.object AS version
FROM failure f LEFT JOIN target t ON t.id = f.target;

DROP VIEW verifications;
-- What TEST found, every time.
CREATE VIEW verifications AS
SELECT
	v.run AS run,
	coalesce(o.path, h.path, v.path) AS path,
	v.method AS method,
	v.outcome AS outcome,
	v.reason AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', v.time_ns / 1000000000,
	    'unixepoch') AS time,
	t.endpoint || '/' || t.bucket AS target,
	nullif(v.object, 0) AS version
FROM verification v
	LEFT JOIN object o ON o.id = v.object
	LEFT JOIN history h ON h.id = v.object
	LEFT JOIN target t ON t.id = v.target;
