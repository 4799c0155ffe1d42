//! The addresses that each role may ask for: every page, and every filter with every other one.
//!
//! It must not know what they answer.

use posyandu_gateway::http::dashboard::access::{Page, may};
use posyandu_gateway::ledger::account::Role;

/// The day that runs, the busiest one, and one long past.
const DAYS: [&str; 3] = ["", "2026-11-17", "2026-03-04"];
/// A puskesmas with a posyandu of it.
pub const PLACE: [&str; 2] = ["Puskesmas 7", "P7"];

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Address {
    /// What it belongs to.
    pub page: Page,
    /// The address.
    pub path: String,
    /// Fields of a form; empty for a look.
    pub form: String,
}

/// Entries whose stories are looked at.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Of the whole city.
    pub stories: Vec<i64>,
    /// Of the place of kader and puskesmas.
    pub own_stories: Vec<i64>,
    /// A row that asks whom it means.
    pub question: i64,
    /// The same in the place of kader and puskesmas.
    pub own_question: i64,
}

/// Everything that a role may look at.
pub fn of(role: Role, shown: &Shown) -> Vec<Address> {
    let mut all = Vec::new();
    let mut add = |page: Page, path: String| {
        if may(Some(role), page) {
            all.push(Address { page, path, form: String::new() });
        }
    };
    let has_place = matches!(role, Role::Kader | Role::Puskesmas);
    for day in DAYS {
        for (puskesmas, posyandu) in places(role) {
            add(Page::Today, joined("/", &[("tanggal", day), ("puskesmas", puskesmas), ("posyandu", posyandu)]));
        }
        add(Page::Reports, joined("/laporan", &[("tanggal", day)]));
    }
    work(role, &mut add);
    add(Page::Queue, "/antrean".to_owned());
    add(Page::Discrepancies, "/selisih".to_owned());
    for class in ["missing_at_server", "different_at_server", "blocked"] {
        add(Page::DiscrepancyList, joined("/selisih", &[("kelas", class)]));
        add(Page::DiscrepancyList, joined("/selisih", &[("kelas", class), ("siapa", "platform"), ("umur", "7")]));
    }
    add(Page::DiscrepancyList, "/selisih?keadaan=waived".to_owned());
    add(Page::Seals, "/segel".to_owned());
    add(Page::Seals, joined("/segel", &[("dari", "2026-09-01"), ("sampai", "2026-11-17")]));
    add(Page::Persons, "/orang".to_owned());
    add(Page::Persons, "/orang?keadaan=sudah".to_owned());
    let question = if has_place { shown.own_question } else { shown.question };
    add(Page::Persons, format!("/orang/{question}"));
    add(Page::Mapping, "/pemetaan".to_owned());
    add(Page::Mapping, "/pemetaan?data=kunjungan_balita".to_owned());
    add(Page::Decisions, "/keputusan".to_owned());
    add(Page::Accounts, "/akun".to_owned());
    for before in ["", "50000"] {
        add(Page::Audit, joined("/audit", &[("sebelum", before)]));
    }
    let stories = if has_place { &shown.own_stories } else { &shown.stories };
    for number in stories {
        add(Page::Story, format!("/kunjungan/{number}"));
    }
    for number in stories.iter().take(1).filter(|_| may(Some(role), Page::Names)) {
        let (path, form) = (format!("/kunjungan/{number}/nama"), "alasan=diminta".to_owned());
        all.push(Address { page: Page::Names, path, form });
    }
    all
}

/// No place, a puskesmas, a posyandu; whoever has a place sees no other.
fn places(role: Role) -> Vec<(&'static str, &'static str)> {
    let [puskesmas, posyandu] = PLACE;
    match role {
        Role::Kader => vec![("", "")],
        Role::Puskesmas => vec![("", ""), ("", posyandu)],
        _ => vec![("", ""), (puskesmas, ""), (puskesmas, posyandu)],
    }
}

/// The work list under each of its filters with each other one; the second page too.
fn work(role: Role, add: &mut impl FnMut(Page, String)) {
    let dates = [("", ""), ("2026-10-01", "2026-10-31"), ("2026-03-04", "2026-03-04"), ("", "2025-12-31")];
    let rules = ["", "posyandu.unknown", "weight.unreadable", "patient", "tidak.ada"];
    for actor in ["", "kader", "puskesmas", "mapping", "platform"] {
        for (puskesmas, posyandu) in places(role) {
            for (from, to) in dates {
                for rule in rules {
                    for after in ["", "2026-06-01.900000.1763000000000000000.10700000"] {
                        let values = [
                            ("puskesmas", puskesmas),
                            ("posyandu", posyandu),
                            ("siapa", actor),
                            ("dari", from),
                            ("sampai", to),
                            ("aturan", rule),
                            ("sesudah", after),
                        ];
                        add(Page::Work, joined("/kerja", &values));
                    }
                }
            }
        }
    }
}

/// An address with those values that are not empty.
fn joined(path: &str, values: &[(&str, &str)]) -> String {
    let given = values.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", value.replace(' ', "%20"))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}
