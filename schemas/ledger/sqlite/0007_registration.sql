-- What must be at SATUSEHAT before a visit can refer to it, and is created alone: Patients, Organizations, Locations.
-- The begun row is durable before the first byte leaves; what has no clear answer is looked up before it is repeated.
-- Nothing personal in clear: `key` is a keyed hash of what identifies it, complaints are sealed.
CREATE TABLE registration (
    id            INTEGER PRIMARY KEY,
    lane          TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    key           BLOB    NOT NULL,
    state         TEXT    NOT NULL,
    seq           INTEGER NOT NULL,
    request_hash  BLOB    NOT NULL,
    creates       INTEGER NOT NULL,
    probes        INTEGER NOT NULL,
    lease_until   INTEGER,
    due_at        INTEGER NOT NULL,
    state_since   INTEGER NOT NULL,
    waits_for     TEXT,
    server_id     TEXT,
    issues_sealed BLOB,
    CONSTRAINT registration_once UNIQUE (kind, key),
    CONSTRAINT registration_state CHECK (state IN ('sending', 'unknown', 'waiting', 'refused', 'held')),
    CONSTRAINT registration_lease_iff_sending CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    CONSTRAINT registration_waits_for_something CHECK ((state IN ('waiting', 'refused')) = (waits_for IS NOT NULL)),
    CONSTRAINT registration_id_iff_held CHECK ((state = 'held') = (server_id IS NOT NULL)),
    CONSTRAINT registration_key_is_a_hash CHECK (length(key) = 32),
    CONSTRAINT registration_request_hash_is_a_hash CHECK (length(request_hash) = 32),
    CONSTRAINT registration_counts CHECK (seq >= 1 AND creates >= 0 AND probes >= 0)
) STRICT;

-- Everything that happened to a registration, never changed.
CREATE TABLE registration_event (
    registration INTEGER NOT NULL REFERENCES registration (id),
    seq          INTEGER NOT NULL,
    event        TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    request_hash BLOB    NOT NULL,
    status       INTEGER,
    request_id   TEXT,
    class        TEXT,
    excerpt      TEXT,
    rules        TEXT,
    at           INTEGER NOT NULL,
    PRIMARY KEY (registration, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER registration_event_append_only_update BEFORE UPDATE ON registration_event
BEGIN SELECT RAISE(ABORT, 'registration_event_append_only'); END;
CREATE TRIGGER registration_event_append_only_delete BEFORE DELETE ON registration_event
BEGIN SELECT RAISE(ABORT, 'registration_event_append_only'); END;

-- What a person must know of an event that sent nothing, such as why nobody could be registered; sealed.
CREATE TABLE event_complaint (
    entry  INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    sealed BLOB    NOT NULL,
    PRIMARY KEY (entry, seq),
    FOREIGN KEY (entry, seq) REFERENCES event (entry, seq)
) STRICT, WITHOUT ROWID;

-- The cache of identities also remembers for a while who was not found, and why.
DROP TABLE identity;
CREATE TABLE identity (
    kind       TEXT    NOT NULL,
    key        BLOB    NOT NULL,
    server_id  TEXT,
    missing    TEXT,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, key),
    CONSTRAINT identity_key_is_a_hash CHECK (length(key) = 32),
    CONSTRAINT identity_found_or_missing CHECK ((server_id IS NULL) <> (missing IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_expiring ON identity (expires_at);
