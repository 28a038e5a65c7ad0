-- Above 0: the bytes were read so soon after the last change of the file that
-- a later change could have left the times of the file as they were (the
-- granule of the times, the skew of the clocks). The next run reads the file
-- again. 1: the times are the newest that the crawl met. 2: the times are also
-- new by our clock; then one more reading may not be enough.
ALTER TABLE result ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0;
CREATE INDEX result_fresh ON result (target, object) WHERE fresh > 0;

-- When the reading of the directory began. NULL: an earlier version of the
-- catalog has noted the reading, which counts as old.
ALTER TABLE dir ADD COLUMN read_ns INTEGER;

-- again: this crawl has read the directory, too long ago. The directory is
-- read again after all directories that this crawl has not read.
ALTER TABLE frontier ADD COLUMN again INTEGER NOT NULL DEFAULT 0;

-- Nothing that exists is called gone.

-- The file system of a directory (attrs.fsid), noted when the directory is
-- read: for the directory in which a crawl begins, and for each directory in
-- which another file system begins. NULL: the file system of the nearest
-- directory above that has a note, if this directory was read cleanly in the
-- run fsid_run of the note, or later; else the file system is not known.
ALTER TABLE dir ADD COLUMN fsid INTEGER;
ALTER TABLE dir ADD COLUMN fsid_run INTEGER;
CREATE INDEX dir_fsid ON dir (path) WHERE fsid IS NOT NULL;

-- What was begun is finished, or known not to be.

-- settle: whether the target holds this version is not known. The item of the
-- file asks S3 first; for files that are gone, and for objects that were to be
-- deleted, PUT --delete and DEL ask. The row is deleted with the answer.
--
-- doomed: the object is to be deleted. The row is deleted when S3 says that
-- the object is deleted, that there is no such object, or that S3 refuses.
-- reason: why the answer was lost, if the run knows.
ALTER TABLE doomed ADD COLUMN reason TEXT;

-- Earlier versions counted the objects that a killed run was deleting as
-- deleted, and forgot the objects that a failed PUT may have left of files
-- that are gone.
INSERT OR IGNORE INTO doomed (target, object, run)
SELECT r.target, r.object, r.run FROM result r
WHERE r.target IN (SELECT id FROM target) AND r.outcome = 5 AND
	r.outcome >= 2 AND
	r.reason = 'the run that deleted it ended before the answer came';
UPDATE result SET outcome = 2
WHERE target IN (SELECT id FROM target) AND outcome = 5 AND outcome >= 2 AND
	reason = 'the run that deleted it ended before the answer came';
INSERT OR IGNORE INTO settle (target, object)
SELECT target, object FROM doomed;
INSERT OR IGNORE INTO settle (target, object)
SELECT r.target, r.object
FROM result r CROSS JOIN object o ON o.id = r.object
WHERE r.target IN (SELECT id FROM target) AND r.outcome IN (2, 3) AND
	r.outcome >= 2 AND r.held = 0 AND o.gone_run IS NOT NULL;

DROP VIEW failures;
-- What is failed now: files without a later success, directories that could
-- not be read when they were read last, what is gone and could not be deleted;
-- of what has neither a file nor a directory in the catalog (lines of a list,
-- an export that went out of reach, and all that the operations met that do
-- not crawl) what failed in the last run of the operation at the target; and
-- what was to be deleted and perhaps is not.
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
	LEFT JOIN doomed m ON m.object = f.object AND m.target = f.target
WHERE m.object IS NULL AND CASE
	WHEN y.backlog = 0 AND r.outcome IN (2, 4) AND r.run = f.run
	    AND o.gone_run IS NULL THEN 1
	WHEN y.backlog = 0 THEN (r.run IS NULL OR r.run <= f.run) AND
	    NOT EXISTS (SELECT 1 FROM run z WHERE z.id > f.run AND
	    z.op = y.op AND z.target = y.target)
	WHEN f.object IS NULL AND f.dir IS NULL THEN
	    NOT EXISTS (SELECT 1 FROM run z WHERE z.id > f.run AND
	    z.op = y.op AND z.target = y.target)
	WHEN f.object IS NULL THEN d.run = f.run AND d.clean = 0 AND
	    d.gone_run IS NULL
	WHEN o.id IS NULL THEN 0
	WHEN o.gone_run IS NOT NULL THEN r.held = 1 AND r.run < f.run AND
	    f.run >= o.gone_run	-- it could not be deleted at the target
	WHEN o.why IS NOT NULL THEN 0	-- nor is it to be moved
	WHEN r.outcome IN (2, 4) THEN r.run = f.run
	ELSE coalesce(r.run, 0) < f.run AND d.run = f.run
	END
UNION ALL
SELECT
	m.run AS run,
	coalesce(o.path, h.path) AS path,
	'object' AS what,
	'retry' AS kind,
	0 AS code,
	coalesce(m.reason, 'the run that deleted it ended before the answer '
	    || 'came: whether it is deleted is not known') AS reason,
	1 AS attempts,
	strftime('%Y-%m-%dT%H:%M:%SZ', y.updated_ns / 1000000000,
	    'unixepoch') AS time,
	t.endpoint || '/' || t.bucket AS target,
	m.object AS version
FROM doomed m
	JOIN run y ON y.id = m.run AND (y.state <> 'running' OR
	    m.reason IS NOT NULL)
	LEFT JOIN target t ON t.id = m.target
	LEFT JOIN object o ON o.id = m.object
	LEFT JOIN history h ON h.id = m.object;

-- The last crawl in which the kind of the entry at this path was not known
-- (the lookup was denied, or the handle was stale). kept is the same crawl,
-- and what the catalog knows below the directory stays as it is.
ALTER TABLE dir ADD COLUMN unknown INTEGER;

DROP VIEW dirs;
-- Every directory, with the numbers of its last reading.
CREATE VIEW dirs AS
SELECT
	d.path AS path,
	CASE WHEN d.gone_run IS NOT NULL THEN 'gone'
	    WHEN f.dir IS NOT NULL THEN 'pending'
	    WHEN d.run IS NULL AND d.kept IS NULL THEN 'unread'
	    WHEN coalesce(d.kept, 0) > coalesce(d.run, 0) AND
	    d.unknown IS d.kept THEN 'failed'
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

-- How long the clients of this run may change something after the death of the
-- master. 0: the run has no clients, or has ended, or a later run has waited
-- for that time.
ALTER TABLE run ADD COLUMN late_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX run_late ON run (late_ms) WHERE late_ms > 0;

-- The root of the export as the crawl root_crawl first saw it.
ALTER TABLE export ADD COLUMN root_ino INTEGER;
ALTER TABLE export ADD COLUMN root_fsid INTEGER;
ALTER TABLE export ADD COLUMN root_crawl INTEGER;

-- The first crawl that saw another file system in the place of the known one
-- (fsid). NULL: no crawl has seen another file system since.
ALTER TABLE export ADD COLUMN other_crawl INTEGER;

DROP VIEW objects;
-- Unknown attributes of a file are NULL. A version that is leased once more
-- does not count as stored until the answer is there: the target may get other
-- bytes. Every file in its newest version, once for each target that has a
-- result for it; without any, once for the target of the last run that
-- crawled.
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
	nullif(o.mtime_ns, -9223372036854775808) AS mtime_ns,
	strftime('%Y-%m-%dT%H:%M:%SZ', nullif(o.mtime_ns,
	    -9223372036854775808) / 1000000000, 'unixepoch') AS mtime,
	printf('%04o', o.mode) AS mode,
	nullif(o.uid, 4294967295) AS uid,
	nullif(o.gid, 4294967295) AS gid,
	iif(r.md5 IS NULL, NULL, lower(hex(r.md5))) AS md5,
	r.etag AS etag,
	CASE WHEN r.outcome = 5 OR m.object IS NOT NULL THEN 'deleted'
	    WHEN o.gone_run IS NOT NULL OR r.outcome = 3 THEN 'gone'
	    WHEN o.why IS NOT NULL THEN 'excluded'
	    WHEN r.outcome IN (0, 1) AND l.object IS NULL THEN 'stored'
	    WHEN r.outcome IN (2, 4) THEN 'failed'
	    WHEN l.object IS NOT NULL THEN 'leased'
	    ELSE 'pending' END AS state,
	coalesce(o.why, iif(m.object IS NOT NULL,
	    'it is being deleted, or was when its run was killed', r.reason))
	    AS reason,
	t.endpoint || '/' || t.bucket AS target,
	t.endpoint AS endpoint,
	t.bucket AS bucket,
	coalesce(m.run, r.run, o.run) AS run,
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
	LEFT JOIN (SELECT b.object, y.target, a.run
	    FROM lease a CROSS JOIN run y ON y.id = a.run
		CROSS JOIN todo b ON b.id BETWEEN a.first AND a.last
	    WHERE a.closed = 0) l ON l.object = o.id AND
	    (r.object IS NULL OR (r.target = l.target AND r.run < l.run))
	LEFT JOIN verified v ON v.object = r.object AND v.target = r.target
	LEFT JOIN doomed m ON m.object = r.object AND m.target = r.target;

DROP VIEW versions;
-- Earlier versions: the file changed, or went and came back.
CREATE VIEW versions AS
SELECT
	h.path AS path,
	h.id AS version,
	h.size AS size,
	nullif(h.mtime_ns, -9223372036854775808) AS mtime_ns,
	strftime('%Y-%m-%dT%H:%M:%SZ', nullif(h.mtime_ns,
	    -9223372036854775808) / 1000000000, 'unixepoch') AS mtime,
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
