-- What reports ask: how long each transfer took, and the results of a run in
-- the order in which they came.

-- From the beginning of a transfer to its result; NULL: not known.
ALTER TABLE result ADD COLUMN took_ms INTEGER;

-- The results of each run, but those that a later run replaced: a version of
-- a file has one result at a target, the newest.
CREATE VIEW transfers AS
SELECT
	s.run AS run,
	coalesce(o.path, h.path) AS path,
	CASE s.outcome WHEN 0 THEN 'moved' WHEN 1 THEN 'unchanged'
	    WHEN 2 THEN 'failed' WHEN 3 THEN 'gone' WHEN 4 THEN 'failed'
	    WHEN 5 THEN 'deleted' END AS outcome,
	s.size AS size,
	round((s.time_ns - r.started_ns) / 1e9, 3) AS after,
	s.took_ms / 1000.0 AS seconds,
	s.attempts AS attempts,
	s.reason AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', s.time_ns / 1000000000,
	    'unixepoch') AS time,
	t.endpoint || '/' || t.bucket AS target,
	s.object AS version
FROM result s
	JOIN run r ON r.id = s.run AND s.id > r.first_result
	LEFT JOIN object o ON o.id = s.object
	LEFT JOIN history h ON h.id = s.object
	LEFT JOIN target t ON t.id = s.target;
