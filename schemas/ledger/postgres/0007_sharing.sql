-- What daemons that share a ledger must agree on. Who reads a file or table: one of them at a time.
CREATE TABLE reading (
    source  text COLLATE "C" NOT NULL,
    file    text COLLATE "C" NOT NULL,
    pass    bigint NOT NULL REFERENCES pass (id),
    holder  text COLLATE "C" NOT NULL,
    held_until bigint NOT NULL,
    PRIMARY KEY (source, file)
);

-- From when on the next calls under a client id may be made: what is before that is given away already.
CREATE TABLE call_allowance (
    client  text COLLATE "C" NOT NULL PRIMARY KEY,
    free_at bigint NOT NULL
);
