-- A failure that repeats is one row, not a row for each run.

-- The first of the runs in a row, of the same operation, target and scope, in
-- which the same failed in the same way; run is the last of them. NULL:
-- run.
ALTER TABLE failure ADD COLUMN first_run INTEGER;
DROP INDEX failure_run;
CREATE INDEX failure_run ON failure (run, path);
