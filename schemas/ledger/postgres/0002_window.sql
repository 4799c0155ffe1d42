-- A pass over a database may read only what changed lately: it succeeds, and proves nothing about rows it did not see.
ALTER TABLE pass ADD COLUMN windowed bigint NOT NULL DEFAULT 0
    CONSTRAINT pass_windowed_is_finished
    CHECK (windowed IN (0, 1) AND (windowed = 0 OR (finished_at IS NOT NULL AND complete = 0)));
