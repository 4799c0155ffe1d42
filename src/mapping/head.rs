//! The visit itself as a record: nobody writes it down, it follows from what was recorded.
//!
//! The only place that decides why a visit took place; it must not know what is sent for it.

use std::sync::Arc;

use jiff::civil::Date;

use crate::issue::Place;
use crate::record::date::months_between;
use crate::record::schema::Schema;
use crate::record::{Record, Value};

/// Makes the visit's record: its date, the age of a person `born` on a known day, the group served, and the services
/// found among `records`.
///
/// The date is tied to the column of whichever service was read first.
#[must_use]
pub fn visit_record(
    schema: &Arc<Schema>,
    date: Date,
    born: Option<Date>,
    group: &str,
    records: &[&Record],
    place: Place,
) -> Record {
    let has = |dataset: &str| records.iter().any(|record| record.schema.dataset == dataset);
    let is_at_home = records.iter().all(|record| record.schema.dataset == "kunjungan_rumah");
    let reason = match (has("kunjungan_balita"), has("imunisasi")) {
        (true, true) => "penimbangan_imunisasi",
        (true, false) => "penimbangan",
        (false, true) => "imunisasi",
        (false, false) if is_at_home => "kunjungan_rumah",
        (false, false) => "pemeriksaan",
    };
    let column = records.iter().find_map(|record| record.place_of("tanggal").column);
    let count = schema.fields.len();
    let mut record =
        Record { values: vec![None; count], columns: vec![None; count], place, schema: Arc::clone(schema) };
    let months = born.map(|born| months_between(born, date)).filter(|months| *months >= 0);
    let values = [
        ("tanggal", Some(Value::Date(date))),
        ("kelompok_sasaran", Some(Value::Text(group.to_owned()))),
        ("alasan", Some(Value::Text(reason.to_owned()))),
        ("umur_bulan", months.map(Value::Integer)),
    ];
    for (field, value) in values {
        if let Some(index) = schema.index(field) {
            record.values[index] = value;
            if field == "tanggal" {
                record.columns[index] = column.as_deref().map(Arc::from);
            }
        }
    }
    if let (true, Some(index)) = (group == "ibu_nifas_menyusui", schema.index("masa_nifas")) {
        let birth = records.iter().find_map(|record| record.date("tanggal_bersalin"));
        record.values[index] = Some(Value::Boolean(is_puerperium(birth, date)));
    }
    record
}

/// Last day of the puerperium after the day of birth, in days (posyandu records, section 2.5: KF4 is days 29 to 42).
const PUERPERIUM_DAYS: i32 = 42;

/// Whether a day lies in the puerperium. Without a day of birth nobody can tell, and a mother counts as breastfeeding.
fn is_puerperium(birth: Option<Date>, day: Date) -> bool {
    birth.is_some_and(|birth| (0..=PUERPERIUM_DAYS).contains(&(day - birth).get_days()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_puerperium_ends_on_its_42nd_day() {
        let birth = Some(date(2026, 10, 7));
        assert!(is_puerperium(birth, date(2026, 10, 7)));
        assert!(is_puerperium(birth, date(2026, 11, 18)));
        assert!(!is_puerperium(birth, date(2026, 11, 19)));
        assert!(!is_puerperium(birth, date(2026, 10, 6)));
        assert!(!is_puerperium(None, date(2026, 10, 7)));
    }
}
