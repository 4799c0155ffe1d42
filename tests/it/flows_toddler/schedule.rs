//! The national schedule: which codes an antigen has and which reason a dose (satusehat-profiles.md, section 4.2).

use super::immunization::{NAKES, REASON, dose};

/// Antigen, dose, further line, reason (sections 4.1 and 4.2, column reasonCode).
const SCHEDULE: &[(&str, u8, &str, &str)] = &[
    ("HB0", 1, "", "IM-Dasar"),
    ("BCG", 1, "", "IM-Dasar"),
    ("OPV", 1, "", "IM-Dasar"),
    ("OPV", 4, "", "IM-Dasar"),
    ("IPV", 2, "", "IM-Dasar"),
    ("DPT-HB-HIB", 3, "", "IM-Dasar"),
    ("DPT-HB-HIB", 4, "", "IM-Baduta"),
    ("MR", 1, "", "IM-Dasar"),
    ("MR", 2, "", "IM-Baduta"),
    ("MR", 3, "", "IM-SD"),
    ("PCV", 2, "", "IM-Dasar"),
    ("PCV", 3, "", "IM-Baduta"),
    ("RV", 3, "", "IM-Dasar"),
    ("JE", 1, "", "IM-Dasar"),
    ("HPV", 2, "", "IM-SD"),
    ("DT", 1, "", "IM-SD"),
    ("Td", 1, "; kelompok_sasaran: usek_remaja", "IM-SD"),
    ("Td", 2, "; kelompok_sasaran: dewasa", "IM-WUS"),
    ("TT", 5, "", "IM-WUS"),
    ("COVID-19", 1, "", "IM-Khusus"),
];

#[test]
fn each_dose_of_the_schedule_has_its_reason() {
    for (antigen, number, more, reason) in SCHEDULE {
        let visit = dose(antigen, "2026-11-18", &format!("{NAKES}; dosis_ke: {number}{more}"));
        visit.has(
            "imunisasi_nakes",
            &[("reasonCode[0].coding[0].system", REASON), ("reasonCode[0].coding[0].code", reason)],
        );
    }
}

/// Antigen and its groups and CVX code (section 4.2).
const CODES: &[(&str, &[&str])] = &[
    ("HB0", &["VG45", "08"]),
    ("BCG", &["VG19", "19"]),
    ("OPV", &["VG89", "178"]),
    ("IPV", &["VG89", "10"]),
    ("DPT-HB-HIB", &["VG17", "VG45", "VG107", "198"]),
    ("MR", &["VG03", "4"]),
    ("PCV", &["VG152", "152"]),
    ("RV", &["VG122"]),
    ("JE", &["VG129", "134"]),
    ("HPV", &["VG137", "62"]),
    ("DT", &["VG107", "28"]),
    ("Td", &["VG139", "139"]),
    ("TT", &["VG139", "35"]),
    ("COVID-19", &["VG213"]),
];

#[test]
fn each_antigen_has_the_codes_of_the_schedule() {
    for (antigen, codes) in CODES {
        let visit = dose(antigen, "2026-11-18", &format!("{NAKES}; dosis_ke: 1"));
        let found: Vec<&str> = visit.0["imunisasi_nakes"]
            .iter()
            .filter(|(path, _)| path.starts_with("vaccineCode.") && path.ends_with(".code"))
            .map(|(_, code)| code.as_str())
            .collect();
        assert_eq!(found, *codes, "{antigen}");
    }
}
