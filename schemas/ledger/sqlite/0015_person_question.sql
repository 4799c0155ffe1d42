-- Rows that fit more than one person, or another than their number says: what they ask, and whom they may mean. Asked
-- anew by every reading. `key` is a keyed hash over what the row says, so that an answer holds for that only; `nik` is
-- the keyed name of a number that nobody has yet.
CREATE TABLE person_question (
    id      INTEGER PRIMARY KEY,
    source  TEXT NOT NULL,
    row_key BLOB NOT NULL,
    key     BLOB NOT NULL,
    rule    TEXT NOT NULL,
    nik     BLOB,
    CONSTRAINT person_question_once UNIQUE (source, row_key),
    CONSTRAINT person_question_keys_are_hashes CHECK (length(row_key) = 32 AND length(key) = 32
        AND (nik IS NULL OR length(nik) = 32))
) STRICT;

-- Whom a row may mean.
CREATE TABLE person_candidate (
    question INTEGER NOT NULL REFERENCES person_question (id),
    person   INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (question, person)
) STRICT, WITHOUT ROWID;

-- Rows that became visits by an answer: taken back with it. Told anew by every reading.
CREATE TABLE person_carried (
    question INTEGER NOT NULL REFERENCES person_question (id),
    source   TEXT    NOT NULL,
    row_key  BLOB    NOT NULL,
    PRIMARY KEY (question, source, row_key),
    CONSTRAINT person_carried_key_is_a_hash CHECK (length(row_key) = 32)
) STRICT, WITHOUT ROWID;

-- Who a row is about by a person's word, known by the id of the command that brought it; the last one holds. `identity`
-- is the keyed hash that names the person in visits, `nik` the keyed name of a number that became that person's.
CREATE TABLE person_decision (
    id            INTEGER PRIMARY KEY,
    question      INTEGER NOT NULL REFERENCES person_question (id),
    key           BLOB    NOT NULL,
    command       TEXT    NOT NULL,
    verdict       TEXT    NOT NULL,
    identity      BLOB,
    nik           BLOB,
    reason_sealed BLOB    NOT NULL,
    at            INTEGER NOT NULL,
    CONSTRAINT person_decision_command_once UNIQUE (command),
    CONSTRAINT person_decision_verdict CHECK (verdict IN ('same', 'other', 'open')),
    CONSTRAINT person_decision_names_somebody CHECK ((identity IS NULL) = (verdict = 'open')),
    CONSTRAINT person_decision_keys_are_hashes CHECK (length(key) = 32 AND (identity IS NULL OR length(identity) = 32)
        AND (nik IS NULL OR length(nik) = 32))
) STRICT;
CREATE INDEX person_decision_by_key ON person_decision (key, id);
CREATE INDEX person_decision_by_identity ON person_decision (identity);
CREATE INDEX person_decision_by_number ON person_decision (nik) WHERE nik IS NOT NULL;
CREATE INDEX person_decision_by_question ON person_decision (question, id);
CREATE TRIGGER person_decision_append_only_update BEFORE UPDATE ON person_decision
BEGIN SELECT RAISE(ABORT, 'person_decision_append_only'); END;
CREATE TRIGGER person_decision_append_only_delete BEFORE DELETE ON person_decision
BEGIN SELECT RAISE(ABORT, 'person_decision_append_only'); END;
