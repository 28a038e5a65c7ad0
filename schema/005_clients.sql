-- The clients of each run; and two views that said less than is known.

-- The last state of each client; while the run goes on, at most a second old.
CREATE TABLE client (
	run INTEGER NOT NULL,
	number INTEGER NOT NULL,
	host TEXT NOT NULL,
	state TEXT NOT NULL,
	leases INTEGER NOT NULL,
	items INTEGER NOT NULL,
	moved INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	items_per_s REAL NOT NULL,
	bytes_per_s REAL NOT NULL,
	heard_ns INTEGER NOT NULL,
	reason TEXT,
	PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- The hosts that moved the data of a run.
CREATE VIEW clients AS
SELECT
	c.run AS run,
	c.number AS number,
	c.host AS host,
	iif(r.state = 'running' OR c.state IN ('lost', 'failed'), c.state,
	    'ended') AS state,
	iif(r.state = 'running', c.leases, 0) AS leases,
	iif(r.state = 'running', c.items, 0) AS items,
	c.moved AS moved,
	c.failed AS failed,
	c.bytes AS bytes,
	c.items_per_s AS items_per_s,
	c.bytes_per_s AS bytes_per_s,
	strftime('%Y-%m-%dT%H:%M:%SZ', c.heard_ns / 1000000000,
	    'unixepoch') AS heard,
	c.reason AS reason
FROM client c JOIN run r ON r.id = c.run;

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
	CASE WHEN r.outcome = 5 OR m.object IS NOT NULL THEN 'deleted'
	    WHEN o.gone_run IS NOT NULL OR r.outcome = 3 THEN 'gone'
	    WHEN o.why IS NOT NULL THEN 'excluded'
	    WHEN r.outcome IN (0, 1) THEN 'stored'
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
	LEFT JOIN (SELECT b.object
	    FROM lease a CROSS JOIN todo b ON b.id BETWEEN a.first AND a.last
	    WHERE a.closed = 0) l ON l.object = o.id
	LEFT JOIN verified v ON v.object = r.object AND v.target = r.target
	LEFT JOIN doomed m ON m.object = r.object AND m.target = r.target;

DROP VIEW failures;
-- What is failed now: files without a later success, directories that could
-- not be read when they were read last, what is gone and could not be deleted;
-- of what has neither a file nor a directory in the catalog (lines of a list,
-- and all that the operations met that do not crawl) what failed in the last
-- run of the operation at the target.
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
	WHEN f.object IS NULL AND f.dir IS NULL THEN
	    NOT EXISTS (SELECT 1 FROM run z WHERE z.id > f.run AND
	    z.op = y.op AND z.target = y.target AND z.crawl <> y.crawl)
	WHEN f.object IS NULL THEN d.run = f.run AND d.clean = 0 AND
	    d.gone_run IS NULL
	WHEN o.id IS NULL THEN 0
	WHEN o.gone_run IS NOT NULL THEN r.held = 1 AND r.run < f.run AND
	    f.run >= o.gone_run	-- it could not be deleted at the target
	WHEN r.outcome IN (2, 4) THEN r.run = f.run
	ELSE coalesce(r.run, 0) < f.run AND d.run = f.run
	END;
