-- A target has a name of its own. NULL: its endpoint.
ALTER TABLE target ADD COLUMN name TEXT;
