-- What somebody should look at now: raised when its condition begins, ended when it is over. Not part of the books: it
-- says nothing about visits, and no personal data stands in it.
CREATE TABLE alarm (
    id        INTEGER PRIMARY KEY,
    kind      TEXT    NOT NULL,
    about     TEXT    NOT NULL,
    level     TEXT    NOT NULL,
    details   TEXT    NOT NULL,
    raised_at INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL,
    ended_at  INTEGER,
    CONSTRAINT alarm_kind CHECK (kind IN ('deadline', 'lane_stopped', 'mass_refusal', 'clock_skew', 'disk',
        'certificate', 'secret'))
) STRICT;
CREATE UNIQUE INDEX alarm_one_open ON alarm (kind, about) WHERE ended_at IS NULL;
CREATE INDEX alarm_newest ON alarm (raised_at);

-- Messages about alarms that are to be handed to the webhook; one id for all tries.
CREATE TABLE alarm_message (
    id         TEXT    NOT NULL PRIMARY KEY,
    alarm      INTEGER NOT NULL REFERENCES alarm (id),
    is_raised  INTEGER NOT NULL,
    made_at    INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    settled_at INTEGER,
    accepted   INTEGER NOT NULL DEFAULT 0,
    words      TEXT    NOT NULL DEFAULT '',
    CONSTRAINT alarm_message_truths CHECK (is_raised IN (0, 1) AND accepted IN (0, 1)),
    CONSTRAINT alarm_message_tries CHECK (tries >= 0),
    CONSTRAINT alarm_message_accepted_is_settled CHECK (accepted = 0 OR settled_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX alarm_message_due ON alarm_message (due_at) WHERE settled_at IS NULL;
