-- Where source, ledger and server do not agree: one row for each thing and class. A thing is `visit/NUMBER` or
-- `Type/ID` at the server. It is closed by evidence only; a waiver is a person's command. Nothing personal in clear:
-- evidence names elements and states, never values; reasons are sealed.
CREATE TABLE discrepancy (
    id            INTEGER PRIMARY KEY,
    class         TEXT    NOT NULL,
    thing         TEXT    NOT NULL,
    visit         INTEGER REFERENCES visit (id),
    puskesmas     TEXT    NOT NULL,
    posyandu      TEXT    NOT NULL,
    service_date  TEXT    NOT NULL,
    cause         TEXT    NOT NULL,
    owner         TEXT    NOT NULL,
    evidence      TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    seq           INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL,
    CONSTRAINT discrepancy_class CHECK (class IN ('missing_at_server', 'different_at_server', 'unknown_to_us',
        'wrong_person', 'changed_in_source', 'gone_from_source', 'refused', 'blocked')),
    CONSTRAINT discrepancy_cause CHECK (cause IN ('server', 'ours', 'foreign', 'waits', 'data', 'server_refused',
        'exhausted', 'person', 'decide', 'rejected')),
    CONSTRAINT discrepancy_owner CHECK (owner IN ('kader', 'puskesmas', 'mapping', 'platform')),
    CONSTRAINT discrepancy_state CHECK (state IN ('open', 'closed', 'waived')),
    CONSTRAINT discrepancy_seq_from_one CHECK (seq >= 1),
    CONSTRAINT discrepancy_of_a_thing CHECK (length(thing) > 0 AND length(evidence) > 0),
    CONSTRAINT discrepancy_of_a_visit CHECK (visit IS NOT NULL OR class = 'unknown_to_us')
) STRICT;
CREATE UNIQUE INDEX discrepancy_one_live ON discrepancy (thing, class) WHERE state <> 'closed';
CREATE INDEX discrepancy_live_by_date ON discrepancy (service_date) WHERE state <> 'closed';
CREATE INDEX discrepancy_changed ON discrepancy (changed_at);

-- Each opening, waiving and closing, never changed.
CREATE TABLE discrepancy_event (
    discrepancy   INTEGER NOT NULL REFERENCES discrepancy (id),
    seq           INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    evidence      TEXT    NOT NULL,
    command       TEXT,
    reason_sealed BLOB,
    at            INTEGER NOT NULL,
    PRIMARY KEY (discrepancy, seq),
    CONSTRAINT discrepancy_event_waived_by_command CHECK ((state = 'waived') = (command IS NOT NULL)),
    CONSTRAINT discrepancy_event_reason_of_command CHECK (reason_sealed IS NULL OR command IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX discrepancy_event_command_once ON discrepancy_event (command, discrepancy)
    WHERE reason_sealed IS NOT NULL;
CREATE TRIGGER discrepancy_event_append_only_update BEFORE UPDATE ON discrepancy_event
BEGIN SELECT RAISE(ABORT, 'discrepancy_event_append_only'); END;
CREATE TRIGGER discrepancy_event_append_only_delete BEFORE DELETE ON discrepancy_event
BEGIN SELECT RAISE(ABORT, 'discrepancy_event_append_only'); END;

-- Whom a visit was read back about, for the time after the cache of identities has forgotten it.
CREATE TABLE visit_person (
    visit     INTEGER PRIMARY KEY REFERENCES visit (id),
    server_id TEXT    NOT NULL,
    CONSTRAINT visit_person_named CHECK (length(server_id) > 0)
) STRICT;

-- What is to be read back for the first time, and what is not as it should be by the ledger alone.
CREATE INDEX entry_resource_unread ON entry_resource (entry) WHERE verified_at IS NULL AND server_id IS NOT NULL;
CREATE INDEX entry_correction_under_way ON entry (visit)
    WHERE version > 1 AND state IN ('pending', 'blocked', 'in_flight', 'unknown', 'refused', 'exhausted');
CREATE INDEX entry_stuck ON entry (created_at) WHERE state IN ('refused', 'exhausted', 'blocked');
