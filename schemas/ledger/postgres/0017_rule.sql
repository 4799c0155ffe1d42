-- The work list by rule: whether a row or a visit breaks it is answered by the index, without reading the issues.
DROP INDEX issue_by_row;
CREATE INDEX issue_by_row ON issue (source_row, rule) WHERE source_row IS NOT NULL;
DROP INDEX issue_by_entry;
CREATE INDEX issue_by_entry ON issue (entry, rule) WHERE entry IS NOT NULL;
