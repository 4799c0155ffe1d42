-- Who may look at the pages. Passwords are argon2id, codes and tokens keyed hashes; names are those of staff.
CREATE TABLE account (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL,
    role        TEXT    NOT NULL,
    puskesmas   TEXT,
    posyandu    TEXT,
    password    TEXT,
    code        BLOB,
    code_until  INTEGER,
    disabled_at INTEGER,
    made_at     INTEGER NOT NULL,
    CONSTRAINT account_name_once UNIQUE (name),
    CONSTRAINT account_role CHECK (role IN ('kader', 'puskesmas', 'dinkes', 'auditor', 'admin')),
    CONSTRAINT account_place CHECK ((puskesmas IS NOT NULL) = (role IN ('kader', 'puskesmas'))
        AND (posyandu IS NOT NULL) = (role = 'kader')),
    CONSTRAINT account_code_ends CHECK ((code IS NULL) = (code_until IS NULL)),
    CONSTRAINT account_code_is_a_hash CHECK (code IS NULL OR length(code) = 32)
) STRICT;

-- Who is logged in: gone with the log-out, with a new password, and when it ran out.
CREATE TABLE login (
    token    BLOB    NOT NULL PRIMARY KEY,
    account  INTEGER NOT NULL REFERENCES account (id),
    begun_at INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL,
    CONSTRAINT login_token_is_a_hash CHECK (length(token) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_by_account ON login (account);

-- Who looked at whom, and who decided what; never changed. Reasons are sealed.
CREATE TABLE audit (
    id            INTEGER PRIMARY KEY,
    at            INTEGER NOT NULL,
    account       TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    action        TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    command       TEXT,
    reason_sealed BLOB
) STRICT;
CREATE TRIGGER audit_append_only_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END;
CREATE TRIGGER audit_append_only_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END;

-- Decisions about entries by the id of the command that brought them: the same command twice is one decision.
CREATE TABLE decision_command (
    command TEXT    NOT NULL PRIMARY KEY,
    entry   INTEGER NOT NULL REFERENCES entry (id),
    event   TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE TRIGGER decision_command_append_only_update BEFORE UPDATE ON decision_command
BEGIN SELECT RAISE(ABORT, 'decision_command_append_only'); END;
CREATE TRIGGER decision_command_append_only_delete BEFORE DELETE ON decision_command
BEGIN SELECT RAISE(ABORT, 'decision_command_append_only'); END;

-- What pages ask for, so that none reads the whole ledger: a day's visits, and what waits for a person by day.
CREATE INDEX visit_by_date ON visit (service_date, puskesmas, posyandu);
CREATE INDEX source_row_for_person ON source_row (counted_date, id, puskesmas, posyandu, standing)
    WHERE standing <> 'superseded' AND (kind = 'issue' OR standing = 'conflict');
CREATE INDEX entry_for_person ON entry (day_ends_at, id) WHERE state IN ('blocked', 'refused', 'exhausted');
