-- The chain over the history: one link for each transaction, over what it appended and over the new state of what it
-- changed. `covers` names the rows (kind, then id and running number; states with their code), `code` is keyed, so
-- that the file alone is not enough to write another history. A ledger on a server has no chain.
CREATE TABLE chain (
    number   INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    previous BLOB    NOT NULL,
    size     INTEGER NOT NULL,
    covers   TEXT    NOT NULL,
    code     BLOB    NOT NULL,
    CONSTRAINT chain_from_one CHECK (number >= 1 AND size >= 0),
    CONSTRAINT chain_codes_are_hashes CHECK (length(code) = 32 AND length(previous) = 32)
) STRICT;
CREATE TRIGGER chain_append_only_update BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'chain_append_only'); END;
CREATE TRIGGER chain_append_only_delete BEFORE DELETE ON chain BEGIN SELECT RAISE(ABORT, 'chain_append_only'); END;

-- What stands here already is chained when the ledger is opened next; nothing else ever sets this mark.
INSERT INTO meta (name, value) VALUES ('chain_due', x'01');

-- Each time an older copy of the ledger took the place of a newer one: what happened in between is unknown.
CREATE TABLE restoration (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    last_day   TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    CONSTRAINT restoration_reason CHECK (reason IN ('commanded', 'found'))
) STRICT;
CREATE TRIGGER restoration_append_only_update BEFORE UPDATE ON restoration
BEGIN SELECT RAISE(ABORT, 'restoration_append_only'); END;
CREATE TRIGGER restoration_append_only_delete BEFORE DELETE ON restoration
BEGIN SELECT RAISE(ABORT, 'restoration_append_only'); END;

-- An entry that may have been sent by a ledger that is no more is looked up at the server before it is sent.
ALTER TABLE entry ADD COLUMN look_first INTEGER NOT NULL DEFAULT 0
    CONSTRAINT entry_look_first CHECK (look_first IN (0, 1));
CREATE INDEX entry_to_look_first ON entry (lane) WHERE look_first = 1 AND state = 'pending';
CREATE TRIGGER entry_after_restoration AFTER INSERT ON entry
WHEN EXISTS (SELECT 1 FROM restoration, visit WHERE visit.id = NEW.visit AND visit.service_date <= restoration.last_day)
BEGIN
    UPDATE entry SET look_first = 1 WHERE id = NEW.id;
END;
