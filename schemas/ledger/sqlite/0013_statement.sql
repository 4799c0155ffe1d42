-- Daily statements of each puskesmas: what stood where when a service date ended (a seal), and how that moved
-- afterwards (amendments). Numbered without a gap, each over the one before it; counts only, nothing personal.
CREATE TABLE statement (
    id           INTEGER PRIMARY KEY,
    puskesmas    TEXT    NOT NULL,
    number       INTEGER NOT NULL,
    service_date TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    made_at      INTEGER NOT NULL,
    content      TEXT    NOT NULL,
    content_hash BLOB    NOT NULL,
    previous     BLOB    NOT NULL,
    code         BLOB    NOT NULL,
    CONSTRAINT statement_number_once UNIQUE (puskesmas, number),
    CONSTRAINT statement_from_one CHECK (number >= 1),
    CONSTRAINT statement_kind CHECK (kind IN ('seal', 'amendment')),
    CONSTRAINT statement_codes_are_hashes CHECK (length(content_hash) = 32 AND length(previous) = 32
        AND length(code) = 32)
) STRICT;
CREATE UNIQUE INDEX statement_one_seal_per_day ON statement (puskesmas, service_date) WHERE kind = 'seal';
CREATE INDEX statement_by_day ON statement (puskesmas, service_date, number);

CREATE TRIGGER statement_without_gap BEFORE INSERT ON statement
WHEN NEW.number <> 1 + coalesce((SELECT max(number) FROM statement WHERE puskesmas = NEW.puskesmas), 0)
BEGIN
    SELECT RAISE(ABORT, 'statement_without_gap');
END;
CREATE TRIGGER statement_append_only_update BEFORE UPDATE ON statement
BEGIN SELECT RAISE(ABORT, 'statement_append_only'); END;
CREATE TRIGGER statement_append_only_delete BEFORE DELETE ON statement
BEGIN SELECT RAISE(ABORT, 'statement_append_only'); END;
