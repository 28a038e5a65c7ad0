-- Each attempt to run has a row, whatever became of the attempt.

-- begun 0: the attempt has not begun its run (it is looking at the store, or
-- ended before that was there): it changes nothing, and no later run goes on
-- with it.
ALTER TABLE run ADD COLUMN begun INTEGER NOT NULL DEFAULT 1;
-- The exit status of the run. NULL: the run goes on, or was killed, or an
-- earlier version of the catalog has noted the run.
ALTER TABLE run ADD COLUMN exit_status INTEGER;

-- Who ran what, where.
ALTER TABLE run ADD COLUMN user TEXT;
ALTER TABLE run ADD COLUMN sudo_user TEXT;
ALTER TABLE run ADD COLUMN host TEXT;
ALTER TABLE run ADD COLUMN version TEXT;
ALTER TABLE run ADD COLUMN settings BLOB;	-- SHA-256
