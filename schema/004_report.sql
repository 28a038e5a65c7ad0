-- What reports ask: how long each transfer took, and the results of a run in
-- the order in which they came.

-- From the beginning of a transfer to its result; NULL: not known.
ALTER TABLE result ADD COLUMN took_ms INTEGER;
