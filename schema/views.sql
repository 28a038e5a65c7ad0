-- The views: what people and reports ask. Their columns are a public
-- interface (datamover-catalog(5)); columns may be added, none goes. This file
-- is run after the ladder, and only then: a change here needs a rung of its own
-- (one without a statement is enough), or catalogs keep the views they have.
-- The comment behind AS is what `datamover sql` says of the view.

DROP VIEW IF EXISTS objects;
-- Unknown attributes of a file are NULL. A version that is leased once more
-- does not count as stored until the answer is there: the target may get other
-- bytes. Every file in its newest version, once for each target that has a
-- result for it; without any, once for the target of the last run that
-- crawled. Who stored an object that undo has brought back (kind 6) says the
-- event of before by which the target got the same version of the store.
CREATE VIEW objects AS -- every file as it is now, and what targets have
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
	nullif(coalesce(r.etag, lower(hex(r.md5))), '') AS etag,
	CASE WHEN b.object IS NOT NULL THEN 'failed'
	    WHEN r.outcome = 5 OR m.object IS NOT NULL THEN 'deleted'
	    WHEN o.gone_run IS NOT NULL OR r.outcome = 3 THEN 'gone'
	    WHEN o.why IS NOT NULL THEN 'excluded'
	    WHEN r.outcome IN (0, 1) AND l.object IS NULL THEN 'stored'
	    WHEN r.outcome IN (2, 4) THEN 'failed'
	    WHEN l.object IS NOT NULL THEN 'leased'
	    ELSE 'pending' END AS state,
	coalesce(o.why, iif(m.object IS NOT NULL,
	    'it is being deleted, or was when its run was killed',
	    iif(b.object IS NOT NULL, 'undo was to bring it back: whether it '
	    || 'is back is not known', r.reason))) AS reason,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	t.endpoint AS endpoint,
	t.bucket AS bucket,
	coalesce(m.run, r.run, o.run) AS run,
	o.run AS first_run,
	o.gone_run AS gone_run,
	(SELECT strftime('%Y-%m-%dT%H:%M:%SZ', (y.started_ns / 1000000 +
	    e.ms) / 1000, 'unixepoch')
	    FROM event e JOIN run y ON y.id = e.run WHERE e.id =
	    coalesce((SELECT max(p.id) FROM event b CROSS JOIN event p ON
	    p.object = b.object AND p.target = b.target AND p.id < b.id AND
	    p.kind < 6 AND p.version = b.version
	    WHERE b.id = r.event AND b.kind = 6), r.event)) AS stored_at,
	r.attempts AS attempts,
	r.part_size AS part_size,
	r.part_md5s AS part_md5s,
	r.version_id AS version_id,
	o.id AS version,
	iif(r.outcome = 5, (SELECT strftime('%Y-%m-%dT%H:%M:%SZ',
	    (y.started_ns / 1000000 + r.ms) / 1000, 'unixepoch')
	    FROM run y WHERE y.id = r.run), NULL) AS deleted_at,
	strftime('%Y-%m-%dT%H:%M:%SZ', v.time_ns / 1000000000,
	    'unixepoch') AS verified_at,
	v.outcome AS verdict,
	(SELECT e.run FROM event e WHERE e.id =
	    coalesce((SELECT max(p.id) FROM event b CROSS JOIN event p ON
	    p.object = b.object AND p.target = b.target AND p.id < b.id AND
	    p.kind < 6 AND p.version = b.version
	    WHERE b.id = r.event AND b.kind = 6), r.event)) AS stored_run,
	iif(r.outcome = 1, (SELECT strftime('%Y-%m-%dT%H:%M:%SZ',
	    (y.started_ns / 1000000 + coalesce(r.ms, (SELECT e.ms FROM event e
	    WHERE e.id = r.event))) / 1000, 'unixepoch')
	    FROM run y WHERE y.id = r.run), NULL) AS checked_at,
	iif(r.outcome = 5, (SELECT e.version FROM event e
	    WHERE e.object = r.object AND e.target = r.target AND e.kind = 10
	    ORDER BY e.id DESC LIMIT 1), NULL) AS marker_id,
	o.dir AS dir,
	CASE WHEN r.held = 2 THEN 'content-md5'
	    WHEN r.held > 0 AND (r.md5 IS NULL OR r.etag IS NULL OR
	    r.part_size > 0) THEN 'etag' END AS proof,
	iif(r.crc64 IS NULL, NULL, printf('%016x', r.crc64)) AS crc64
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
	LEFT JOIN deletion m ON m.object = r.object AND m.target = r.target
	LEFT JOIN restoring b ON b.object = r.object AND b.target = r.target;

DROP VIEW IF EXISTS versions;
-- Earlier versions: the file changed, or went and came back.
CREATE VIEW versions AS -- earlier versions of files
SELECT
	h.path AS path,
	h.id AS version,
	h.size AS size,
	nullif(h.mtime_ns, -9223372036854775808) AS mtime_ns,
	strftime('%Y-%m-%dT%H:%M:%SZ', nullif(h.mtime_ns,
	    -9223372036854775808) / 1000000000, 'unixepoch') AS mtime,
	iif(r.md5 IS NULL, NULL, lower(hex(r.md5))) AS md5,
	nullif(coalesce(r.etag, lower(hex(r.md5))), '') AS etag,
	CASE WHEN r.outcome = 5 THEN 'deleted'
	    WHEN r.held OR r.outcome IN (0, 1) THEN 'stored'
	    ELSE 'never stored' END AS state,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	h.run AS first_run,
	h.until_run AS until_run,
	h.fate AS fate,
	r.version_id AS version_id,
	(SELECT strftime('%Y-%m-%dT%H:%M:%SZ', (y.started_ns / 1000000 +
	    e.ms) / 1000, 'unixepoch')
	    FROM event e JOIN run y ON y.id = e.run WHERE e.id =
	    coalesce((SELECT max(p.id) FROM event b CROSS JOIN event p ON
	    p.object = b.object AND p.target = b.target AND p.id < b.id AND
	    p.kind < 6 AND p.version = b.version
	    WHERE b.id = r.event AND b.kind = 6), r.event)) AS stored_at,
	(SELECT e.run FROM event e WHERE e.id =
	    coalesce((SELECT max(p.id) FROM event b CROSS JOIN event p ON
	    p.object = b.object AND p.target = b.target AND p.id < b.id AND
	    p.kind < 6 AND p.version = b.version
	    WHERE b.id = r.event AND b.kind = 6), r.event)) AS stored_run,
	iif(r.outcome = 5, (SELECT strftime('%Y-%m-%dT%H:%M:%SZ',
	    (y.started_ns / 1000000 + r.ms) / 1000, 'unixepoch')
	    FROM run y WHERE y.id = r.run), NULL) AS deleted_at,
	iif(r.outcome = 5, (SELECT e.version FROM event e
	    WHERE e.object = r.object AND e.target = r.target AND e.kind = 10
	    ORDER BY e.id DESC LIMIT 1), NULL) AS marker_id,
	iif(r.crc64 IS NULL, NULL, printf('%016x', r.crc64)) AS crc64
FROM history h
	LEFT JOIN result r ON r.object = h.id
	LEFT JOIN target t ON t.id = r.target;

DROP VIEW IF EXISTS runs;
-- Every attempt to run, from the moment it had the catalog.
CREATE VIEW runs AS -- every attempt to run: who, what it counted, its end
SELECT
	r.id AS run,
	r.op AS operation,
	r.state AS state,
	r.reason AS reason,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
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
	r.deleted AS deleted,
	r.exit_status AS exit_status,
	r.begun AS begun,
	r.user AS user,
	r.sudo_user AS sudo_user,
	r.host AS host,
	r.version AS version,
	lower(hex(r.settings)) AS settings
FROM run r LEFT JOIN target t ON t.id = r.target;

DROP VIEW IF EXISTS events;
-- The journal. Each arm finds the events of a run by their ids, and those of a
-- path by the index of its table. Version 0 is the catalog as a whole: stamp
-- has one row, and with CAST the arms have columns of the same types, or else
-- SQLite would first make a table of all arms.
CREATE VIEW events AS -- the journal: what became true when
SELECT
	e.id AS event,
	e.run AS run,
	strftime('%Y-%m-%dT%H:%M:%SZ', (y.started_ns / 1000000 + e.ms) / 1000,
	    'unixepoch') AS time,
	CASE e.kind WHEN 1 THEN 'known' WHEN 2 THEN 'stored'
	    WHEN 3 THEN 'adopted' WHEN 4 THEN 'copied' WHEN 5 THEN 'refreshed'
	    WHEN 6 THEN 'restored' WHEN 7 THEN 'repaired'
	    WHEN 10 THEN 'deleted' WHEN 11 THEN 'lost' WHEN 12 THEN 'differed'
	    WHEN 13 THEN 'replaced' WHEN 20 THEN 'verified'
	    WHEN 21 THEN 'metadata' WHEN 22 THEN 'accepted'
	    WHEN 23 THEN 'pruned' WHEN 24 THEN 'catalog-restored'
	    WHEN 25 THEN 'key' END AS kind,
	CASE WHEN e.kind < 10 THEN 1 WHEN e.kind < 20 THEN 0 END AS present,
	v.path AS path,
	v.size AS size,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	e.version AS version_id,
	e.object AS version,
	iif(e.kind = 20, coalesce((SELECT s.last FROM span s
	    WHERE s.event = e.id), e.object), NULL) AS last_version
FROM event e JOIN run y ON y.id = e.run AND
		e.id > coalesce(y.first_event, 0)
	JOIN (SELECT id, path, size FROM object
	    UNION ALL SELECT id, path, size FROM history
	    UNION ALL SELECT CAST(0 AS INTEGER), CAST(NULL AS TEXT),
	    CAST(NULL AS INTEGER) FROM stamp) v
	    ON v.id = e.object
	LEFT JOIN target t ON t.id = e.target;

DROP VIEW IF EXISTS failures;
-- What is failed now: files without a later success, directories that could
-- not be read when they were read last, what is gone and could not be deleted;
-- of what has neither a file nor a directory in the catalog (lines of a list,
-- an export that went out of reach, and all that the operations met that do
-- not crawl) what failed in the last run of the operation at the target; what
-- was to be deleted and perhaps is not; and what was to be brought back and
-- perhaps is.
CREATE VIEW failures AS -- what is failed now, and why
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
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	f.object AS version,
	coalesce(f.first_run, f.run) AS since_run
FROM failure f
	LEFT JOIN run y ON y.id = f.run
	LEFT JOIN target t ON t.id = f.target
	LEFT JOIN object o ON o.id = f.object
	LEFT JOIN dir d ON d.id = f.dir
	LEFT JOIN result r ON r.object = f.object AND r.target = f.target
	LEFT JOIN deletion m ON m.object = f.object AND m.target = f.target
WHERE m.object IS NULL AND CASE
	WHEN y.backlog = 0 AND r.outcome IN (2, 4) AND r.run = f.run
	    AND o.id = f.object AND o.gone_run IS NULL THEN 1
	WHEN y.op = 'undo' AND r.held > 0 AND EXISTS (SELECT 1 FROM event e
	    WHERE e.id = r.event AND e.run = f.run) THEN 0	-- it is back
	WHEN y.op = 'undo' AND EXISTS (SELECT 1 FROM run z WHERE
	    z.id > f.run AND z.op IN ('PUT', 'DEL') AND
	    z.target = y.target AND z.begun = 1) AND NOT EXISTS (SELECT 1
	    FROM restoring b WHERE b.object = f.object AND
	    b.target = f.target) THEN 0
	WHEN y.op = 'TEST' AND o.gone_run > f.run AND
	    coalesce(r.held, 0) = 0 THEN 0	-- nor is the file there
	WHEN y.backlog = 0 THEN (r.run IS NULL OR r.run <= f.run) AND
	    NOT EXISTS (SELECT 1 FROM run z WHERE z.id > f.run AND
	    z.op = y.op AND z.target = y.target AND z.begun = 1)
	WHEN f.object IS NULL AND f.dir IS NULL THEN
	    NOT EXISTS (SELECT 1 FROM run z WHERE z.id > f.run AND
	    z.op = y.op AND z.target = y.target AND z.begun = 1)
	WHEN f.object IS NULL THEN d.run = f.run AND d.clean = 0 AND
	    d.gone_run IS NULL
	WHEN o.id IS NULL THEN 0
	WHEN o.gone_run IS NOT NULL THEN r.held > 0 AND r.run < f.run AND
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
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	m.object AS version,
	m.run AS since_run
FROM deletion m
	JOIN run y ON y.id = m.run AND (y.state <> 'running' OR
	    m.reason IS NOT NULL)
	LEFT JOIN target t ON t.id = m.target
	LEFT JOIN object o ON o.id = m.object
	LEFT JOIN history h ON h.id = m.object
UNION ALL
SELECT
	m.run AS run,
	coalesce(o.path, h.path) AS path,
	'object' AS what,
	'retry' AS kind,
	0 AS code,
	'the run that brought it back ended before the answer came: whether '
	    || 'it is back is not known' AS reason,
	1 AS attempts,
	strftime('%Y-%m-%dT%H:%M:%SZ', y.updated_ns / 1000000000,
	    'unixepoch') AS time,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	m.object AS version,
	m.run AS since_run
FROM restoring m
	JOIN run y ON y.id = m.run AND y.state <> 'running'
	LEFT JOIN target t ON t.id = m.target
	LEFT JOIN object o ON o.id = m.object
	LEFT JOIN history h ON h.id = m.object
WHERE NOT EXISTS (SELECT 1 FROM failure f
	WHERE f.run = m.run AND f.object = m.object AND
	f.path = coalesce(o.path, h.path));

DROP VIEW IF EXISTS failure_log;
-- Every failure that ever was.
CREATE VIEW failure_log AS -- every failure of every run
SELECT
	y.id AS run,
	f.path AS path,
	iif(f.object IS NULL AND f.dir IS NOT NULL, 'directory', 'object')
	    AS what,
	f.kind AS kind,
	f.code AS code,
	f.reason AS reason,
	f.attempts AS attempts,
	iif(y.id = f.run, strftime('%Y-%m-%dT%H:%M:%SZ',
	    f.time_ns / 1000000000, 'unixepoch'), NULL) AS time,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	f.object AS version
FROM failure f
	JOIN run l ON l.id = f.run
	JOIN run y ON y.id BETWEEN coalesce(f.first_run, f.run) AND f.run AND
	    (y.id = f.run OR (y.op = l.op AND y.target = l.target AND
	    y.scope = l.scope AND y.begun = 1))
	LEFT JOIN target t ON t.id = f.target;

DROP VIEW IF EXISTS dirs;
-- Every directory, with the numbers of its last reading.
CREATE VIEW dirs AS -- every directory, with the numbers of its last reading
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
	e.share AS share,
	d.id AS dir
FROM dir d
	LEFT JOIN frontier f ON f.dir = d.id
	LEFT JOIN export e ON e.id = d.export
WHERE d.path <> '';

DROP VIEW IF EXISTS duplicates;
-- Grouped before anything is made text: every object is looked at.
CREATE VIEW duplicates AS -- bytes that a target holds more than once
SELECT
	lower(hex(d.md5)) AS md5,
	coalesce(o.size, h.size) AS size,
	d.objects AS objects,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target
FROM (SELECT md5, target, count(*) AS objects, max(object) AS last
	FROM result WHERE held > 0 AND md5 IS NOT NULL
	GROUP BY md5, target HAVING count(*) > 1) d
	LEFT JOIN object o ON o.id = d.last
	LEFT JOIN history h ON h.id = d.last
	LEFT JOIN target t ON t.id = d.target;

DROP VIEW IF EXISTS uploads;
-- Multipart uploads that were begun and not ended.
CREATE VIEW uploads AS -- multipart uploads that are not finished
SELECT
	coalesce(o.path, h.path) AS path,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	u.upload_id AS upload_id,
	strftime('%Y-%m-%dT%H:%M:%SZ', u.intent_sec, 'unixepoch') AS begun,
	u.part_size AS part_size,
	u.object AS version
FROM upload u
	LEFT JOIN object o ON o.id = u.object
	LEFT JOIN history h ON h.id = u.object
	LEFT JOIN target t ON t.id = u.target;

DROP VIEW IF EXISTS verifications;
-- What TEST found, every time.
CREATE VIEW verifications AS -- every verdict of TEST
SELECT
	v.run AS run,
	coalesce(o.path, h.path, v.path) AS path,
	v.method AS method,
	v.outcome AS outcome,
	v.reason AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', v.time_ns / 1000000000,
	    'unixepoch') AS time,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	nullif(v.object, 0) AS version
FROM verification v
	LEFT JOIN object o ON o.id = v.object
	LEFT JOIN history h ON h.id = v.object
	LEFT JOIN target t ON t.id = v.target
UNION ALL
SELECT
	y.id AS run,
	v.path AS path,
	s.method AS method,
	'ok' AS outcome,
	NULL AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', (y.started_ns / 1000000 + e.ms) / 1000,
	    'unixepoch') AS time,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	v.id AS version
FROM run y JOIN span s ON s.event > coalesce(y.first_event, 0)
	JOIN event e ON e.id = s.event AND y.id = +e.run
	JOIN (SELECT id, path FROM object
	    UNION ALL SELECT id, path FROM history) v
	    ON v.id BETWEEN s.first AND s.last
	LEFT JOIN target t ON t.id = e.target
WHERE s.method IS NOT NULL;

DROP VIEW IF EXISTS transfers;
-- The results of each run: what became true, by the journal; what failed; and,
-- of the last result of a version, what made nothing true (unchanged, gone).
-- took_ms is that of the event by which the target got the version.
CREATE VIEW transfers AS -- the results of each run
SELECT
	e.run AS run,
	v.path AS path,
	CASE e.kind WHEN 10 THEN 'deleted' WHEN 2 THEN 'moved'
	    WHEN 6 THEN 'moved'
	    WHEN 1 THEN iif(s.outcome = 1 AND s.run = e.run, 'unchanged',
	    'moved') ELSE 'unchanged' END AS outcome,
	iif(s.event = e.id, coalesce(s.size, v.size), v.size) AS size,
	e.ms / 1000.0 AS after,
	iif(s.event = e.id, s.took_ms / 1000.0, NULL) AS seconds,
	iif(s.event = e.id AND s.run = e.run, s.attempts, NULL) AS attempts,
	NULL AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', (y.started_ns / 1000000 + e.ms) / 1000,
	    'unixepoch') AS time,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	e.object AS version
FROM event e JOIN run y ON y.id = e.run AND
		e.id > coalesce(y.first_event, 0)
	JOIN (SELECT id, path, size FROM object
	    UNION ALL SELECT id, path, size FROM history) v
	    ON v.id = e.object
	LEFT JOIN result s ON s.object = e.object AND s.target = e.target
	LEFT JOIN target t ON t.id = e.target
WHERE e.kind IN (1, 2, 3, 4, 5, 6, 10)
UNION ALL
SELECT
	f.run AS run,
	f.path AS path,
	'failed' AS outcome,
	v.size AS size,
	round((f.time_ns - y.started_ns) / 1e9, 3) AS after,
	iif(s.event IS NULL AND s.run = f.run, s.took_ms / 1000.0, NULL)
	    AS seconds,
	f.attempts AS attempts,
	f.reason AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', f.time_ns / 1000000000, 'unixepoch')
	    AS time,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	f.object AS version
FROM failure f JOIN run y ON y.id = f.run
	JOIN (SELECT id, size FROM object
	    UNION ALL SELECT id, size FROM history) v ON v.id = f.object
	LEFT JOIN result s ON s.object = f.object AND s.target = f.target
	LEFT JOIN target t ON t.id = f.target
UNION ALL
SELECT
	s.run AS run,
	v.path AS path,
	iif(s.outcome = 3, 'gone', 'unchanged') AS outcome,
	coalesce(s.size, v.size) AS size,
	s.ms / 1000.0 AS after,
	iif(s.event IS NULL, s.took_ms / 1000.0, NULL) AS seconds,
	s.attempts AS attempts,
	NULL AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', (y.started_ns / 1000000 + s.ms) / 1000,
	    'unixepoch') AS time,
	coalesce(t.name, t.endpoint) || '/' || t.bucket AS target,
	s.object AS version
FROM run y JOIN result s ON s.target = y.target AND s.run = y.id AND
		s.outcome IN (1, 3) AND s.outcome <> 0
	JOIN (SELECT id, path, size FROM object
	    UNION ALL SELECT id, path, size FROM history) v
	    ON v.id = s.object
	LEFT JOIN event e ON e.id = s.event
	LEFT JOIN target t ON t.id = s.target
WHERE e.run IS NOT s.run;

DROP VIEW IF EXISTS clients;
-- The hosts that moved the data of a run.
CREATE VIEW clients AS -- the hosts that moved the data of a run
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

DROP VIEW IF EXISTS compactions;
-- The compaction of each subsystem. If the run was killed while a subsystem
-- was being compacted, the end of the compaction is unknown.
CREATE VIEW compactions AS -- the compaction of DSS targets
SELECT
	c.run AS run,
	c.target AS target,
	iif(c.nqn = '', NULL, c.nqn) AS nqn,
	CASE c.state WHEN 1 THEN 'done' WHEN 2 THEN 'failed'
	    ELSE iif(r.state = 'running', 'running', 'unknown') END AS state,
	c.seconds AS seconds,
	c.reason AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', c.time_ns / 1000000000,
	    'unixepoch') AS time
FROM compaction c JOIN run r ON r.id = c.run;

DROP VIEW IF EXISTS restores;
CREATE VIEW restores AS -- which copy took the place of the catalog, when
SELECT
	strftime('%Y-%m-%dT%H:%M:%SZ', s.time_ns / 1000000000, 'unixepoch')
	    AS time,
	s.run AS run,
	s.file AS file,
	s.user AS user,
	s.sudo_user AS sudo_user,
	s.host AS host,
	s.event AS event
FROM restored s;

DROP VIEW IF EXISTS prunes;
CREATE VIEW prunes AS -- what was dropped of the past, and by whom
SELECT
	strftime('%Y-%m-%dT%H:%M:%SZ', p.time_ns / 1000000000, 'unixepoch')
	    AS time,
	strftime('%Y-%m-%dT%H:%M:%SZ', p.horizon_ns / 1000000000,
	    'unixepoch') AS horizon,
	p.run AS run,
	p.user AS user,
	p.sudo_user AS sudo_user,
	p.host AS host,
	p.events AS events,
	p.versions AS versions,
	p.failures AS failures,
	p.verdicts AS verdicts
FROM pruned p;
