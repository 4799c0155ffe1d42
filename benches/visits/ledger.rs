//! Fills a ledger with visits that are ready to send, and the plain loop's file with the same bytes.
//!
//! Goes the way of ingest (pass, rows, stale visits, entries), with what the mappings made of the invented visits.

#![allow(dead_code, reason = "each bench uses its own part")]

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::issue::Place;
use posyandu_gateway::ledger::entry::{NewEntry, NewResource};
use posyandu_gateway::ledger::row::{RowKind, RowSeen, StoredRecord, VisitHead};
use posyandu_gateway::ledger::server::Server;
use posyandu_gateway::ledger::{Ledger, Options};
use posyandu_gateway::mapping::plan::{Origin, Slot};
use posyandu_gateway::mapping::visit::{DraftResource, Visit, place_of};
use posyandu_gateway::record::Record;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::resource::bundle::{fill, transaction};
use posyandu_gateway::resource::envelope::{Envelope, Practitioner, Registration};
use posyandu_gateway::seal::Keys;
use sha2::{Digest as _, Sha256};

use crate::visits::{self, DAY, Made, ZONE};

/// The lane that the visits belong to.
pub const LANE: &str = "Puskesmas A";
/// The health worker's number at the server.
const PRACTITIONER: &str = "10009880728";
/// Rows and entries written at once, as ingest does.
const AT_ONCE: usize = 200;

/// Fills a ledger, in the folder or on a server, and the folder with its keys and the plain loop's bodies; gives the
/// bytes of all bodies.
pub async fn prepare(folder: &Path, server: Option<&Server>, number: usize) -> usize {
    let rules = assets::rules(None).unwrap();
    let keys_file = folder.join("keys");
    Keys::create(&keys_file).unwrap();
    let keys = Arc::new(Keys::load(&keys_file).unwrap());
    let ledger = Arc::new(open(folder, server, &keys).await);
    let mut bodies = Vec::new();
    let keep = |body: &str| {
        bodies.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
        bodies.extend_from_slice(body.as_bytes());
    };
    Maker::new(&rules, &keys).fill(&ledger, "2026-11-18.csv", 0..number, keep).await;
    Arc::into_inner(ledger).unwrap().close().await.unwrap();
    std::fs::write(folder.join("bodies"), &bodies).unwrap();
    bodies.len() - 4 * number
}

/// The ledger on a server, or in the folder.
pub async fn open(folder: &Path, server: Option<&Server>, keys: &Arc<Keys>) -> Ledger {
    match server {
        Some(server) => Ledger::connect(server, Arc::clone(keys), Clock::System).await.unwrap(),
        None => {
            let path = folder.join("ledger.sqlite");
            let options = Options { path, lease_seconds: 300, zone: Zone::Wib, bytes_max: None };
            Ledger::open(&options, Arc::clone(keys), Clock::System).await.unwrap()
        }
    }
}

/// The bodies that [`prepare`] wrote.
pub fn read_bodies(folder: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(folder.join("bodies")).unwrap();
    let mut rest = bytes.as_slice();
    let mut bodies = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (body, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        bodies.push(body.to_vec());
        rest = after;
    }
    bodies
}

/// Every child is known already: its number lies in the ledger under the hash that delivery asks for.
async fn remember(ledger: &Arc<Ledger>, keys: &Keys, made: &[Made]) {
    let mut tasks = tokio::task::JoinSet::new();
    for made in made {
        let (ledger, id) = (Arc::clone(ledger), patient(made));
        let text = |field: &str| made.child.text(field).unwrap();
        let born = made.child.date("tanggal_lahir").unwrap().to_string();
        let key = keys.hash("identity.patient", &[text("nik"), text("nama"), &born, "", ""]);
        tasks.spawn(async move { ledger.put_identity("patient", key, &id, Timestamp::MAX).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}

/// The child's number at the server.
fn patient(made: &Made) -> String {
    let nik = made.child.text("nik").unwrap();
    format!("P0{}", &nik[nik.len() - 9..])
}

fn row(made: &Made) -> RowSeen {
    let head = VisitHead {
        puskesmas: LANE.to_owned(),
        posyandu: "P01".to_owned(),
        service_date: DAY,
        zone: ZONE,
        due: Timestamp::UNIX_EPOCH,
    };
    let all = std::iter::once((&made.child, made.key)).chain(made.borrowed());
    let records = all.map(|(record, key)| stored(record, key)).collect();
    RowSeen {
        place: made.child.place.clone(),
        row_key: made.key,
        hash: made.key,
        outcome: RowKind::Records { visit_key: made.key, visit: head, records },
        issues: Vec::new(),
        puskesmas: Some(LANE.to_owned()),
        posyandu: Some("P01".to_owned()),
        service_date: Some(DAY),
    }
}

fn stored(record: &Record, record_key: [u8; 32]) -> StoredRecord {
    let named = record.schema.fields.iter().zip(&record.columns);
    let columns =
        named.filter_map(|(field, column)| Some((field.name.clone(), column.as_ref()?.to_string()))).collect();
    StoredRecord { dataset: record.schema.dataset.clone(), record_key, json: record.to_json(), columns, series: None }
}

/// Makes visits and their entries.
pub struct Maker<'a> {
    rules: &'a Rules,
    keys: &'a Keys,
    posyandu: Record,
    switches: std::collections::BTreeSet<String>,
    /// Whether a visit knows the cells behind each element, which is half of what it takes on the disk.
    pub with_cells: bool,
}

impl<'a> Maker<'a> {
    /// By these rules, under these keys.
    pub fn new(rules: &'a Rules, keys: &'a Keys) -> Self {
        Self { posyandu: visits::posyandu(rules), switches: visits::switches(), rules, keys, with_cells: true }
    }

    /// Takes in the visits of a file and makes their entries; gives each body to `keep`. No more of them are in
    /// memory at once than ingest would hold.
    pub async fn fill(&self, ledger: &Arc<Ledger>, file: &str, which: Range<usize>, mut keep: impl FnMut(&str)) {
        let pass = ledger.begin_pass("eppgbm", file).await.unwrap();
        let mut by_key = HashMap::new();
        for from in which.clone().step_by(AT_ONCE) {
            let made = visits::some(self.rules, from..which.end.min(from + AT_ONCE));
            by_key.extend(made.iter().zip(from..).map(|(made, index)| (made.key, index)));
            ledger.see_rows(pass, made.iter().map(row).collect()).await.unwrap();
            remember(ledger, self.keys, &made).await;
        }
        ledger.finish_pass(pass, true).await.unwrap();
        loop {
            let stale = ledger.stale_visits(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
            if stale.is_empty() {
                break;
            }
            let mut entries = Vec::new();
            for visit in &stale {
                let made = visits::one(self.rules, by_key[&visit.visit_key]);
                let entry = self.entry(&made, visit.revision);
                keep(&fill(entry.bundle.reveal(), &patient(&made), PRACTITIONER));
                entries.push(entry);
            }
            ledger.enter(entries).await.unwrap();
        }
    }

    /// The entry of a visit. The checks of resources are left out: they cost time here and change nothing.
    fn entry(&self, made: &Made, revision: i64) -> NewEntry {
        let records = made.borrowed();
        let visit = made.visit(&self.posyandu, &records);
        let identify = |name: &str, key: &[u8; 32]| {
            self.keys.identifier("resource", &[name, &data_encoding::HEXLOWER.encode(key)])
        };
        let draft = self.rules.mappings.draft(&visit, &self.switches, &identify);
        assert!(!draft.issues.iter().any(posyandu_gateway::issue::Issue::is_error), "{:?}", draft.issues);
        let bundle = transaction(&draft.resources);
        let text = |field: &str| made.child.text(field).unwrap().to_owned();
        let named = draft.resources.iter().enumerate().filter(|_| self.with_cells);
        let cells = named.flat_map(|(at, resource)| cells(at, resource, &visit)).collect();
        let envelope = Envelope {
            nik: text("nik"),
            name: text("nama"),
            birth_date: made.child.date("tanggal_lahir").unwrap(),
            gender: if text("jenis_kelamin") == "P" { "female" } else { "male" }.to_owned(),
            practitioner: Practitioner::Known(PRACTITIONER.to_owned()),
            mother: None,
            birth_order: None,
            registration: Registration::Off,
            row: made.child.place.clone(),
            cells,
        };
        let resource = |resource: &DraftResource<'_>| NewResource {
            resource_type: resource.plan.resource_type.clone(),
            identifier_system: resource.system.clone(),
            identifier_value: resource.identifier.clone(),
            content_hash: Sha256::digest(resource.json.as_bytes()).into(),
            full_url: resource.full_url.clone(),
        };
        NewEntry {
            visit_key: made.key,
            revision,
            content_hash: Sha256::digest(bundle.as_bytes()).into(),
            mapping_version: self.rules.mappings.version.clone(),
            due: Timestamp::UNIX_EPOCH,
            person: Personal::new(serde_json::to_string(&envelope).unwrap()),
            resources: draft.resources.iter().map(resource).collect(),
            bundle: Personal::new(bundle),
            issues: Vec::new(),
            refused: false,
        }
    }
}

/// The cells behind a resource, as delivery wants them for complaints.
fn cells(position: usize, resource: &DraftResource<'_>, visit: &Visit<'_>) -> Vec<(usize, String, Place)> {
    let own = resource.record.map_or(visit.visit, |index| visit.records[index].0);
    let place = |slot: &Slot| {
        let record = match slot.origin {
            Origin::Own => own,
            Origin::Sasaran => visit.sasaran,
            Origin::Posyandu => visit.posyandu,
            Origin::Visit => visit.visit,
        };
        place_of(record, *slot)
    };
    let leaves = resource.plan.lineage.iter();
    let cells = leaves.flat_map(|leaf| leaf.slots.iter().map(|slot| (position, leaf.path.clone(), place(slot))));
    cells.filter(|(_, _, place)| place.column.is_some()).collect()
}
