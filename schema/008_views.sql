-- The views are made anew: until here each rung made the views that it changed.

-- It was 1 in every row, and no query asked for it.
ALTER TABLE lease DROP COLUMN epoch;
