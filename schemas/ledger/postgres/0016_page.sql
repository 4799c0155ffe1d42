-- What a page of a ledger with a million visits asks for: a day's rows without reading the rows themselves, and what
-- waits for a decision among all that was ever decided.
DROP INDEX source_row_by_date;
CREATE INDEX source_row_by_date ON source_row (counted_date, puskesmas, posyandu, kind, standing, visit);
CREATE INDEX removal_waiting ON removal (visit) WHERE state IN ('proposed', 'confirmed', 'refused');
