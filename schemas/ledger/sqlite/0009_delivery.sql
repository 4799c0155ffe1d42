-- What delivery keeps about client ids and lanes across restarts: when a token was asked for that never came, the pace
-- learnt, why a lane is stopped, which alarm was given. Each value is JSON of its kind, without personal data.
CREATE TABLE lane_note (
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, name),
    CONSTRAINT lane_note_kind CHECK (kind IN ('token_asked', 'pace', 'stopped', 'alarm'))
) STRICT, WITHOUT ROWID;

-- A person let a stopped lane go on, known by the id of the command that brought it.
CREATE TABLE lane_release (
    command       TEXT    NOT NULL PRIMARY KEY,
    lane          TEXT    NOT NULL,
    entries       INTEGER NOT NULL,
    reason_sealed BLOB    NOT NULL,
    at            INTEGER NOT NULL,
    CONSTRAINT lane_release_entries CHECK (entries >= 0)
) STRICT;
CREATE TRIGGER lane_release_append_only_update BEFORE UPDATE ON lane_release
BEGIN SELECT RAISE(ABORT, 'lane_release_append_only'); END;
CREATE TRIGGER lane_release_append_only_delete BEFORE DELETE ON lane_release
BEGIN SELECT RAISE(ABORT, 'lane_release_append_only'); END;

-- How often the process died while this entry was being prepared for sending.
ALTER TABLE entry ADD COLUMN strikes INTEGER NOT NULL DEFAULT 0
    CONSTRAINT entry_strikes_not_negative CHECK (strikes >= 0);
CREATE INDEX entry_suspect ON entry (lane, strikes, id) WHERE strikes > 0;
CREATE INDEX entry_correction ON entry (lane, day_ends_at, id) WHERE state = 'pending' AND version > 1;

-- Resources at the server that the records no longer tell of: proposed here, decided by a person, then marked there as
-- entered in error. One line per resource at the server.
CREATE TABLE removal (
    id                INTEGER PRIMARY KEY,
    visit             INTEGER NOT NULL REFERENCES visit (id),
    resource_type     TEXT    NOT NULL,
    identifier_system TEXT    NOT NULL,
    identifier_value  TEXT    NOT NULL,
    server_id         TEXT    NOT NULL,
    whole_visit       INTEGER NOT NULL,
    state             TEXT    NOT NULL,
    due_at            INTEGER NOT NULL,
    proposed_at       INTEGER NOT NULL,
    settled_at        INTEGER,
    words             TEXT    NOT NULL DEFAULT '',
    CONSTRAINT removal_once UNIQUE (resource_type, server_id),
    CONSTRAINT removal_whole_visit CHECK (whole_visit IN (0, 1)),
    CONSTRAINT removal_state CHECK (state IN ('proposed', 'withdrawn', 'rejected', 'confirmed', 'done', 'refused')),
    CONSTRAINT removal_settled_iff_final CHECK ((settled_at IS NOT NULL) = (state IN ('withdrawn', 'done', 'refused')))
) STRICT;
CREATE INDEX removal_open ON removal (state, due_at) WHERE state IN ('proposed', 'confirmed');
CREATE INDEX visit_emptied ON visit (id) WHERE emptied = 1;
CREATE INDEX entry_newer_delivered ON entry (visit) WHERE state = 'delivered' AND version > 1;
CREATE INDEX removal_by_visit ON removal (visit);

-- A person's decisions about removals, known by the id of the command that brought them.
CREATE TABLE removal_decision (
    id            INTEGER PRIMARY KEY,
    removal       INTEGER NOT NULL REFERENCES removal (id),
    command       TEXT    NOT NULL,
    confirmed     INTEGER NOT NULL,
    reason_sealed BLOB    NOT NULL,
    at            INTEGER NOT NULL,
    CONSTRAINT removal_decision_confirmed CHECK (confirmed IN (0, 1)),
    CONSTRAINT removal_decision_command_once UNIQUE (command, removal)
) STRICT;
CREATE TRIGGER removal_decision_append_only_update BEFORE UPDATE ON removal_decision
BEGIN SELECT RAISE(ABORT, 'removal_decision_append_only'); END;
CREATE TRIGGER removal_decision_append_only_delete BEFORE DELETE ON removal_decision
BEGIN SELECT RAISE(ABORT, 'removal_decision_append_only'); END;
