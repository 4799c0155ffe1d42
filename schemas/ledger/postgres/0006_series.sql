-- Visits that are judged by earlier ones of the same person, as a child's weighing is by the one of the month before.
-- `key` is a keyed hash of its own, so that nothing here leads to the directory of persons. `content` is a keyed hash of
-- what later visits are judged by, as it counts now: nothing when no such record counts. What was read before this step
-- belongs to no series and judges nothing.
CREATE TABLE series (
    visit   bigint PRIMARY KEY REFERENCES visit (id),
    key     bytea  NOT NULL,
    day     text COLLATE "C" NOT NULL,
    content bytea,
    CONSTRAINT series_hashes CHECK (length(key) = 32 AND (content IS NULL OR length(content) = 32))
);
CREATE INDEX series_by_day ON series (key, day);

-- The keyed hash of each record that later visits are judged by.
ALTER TABLE record ADD COLUMN series_content bytea
    CONSTRAINT record_series_content_is_a_hash CHECK (series_content IS NULL OR length(series_content) = 32);
