-- What daemons that share a ledger must agree on. Who reads a file or table: one of them at a time.
CREATE TABLE reading (
    source  TEXT    NOT NULL,
    file    TEXT    NOT NULL,
    pass    INTEGER NOT NULL REFERENCES pass (id),
    holder  TEXT    NOT NULL,
    held_until INTEGER NOT NULL,
    PRIMARY KEY (source, file)
) STRICT;

-- From when on the next calls under a client id may be made: what is before that is given away already.
CREATE TABLE call_allowance (
    client  TEXT    NOT NULL PRIMARY KEY,
    free_at INTEGER NOT NULL
) STRICT;
