//! Closed ledgers with something in every table, to be altered.

use crate::ledger::{DAY, Desk, options, sha};
use crate::office::{Office, Setting};
use posyandu_gateway::clock::Clock;
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::account::{Deed, Reach, Role};
use posyandu_gateway::ledger::checkpoint::Checkpoint;
use posyandu_gateway::ledger::discrepancy::{Cause, Class, Comparison, Found};
use posyandu_gateway::ledger::entry::{EntryId, Finding};
use posyandu_gateway::ledger::plan::NewPlan;
use posyandu_gateway::ledger::question::{Asking, Doubts, Verdict};
use posyandu_gateway::ledger::row::{RowKind, RowSeen, VisitId};
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::ledger::statement::{Kind, NewStatement};
use posyandu_gateway::ledger::{Ledger, LedgerError};
use posyandu_gateway::seal::Keys;
use sqlx::{ConnectOptions as _, SqliteConnection};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A closed ledger with something in every table, and how to open it.
pub struct Books {
    pub folder: TempDir,
    pub keys: Arc<Keys>,
    pub clock: Clock,
}

impl Books {
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.sqlite")
    }

    pub async fn open(&self) -> SqliteConnection {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path()).foreign_keys(false);
        options.connect().await.unwrap()
    }

    /// What `verify` finds; `unreadable` when it cannot even be opened.
    pub async fn findings(&self, against: Option<&Checkpoint>) -> Vec<String> {
        let options = options(self.folder.path());
        let ledger = match Ledger::open_read_only(&options, Arc::clone(&self.keys), self.clock.clone()).await {
            Ok(ledger) => ledger,
            Err(LedgerError::WrongKeys | LedgerError::Seal(_) | LedgerError::Store(_)) => {
                return vec!["unreadable".into()];
            }
            Err(error) => panic!("{error:?}"),
        };
        let verified = ledger.verify(against).await.unwrap();
        ledger.close().await.unwrap();
        verified.findings.keys().map(|name| (*name).to_owned()).collect()
    }
}

/// 50 visits: delivered, looked at, unknown, waived with a reason, corrected, in flight, one with a plan to send again.
pub async fn fifty() -> Books {
    let desk = Desk::new().await;
    desk.visits(50, DAY).await;
    let claimed = desk.ledger.claim("Puskesmas A", 12).await.unwrap();
    for claimed in &claimed[..8] {
        desk.deliver(claimed).await.unwrap();
    }
    let delivered = claimed[0].entry.entry_id;
    desk.ledger.record_verification(delivered, vec![(0, Finding::Equal), (1, Finding::Missing)]).await.unwrap();
    compared(&desk, delivered).await;
    for claimed in &claimed[8..10] {
        desk.ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
    }
    let seal = |day, kind| NewStatement { service_date: day, kind, made_at: desk.now(), content: "{}".to_owned() };
    let statements = vec![seal(DAY, Kind::Seal), seal(DAY, Kind::Amendment)];
    assert!(desk.ledger.state("Puskesmas A", statements).await.unwrap());
    let waived = desk.ledger.decide_once(EntryId::from_number(40), Event::WaivedBy, "p-1", "di luar wilayah").await;
    assert_eq!(waived.unwrap(), State::Waived);
    desk.ledger.add_account("sari", Role::Kader, &reach(), "KODE").await.unwrap();
    desk.ledger.choose_password("sari", "KODE", "$argon2id$".to_owned()).await.unwrap();
    desk.ledger.add_account("tono", Role::Kader, &reach(), "KODE").await.unwrap();
    desk.ledger.close_account("tono", true).await.unwrap();
    let deed = Deed {
        account: "sari",
        role: "kader",
        action: "look",
        subject: "visit 1",
        command: Some("p-1"),
        reason: Some("x"),
    };
    desk.ledger.audit(deed).await.unwrap();
    answered(&desk).await;
    desk.ledger.put_identity("patient", sha("k"), "P1", desk.now() + Duration::from_secs(60)).await.unwrap();
    desk.ledger.close().await.unwrap();
    Books { folder: desk.folder, keys: desk.keys, clock: desk.clock }
}

/// Two discrepancies, one of them waived.
async fn compared(desk: &Desk, entry: EntryId) {
    let found = ["Observation/o1", "Encounter/e1"].map(|thing| Found {
        class: Class::DifferentAtServer,
        thing: thing.to_owned(),
        entry: Some(entry),
        puskesmas: "Puskesmas A".to_owned(),
        posyandu: "P01".to_owned(),
        service_date: DAY,
        cause: Cause::Server,
        evidence: "Observation.status".to_owned(),
    });
    let comparison = Comparison { found: found.to_vec(), ..Comparison::default() };
    desk.ledger.record_comparison(entry, Vec::new(), comparison, Some("P1".to_owned())).await.unwrap();
    desk.ledger.waive_discrepancies(&[1], "perintah-2", "sudah disepakati").await.unwrap();
}

/// A row that fits several, and a person's word about it.
async fn answered(desk: &Desk) {
    let (rule, place) = ("person.several", Place { source: "uji".into(), file: "uji.csv".into(), ..Place::default() });
    let row = RowSeen {
        place,
        row_key: sha("tanya"),
        hash: sha("isi"),
        outcome: RowKind::Issue,
        issues: vec![Issue::error(Code::MultipleMatches, rule)],
        puskesmas: None,
        posyandu: None,
        service_date: Some(DAY),
    };
    let asking = Asking {
        source: "uji".to_owned(),
        row_key: row.row_key,
        key: sha("ragu"),
        rule: rule.to_owned(),
        nik: None,
        among: Vec::new(),
    };
    let pass = desk.ledger.begin_pass("uji", "uji.csv").await.unwrap();
    desk.ledger.see_rows_of(pass, &[row], &[], &Doubts { asking: vec![asking], ..Doubts::default() }).await.unwrap();
    desk.ledger.finish_pass(pass, true).await.unwrap();
    let question = desk.ledger.person_question(1).await.unwrap().unwrap();
    assert!(desk.ledger.answer_person(&question, Verdict::Other, "p-3", "kembar").await.unwrap());
}

fn reach() -> Reach {
    Reach { puskesmas: Some("Puskesmas A".to_owned()), posyandu: Some("P01".to_owned()) }
}

/// The sample city's day: persons, numbers by which they are known, problems of rows.
pub async fn city() -> Books {
    let office = Office::open(Setting::default(), None).await;
    office.shorten(8).await;
    let daemon = office.daemon().await;
    office.settle(&daemon, usize::MAX).await;
    let delivered = daemon.ledger.delivered_by_another("baru", VisitId::default(), 1).await.unwrap();
    let visits = delivered.iter().map(|one| (one.records.visit_id, one.mapping_version.clone())).collect();
    let plan = NewPlan { new_version: "baru".to_owned(), visits, ..NewPlan::default() };
    let number = daemon.ledger.make_plan(plan).await.unwrap();
    daemon.ledger.approve_plan(number, "perintah-1", "peta baru").await.unwrap();
    let keys = Arc::clone(&daemon.keys);
    let path = options_path(&office);
    Arc::into_inner(daemon.ledger).unwrap().close().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(path, folder.path().join("ledger.sqlite")).unwrap();
    Books { folder, keys, clock: office.clock.clone() }
}

pub fn options_path(office: &Office) -> PathBuf {
    posyandu_gateway::daemon::set_up::ledger_options(&office.config()).unwrap().path
}
