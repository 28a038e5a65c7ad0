-- The verdicts "ok" of a TEST are events alone, each of a range of objects, and
-- verification has those that are not. Each event of a range has its row.

-- first: event.object. method: NULL: of before, when verification had a row for
-- each verdict.
ALTER TABLE span ADD COLUMN first INTEGER;
ALTER TABLE span ADD COLUMN method TEXT;
INSERT INTO span (event, last)
SELECT id, object FROM event
WHERE kind = 20 AND id NOT IN (SELECT event FROM span);
UPDATE span SET first = (SELECT object FROM event WHERE id = span.event);
