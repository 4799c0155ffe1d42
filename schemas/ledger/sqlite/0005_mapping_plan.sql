-- Plans to send delivered visits again because the mapping changed. Nothing of a plan is carried out before a person
-- approves it; then only what maps with exactly the version of the plan is mapped again.
CREATE TABLE mapping_plan (
    id          INTEGER PRIMARY KEY,
    new_version TEXT    NOT NULL,
    made_at     INTEGER NOT NULL,
    added       INTEGER NOT NULL,
    changed     INTEGER NOT NULL,
    left_out    INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    CONSTRAINT mapping_plan_counts CHECK (added >= 0 AND changed >= 0 AND left_out >= 0 AND refused >= 0)
) STRICT;

-- The visits of a plan, each with the version that was delivered.
CREATE TABLE mapping_plan_visit (
    plan        INTEGER NOT NULL REFERENCES mapping_plan (id),
    visit       INTEGER NOT NULL REFERENCES visit (id),
    old_version TEXT    NOT NULL,
    PRIMARY KEY (plan, visit)
) STRICT, WITHOUT ROWID;

-- A person's decision, known by the id of the command that brought it: the same command twice is one decision.
CREATE TABLE mapping_plan_approval (
    plan          INTEGER PRIMARY KEY REFERENCES mapping_plan (id),
    command       TEXT    NOT NULL,
    reason_sealed BLOB    NOT NULL,
    at            INTEGER NOT NULL,
    CONSTRAINT mapping_plan_approval_command_once UNIQUE (command)
) STRICT;

CREATE TRIGGER mapping_plan_append_only_update BEFORE UPDATE ON mapping_plan
BEGIN SELECT RAISE(ABORT, 'mapping_plan_append_only'); END;
CREATE TRIGGER mapping_plan_append_only_delete BEFORE DELETE ON mapping_plan
BEGIN SELECT RAISE(ABORT, 'mapping_plan_append_only'); END;
CREATE TRIGGER mapping_plan_visit_append_only_update BEFORE UPDATE ON mapping_plan_visit
BEGIN SELECT RAISE(ABORT, 'mapping_plan_visit_append_only'); END;
CREATE TRIGGER mapping_plan_visit_append_only_delete BEFORE DELETE ON mapping_plan_visit
BEGIN SELECT RAISE(ABORT, 'mapping_plan_visit_append_only'); END;
CREATE TRIGGER mapping_plan_approval_append_only_update BEFORE UPDATE ON mapping_plan_approval
BEGIN SELECT RAISE(ABORT, 'mapping_plan_approval_append_only'); END;
CREATE TRIGGER mapping_plan_approval_append_only_delete BEFORE DELETE ON mapping_plan_approval
BEGIN SELECT RAISE(ABORT, 'mapping_plan_approval_append_only'); END;

-- The mapping that made what the server holds of a resource; a newer version of its visit that leaves it as it is keeps it.
ALTER TABLE entry_resource ADD COLUMN server_mapping TEXT;
UPDATE entry_resource SET server_mapping = (SELECT mapping_version FROM entry WHERE entry.id = entry_resource.entry)
    WHERE server_id IS NOT NULL;
