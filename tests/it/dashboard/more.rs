//! What the newer pages show: discrepancies, sealed days, rows that fit several persons, a removal.

use posyandu_gateway::clock::Zone;
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::discrepancy::{Cause, Class, Comparison, Found};
use posyandu_gateway::ledger::entry::EntryId;
use posyandu_gateway::ledger::person::{AliasKind, PersonTold};
use posyandu_gateway::ledger::question::{Asking, Doubts};
use posyandu_gateway::ledger::row::{RowKind, RowSeen};
use posyandu_gateway::ledger::standing::{LATE, Part, SAME_DAY};
use posyandu_gateway::ledger::state::Event;
use posyandu_gateway::ledger::statement::{Kind, NewStatement};
use posyandu_gateway::redact::Personal;
use posyandu_gateway::report::statement::{Content, Counted, Difference};
use serde_json::json;

use super::site::{HOSTILE, NAME, NIK, Site, end, visits};
use crate::ledger::{DAY, sha};

/// A name that belongs to the other puskesmas.
pub const NAME_ELSEWHERE: &str = "Cendana Rahasia";

impl Site {
    /// Discrepancies 1 (of entry 1, in the north) and 2 (foreign, in the middle); sealed days of both; questions 1 (of
    /// UTR-01: persons 1 and 2, the second of another puskesmas) and 2 (of TGH-01: a shared number); removals 1 and 2 of
    /// UTR-03.
    pub async fn more(self) -> Self {
        discrepancies(&self).await;
        seals(&self).await;
        questions(&self.ledger).await;
        removal(&self).await;
        self
    }
}

async fn discrepancies(site: &Site) {
    let found = |entry: Option<i64>, class, thing: &str, (puskesmas, posyandu): (&str, &str), cause| Found {
        class,
        thing: thing.to_owned(),
        entry: entry.map(EntryId::from_number),
        puskesmas: puskesmas.to_owned(),
        posyandu: posyandu.to_owned(),
        service_date: DAY,
        cause,
        evidence: HOSTILE.to_owned(),
    };
    let north =
        found(Some(1), Class::DifferentAtServer, "Encounter/id-0", ("Puskesmas Utara", "UTR-01"), Cause::Server);
    let foreign = found(None, Class::UnknownToUs, "Encounter/x", ("Puskesmas Tengah", "TGH-01"), Cause::Foreign);
    for found in [north, foreign] {
        let comparison = Comparison { found: vec![found], ..Comparison::default() };
        site.ledger.note_comparison(comparison).await.unwrap();
        site.clock.advance(std::time::Duration::from_secs(3 * 24 * 60 * 60));
    }
}

async fn seals(site: &Site) {
    for puskesmas in ["Puskesmas Utara", "Puskesmas Tengah"] {
        let content = |late: u64, difference| {
            let mut counted = Counted { read: 40 + late, ..Counted::default() };
            counted.rows.add(Part::Accepted, SAME_DAY, 30);
            counted.rows.add(Part::Accepted, LATE, late);
            counted.rows.add(Part::Refused, "posyandu.unknown", 10);
            Content {
                format: "posyandu-gateway statement 1".to_owned(),
                puskesmas: puskesmas.to_owned(),
                service_date: DAY,
                zone: Zone::Wib,
                made_at: site.clock.now(),
                made_late: false,
                total: counted,
                posyandu: Vec::new(),
                difference,
            }
        };
        let moved = Difference { amends: 1, rows: [].into(), visits: [].into(), posyandu: Vec::new() };
        let made = [(Kind::Seal, content(0, None)), (Kind::Amendment, content(7, Some(moved)))];
        let made = made.map(|(kind, content)| NewStatement {
            service_date: DAY,
            kind,
            made_at: site.clock.now(),
            content: serde_json::to_string(&content).unwrap(),
        });
        assert!(site.ledger.state(puskesmas, made.into()).await.unwrap());
    }
}

/// Question 1 of the north (persons 1 and 2) and 2 of the middle (person 2, with a shared number).
pub async fn questions(ledger: &Ledger) {
    let person = |name: &str, nik: &str, posyandu: &str| {
        let place = json!({"source": "register", "file": "register.csv", "row": "3", "column": null});
        let known = json!({"nik": nik, "is_genuine": true, "name": name, "birth": "2023-12-05", "sex": "P",
            "mother": HOSTILE, "mother_nik": null, "family": null, "posyandu": posyandu, "place": place});
        let (identity, aliases) = (sha(name), vec![(AliasKind::Baby, sha("ibu"))]);
        PersonTold { identity, content: Personal::new(known.to_string()), aliases, corrects: false }
    };
    let told = [person(NAME, NIK, "UTR-01"), person(NAME_ELSEWHERE, "9999000000000001", "TGH-01")];
    let rows = [
        ("Puskesmas Utara", "UTR-01", "person.several", vec![sha(NAME), sha(NAME_ELSEWHERE)]),
        ("Puskesmas Tengah", "TGH-01", "nik.shared", vec![sha(NAME_ELSEWHERE)]),
    ];
    for (puskesmas, posyandu, rule, among) in rows {
        let key = format!("tanya {posyandu}");
        let row = RowSeen {
            place: Place { source: "tanya".into(), file: HOSTILE.into(), row: "9".to_owned(), column: None },
            row_key: sha(&key),
            hash: sha(&key),
            outcome: RowKind::Issue,
            issues: vec![Issue::error(Code::MultipleMatches, rule).with("tempat", "register.csv 3")],
            puskesmas: Some(puskesmas.to_owned()),
            posyandu: Some(posyandu.to_owned()),
            service_date: Some(DAY),
        };
        let (source, rule) = ("tanya".to_owned(), rule.to_owned());
        let asking = Asking { source, row_key: row.row_key, key: sha(&key), rule, nik: None, among };
        let pass = ledger.begin_pass("tanya", posyandu).await.unwrap();
        ledger.see_rows_of(pass, &[row], &told, &Doubts { asking: vec![asking], ..Doubts::default() }).await.unwrap();
        ledger.finish_pass(pass, false).await.unwrap();
    }
}

/// A delivered visit whose row was withdrawn.
async fn removal(site: &Site) {
    visits(&site.ledger, "Puskesmas Utara", "UTR-03", DAY, 1, "d.csv").await;
    let claimed = site.ledger.claim("Puskesmas Utara", 100).await.unwrap();
    let claimed = claimed.iter().find(|one| one.entry.posyandu == "UTR-03").unwrap();
    end(&site.ledger, claimed, Event::Accepted, Vec::new()).await;
    let key = format!("UTR-03/{DAY}/0");
    let row = RowSeen {
        place: Place { source: "eppgbm".into(), file: "d.csv".into(), row: "2".to_owned(), column: None },
        row_key: sha(&key),
        hash: sha("ditarik"),
        outcome: RowKind::Skipped("withdrawn".to_owned()),
        issues: Vec::new(),
        puskesmas: Some("Puskesmas Utara".to_owned()),
        posyandu: Some("UTR-03".to_owned()),
        service_date: Some(DAY),
    };
    let pass = site.ledger.begin_pass("eppgbm", &format!("UTR-03/{DAY}")).await.unwrap();
    site.ledger.see_rows(pass, vec![row]).await.unwrap();
    site.ledger.finish_pass(pass, false).await.unwrap();
    assert!(site.ledger.propose_removals().await.unwrap() > 0);
}
