-- The ledger's tables in SQLite. Every invariant of the code stands here a second time, with a name.
-- No personal data in clear: columns named `sealed` are AES-256-GCM, keys are keyed hashes. Times are milliseconds
-- since 1970-01-01 UTC, dates are YYYY-MM-DD.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One reading of one file or table from start to end.
CREATE TABLE pass (
    id          INTEGER PRIMARY KEY,
    source      TEXT    NOT NULL,
    file        TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    complete    INTEGER NOT NULL DEFAULT 0,
    read        INTEGER NOT NULL DEFAULT 0,
    new         INTEGER NOT NULL DEFAULT 0,
    changed     INTEGER NOT NULL DEFAULT 0,
    unchanged   INTEGER NOT NULL DEFAULT 0,
    issue       INTEGER NOT NULL DEFAULT 0,
    skipped     INTEGER NOT NULL DEFAULT 0,
    superseded  INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT pass_complete_is_finished CHECK (complete IN (0, 1) AND (complete = 0 OR finished_at IS NOT NULL)),
    CONSTRAINT pass_adds_up CHECK (read = new + changed + unchanged + issue + skipped)
) STRICT;

-- One person at one posyandu on one day: what one entry is about. `revision` rises when its records change.
CREATE TABLE visit (
    id               INTEGER PRIMARY KEY,
    key              BLOB    NOT NULL,
    puskesmas        TEXT    NOT NULL,
    posyandu         TEXT    NOT NULL,
    service_date     TEXT    NOT NULL,
    zone             TEXT    NOT NULL,
    day_ends_at      INTEGER NOT NULL,
    due_at           INTEGER NOT NULL,
    revision         INTEGER NOT NULL DEFAULT 0,
    entered_revision INTEGER NOT NULL DEFAULT 0,
    emptied          INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT visit_key_once UNIQUE (key),
    CONSTRAINT visit_key_is_a_hash CHECK (length(key) = 32),
    CONSTRAINT visit_zone_is_known CHECK (zone IN ('WIB', 'WITA', 'WIT')),
    CONSTRAINT visit_entered_what_was_seen CHECK (entered_revision <= revision)
) STRICT;
CREATE INDEX visit_stale ON visit (id) WHERE revision <> entered_revision;

-- Each row ever read, in exactly one counted state (kind, standing, and the entry of its visit).
CREATE TABLE source_row (
    id           INTEGER PRIMARY KEY,
    source       TEXT    NOT NULL,
    file         TEXT    NOT NULL,
    row_key      BLOB    NOT NULL,
    occurrence   INTEGER NOT NULL,
    digest       BLOB    NOT NULL,
    place_sealed BLOB    NOT NULL,
    place_mark   BLOB    NOT NULL,
    kind         TEXT    NOT NULL,
    standing     TEXT    NOT NULL,
    replaced     INTEGER NOT NULL DEFAULT 0,
    reason       TEXT,
    visit        INTEGER REFERENCES visit (id),
    puskesmas    TEXT,
    posyandu     TEXT,
    counted_date TEXT    NOT NULL,
    stamp        INTEGER NOT NULL,
    first_pass   INTEGER NOT NULL REFERENCES pass (id),
    last_pass    INTEGER NOT NULL REFERENCES pass (id),
    CONSTRAINT source_row_once UNIQUE (source, row_key, occurrence),
    CONSTRAINT source_row_key_is_a_hash CHECK (length(row_key) = 32 AND length(digest) = 32),
    CONSTRAINT source_row_occurrence_from_one CHECK (occurrence >= 1),
    CONSTRAINT source_row_kind CHECK (kind IN ('records', 'issue', 'skipped')),
    CONSTRAINT source_row_standing CHECK (standing IN ('current', 'superseded', 'conflict')),
    CONSTRAINT source_row_replaced_is_superseded CHECK (replaced IN (0, 1) AND (replaced = 0 OR standing = 'superseded')),
    CONSTRAINT source_row_conflict_has_records CHECK (standing <> 'conflict' OR kind = 'records'),
    CONSTRAINT source_row_visit_iff_records CHECK ((visit IS NOT NULL) = (kind = 'records')),
    CONSTRAINT source_row_reason_given CHECK (reason IS NOT NULL OR (kind <> 'skipped' AND standing <> 'superseded'))
) STRICT;
CREATE INDEX source_row_by_visit ON source_row (visit) WHERE visit IS NOT NULL;
CREATE INDEX source_row_by_date ON source_row (counted_date, puskesmas, posyandu);
CREATE INDEX source_row_open_issue ON source_row (source, file) WHERE kind = 'issue' AND standing = 'current';
CREATE INDEX source_row_replaced ON source_row (source) WHERE replaced = 1;

-- The checked records of a row. `current` marks those that the visit uses.
CREATE TABLE record (
    id           INTEGER PRIMARY KEY,
    source_row   INTEGER NOT NULL REFERENCES source_row (id),
    visit        INTEGER NOT NULL REFERENCES visit (id),
    dataset      TEXT    NOT NULL,
    record_key   BLOB    NOT NULL,
    content_hash BLOB    NOT NULL,
    sealed       BLOB    NOT NULL,
    current      INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT record_keys_are_hashes CHECK (length(record_key) = 32 AND length(content_hash) = 32),
    CONSTRAINT record_current CHECK (current IN (0, 1))
) STRICT;
CREATE INDEX record_by_row ON record (source_row);
CREATE INDEX record_by_visit ON record (visit);
CREATE UNIQUE INDEX record_one_current ON record (visit, record_key) WHERE current = 1;

-- What one visit becomes at SATUSEHAT: one version of its bundle and how far it got.
CREATE TABLE entry (
    id              INTEGER PRIMARY KEY,
    visit           INTEGER NOT NULL REFERENCES visit (id),
    version         INTEGER NOT NULL,
    predecessor     INTEGER REFERENCES entry (id),
    lane            TEXT    NOT NULL,
    day_ends_at     INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    seq             INTEGER NOT NULL DEFAULT 0,
    due_at          INTEGER NOT NULL,
    blocked_on      TEXT,
    blocked_count   INTEGER NOT NULL DEFAULT 0,
    lease           TEXT,
    lease_until     INTEGER,
    spent           INTEGER NOT NULL DEFAULT 0,
    probes          INTEGER NOT NULL DEFAULT 0,
    content_hash    BLOB    NOT NULL,
    mapping_version TEXT    NOT NULL,
    mapping_refused INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    state_since     INTEGER NOT NULL,
    completed_at    INTEGER,
    CONSTRAINT entry_version_once UNIQUE (visit, version),
    CONSTRAINT entry_state CHECK (state IN ('pending', 'blocked', 'in_flight', 'unknown', 'delivered', 'refused',
        'exhausted', 'waived', 'superseded')),
    CONSTRAINT entry_lease_iff_in_flight CHECK ((lease IS NOT NULL) = (state = 'in_flight')
        AND (lease_until IS NOT NULL) = (state = 'in_flight')),
    CONSTRAINT entry_blocked_on_iff_blocked CHECK ((blocked_on IS NOT NULL) = (state = 'blocked')),
    CONSTRAINT entry_completed_iff_final CHECK ((completed_at IS NOT NULL) =
        (state IN ('delivered', 'refused', 'exhausted', 'waived', 'superseded'))),
    CONSTRAINT entry_mapping_refused_is_never_sent CHECK (mapping_refused IN (0, 1) AND (mapping_refused = 0
        OR state NOT IN ('in_flight', 'unknown', 'delivered', 'exhausted'))),
    CONSTRAINT entry_counts_not_negative CHECK (spent >= 0 AND probes >= 0 AND version >= 1 AND seq >= 0),
    CONSTRAINT entry_content_hash_is_a_hash CHECK (length(content_hash) = 32)
) STRICT;
CREATE UNIQUE INDEX entry_one_live_per_visit ON entry (visit)
    WHERE state <> 'superseded' AND blocked_on IS NOT 'predecessor';
CREATE UNIQUE INDEX entry_one_successor_per_visit ON entry (visit) WHERE blocked_on = 'predecessor';
CREATE INDEX entry_claimable ON entry (lane, day_ends_at, id) WHERE state = 'pending';
CREATE INDEX entry_leased ON entry (lease_until) WHERE state = 'in_flight';
CREATE INDEX entry_in_doubt ON entry (due_at) WHERE state = 'unknown';
CREATE INDEX entry_waiting ON entry (due_at) WHERE state = 'blocked';

-- The sealed content stands apart: a change of state must not rewrite kilobytes.
CREATE TABLE entry_content (
    entry         INTEGER PRIMARY KEY REFERENCES entry (id),
    bundle_sealed BLOB NOT NULL,
    person_sealed BLOB NOT NULL
) STRICT;

-- Each resource of an entry. `server_hash` is the content that the server was last known to hold.
CREATE TABLE entry_resource (
    entry             INTEGER NOT NULL REFERENCES entry (id),
    position          INTEGER NOT NULL,
    resource_type     TEXT    NOT NULL,
    identifier_system TEXT    NOT NULL,
    identifier_value  TEXT    NOT NULL,
    full_url          TEXT    NOT NULL,
    content_hash      BLOB    NOT NULL,
    server_id         TEXT,
    server_version    TEXT,
    server_hash       BLOB,
    verified          TEXT,
    verified_at       INTEGER,
    PRIMARY KEY (entry, position),
    CONSTRAINT entry_resource_hashes CHECK (length(content_hash) = 32 AND (server_hash IS NULL OR length(server_hash) = 32)),
    CONSTRAINT entry_resource_hash_iff_on_server CHECK ((server_id IS NULL) = (server_hash IS NULL)
        AND (server_version IS NULL OR server_id IS NOT NULL)),
    CONSTRAINT entry_resource_finding CHECK (verified IN ('equal', 'different', 'missing')),
    CONSTRAINT entry_resource_finding_has_time CHECK ((verified IS NULL) = (verified_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entry_delivered_has_server_ids BEFORE UPDATE OF state ON entry
WHEN NEW.state = 'delivered' AND EXISTS
    (SELECT 1 FROM entry_resource WHERE entry = NEW.id AND (server_id IS NULL OR server_hash <> content_hash))
BEGIN
    SELECT RAISE(ABORT, 'entry_delivered_has_server_ids');
END;

-- History, append-only.
CREATE TABLE event (
    entry  INTEGER NOT NULL REFERENCES entry (id),
    seq    INTEGER NOT NULL,
    event  TEXT    NOT NULL,
    state  TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (entry, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    id           INTEGER PRIMARY KEY,
    entry        INTEGER NOT NULL REFERENCES entry (id),
    lease        TEXT    NOT NULL,
    request_hash BLOB    NOT NULL,
    begun_at     INTEGER NOT NULL,
    CONSTRAINT attempt_one_per_lease UNIQUE (entry, lease),
    CONSTRAINT attempt_request_hash_is_a_hash CHECK (length(request_hash) = 32)
) STRICT;

CREATE TABLE attempt_end (
    attempt       INTEGER PRIMARY KEY REFERENCES attempt (id),
    outcome       TEXT    NOT NULL,
    status        INTEGER,
    request_id    TEXT,
    class         TEXT    NOT NULL,
    excerpt       TEXT    NOT NULL,
    rules         TEXT    NOT NULL,
    duration_ms   INTEGER NOT NULL,
    issues_sealed BLOB,
    ended_at      INTEGER NOT NULL,
    CONSTRAINT attempt_end_status CHECK (status BETWEEN 100 AND 999)
) STRICT;

CREATE TABLE decision (
    id            INTEGER PRIMARY KEY,
    entry         INTEGER NOT NULL REFERENCES entry (id),
    event         TEXT    NOT NULL,
    reason_sealed BLOB    NOT NULL,
    at            INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_by_entry ON decision (entry);

CREATE TRIGGER event_append_only_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'event_append_only'); END;
CREATE TRIGGER event_append_only_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'event_append_only'); END;
CREATE TRIGGER attempt_append_only_update BEFORE UPDATE ON attempt BEGIN SELECT RAISE(ABORT, 'attempt_append_only'); END;
CREATE TRIGGER attempt_append_only_delete BEFORE DELETE ON attempt BEGIN SELECT RAISE(ABORT, 'attempt_append_only'); END;
CREATE TRIGGER attempt_end_append_only_update BEFORE UPDATE ON attempt_end
BEGIN SELECT RAISE(ABORT, 'attempt_end_append_only'); END;
CREATE TRIGGER attempt_end_append_only_delete BEFORE DELETE ON attempt_end
BEGIN SELECT RAISE(ABORT, 'attempt_end_append_only'); END;
CREATE TRIGGER decision_append_only_update BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'decision_append_only'); END;
CREATE TRIGGER decision_append_only_delete BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'decision_append_only'); END;

-- Problems of a row or of an entry; arguments and place are sealed.
CREATE TABLE issue (
    id         INTEGER PRIMARY KEY,
    source_row INTEGER REFERENCES source_row (id),
    entry      INTEGER REFERENCES entry (id),
    severity   TEXT    NOT NULL,
    rule       TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    CONSTRAINT issue_of_one_thing CHECK ((source_row IS NULL) <> (entry IS NULL)),
    CONSTRAINT issue_severity CHECK (severity IN ('information', 'warning', 'error'))
) STRICT;
CREATE INDEX issue_by_row ON issue (source_row) WHERE source_row IS NOT NULL;
CREATE INDEX issue_by_entry ON issue (entry) WHERE entry IS NOT NULL;

-- Server ids of persons by keyed hash, and access tokens: both only spare calls and may be emptied at any time.
CREATE TABLE identity (
    kind       TEXT    NOT NULL,
    key        BLOB    NOT NULL,
    server_id  TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, key),
    CONSTRAINT identity_key_is_a_hash CHECK (length(key) = 32)
) STRICT, WITHOUT ROWID;

CREATE INDEX identity_expiring ON identity (expires_at);

CREATE TABLE token (
    client     TEXT    NOT NULL PRIMARY KEY,
    sealed     BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
