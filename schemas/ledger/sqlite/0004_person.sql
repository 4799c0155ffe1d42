-- The directory of persons: whom rows have told so far. Nothing personal in clear: `identity` and `key` are keyed
-- hashes, the rest is sealed. `identity` never changes, since visits are named by it.
CREATE TABLE person (
    id       INTEGER PRIMARY KEY,
    identity BLOB    NOT NULL,
    sealed   BLOB    NOT NULL,
    CONSTRAINT person_identity_once UNIQUE (identity),
    CONSTRAINT person_identity_is_a_hash CHECK (length(identity) = 32)
) STRICT;

-- By what a person is found: number; family, name and birth; name, birth, mother and village; mother, birth and
-- posyandu. A number belongs to one person, also when two write at once.
CREATE TABLE person_alias (
    kind   TEXT    NOT NULL,
    key    BLOB    NOT NULL,
    person INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (kind, key, person),
    CONSTRAINT person_alias_kind CHECK (kind IN ('nik', 'kk', 'nama', 'bayi')),
    CONSTRAINT person_alias_key_is_a_hash CHECK (length(key) = 32)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX person_alias_one_number ON person_alias (key) WHERE kind = 'nik';
CREATE INDEX person_alias_by_person ON person_alias (person);
