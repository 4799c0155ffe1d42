//! Puts posyandu at SATUSEHAT: what is there is adopted, only what is missing is created, each once.
//!
//! The ids are kept in the ledger, from where the register's empty columns are filled; the register itself is the
//! user's and is never written. It must not choose between several places of the same name.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Daemon, DaemonError};
use crate::delivery::Lane;
use crate::ingest::register::Register;
use crate::ledger::registration::{Moment, Registration, Standing, Subject, Told, Turn};
use crate::redact::Personal;
use crate::remote::answer::{Answer, Class};
use crate::remote::search::{Matches, SearchAnswer, carries};
use crate::resource::bundle;

/// Columns of the register that hold SATUSEHAT's ids, with the resource type that each stands for.
pub const IDS: [(&str, &str); 2] = [("id_organisasi_satusehat", "Organization"), ("id_lokasi_satusehat", "Location")];
/// Shortest wait before a place without an answer is looked for again.
const LOOK_WAIT_MIN: Duration = Duration::from_secs(1);
/// Creates of one place without a clear end, before a person looks.
const CREATES_MAX: u32 = 3;

/// A place that should be at SATUSEHAT.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Resource type.
    pub kind: String,
    /// System of its business identifier.
    pub system: String,
    /// Value of its business identifier.
    pub identifier: String,
    /// Its `urn:uuid`, by which others refer to it.
    pub full_url: String,
    /// The resource, with `urn:uuid` references.
    pub json: String,
}

/// What became of a place.
#[derive(Clone, Debug)]
pub enum Placed {
    /// It was registered before.
    Known(String),
    /// It was there, and its id is taken.
    Adopted(String),
    /// It was created.
    Created(String),
    /// Sent, and no clear answer came: to be looked for from then on.
    Open(Timestamp),
    /// Several of them are there, or consent hides them: a person must look.
    Unclear,
    /// SATUSEHAT refused it.
    Refused(Box<Answer>),
    /// The server could not or would not work.
    Failed(Box<Answer>),
    /// What stands above it is not there.
    Waits,
}

impl Placed {
    /// The id, when it is there.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Known(id) | Self::Adopted(id) | Self::Created(id) => Some(id),
            _ => None,
        }
    }
}

impl Daemon {
    /// The keyed hash of a place: its type, the puskesmas' Organization id and its own code.
    fn place_key(&self, kind: &str, organization: &str, code: &str) -> [u8; 32] {
        self.keys.hash("registration.place", &[kind, organization, code])
    }

    /// Fills the empty id columns of a register with what was registered from here.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub(super) async fn fill(&self, register: &mut Register) -> Result<(), DaemonError> {
        for (field, kind) in IDS {
            let mut keys = Vec::new();
            for posyandu in register.all().iter().filter(|posyandu| posyandu.record.get(field).is_none()) {
                let puskesmas = self.config.puskesmas.iter().find(|one| one.name == posyandu.puskesmas);
                let Some(puskesmas) = puskesmas else { continue };
                keys.push((self.place_key(kind, &puskesmas.organization_id, &posyandu.code), posyandu.code.clone()));
            }
            let list: Vec<[u8; 32]> = keys.iter().map(|(key, _)| *key).collect();
            if list.is_empty() {
                continue;
            }
            let held = self.ledger.registered(kind, &list).await?;
            for (key, code) in &keys {
                if let Some(id) = held.get(key) {
                    register.fill(code, field, id);
                }
            }
        }
        Ok(())
    }

    /// Puts places at SATUSEHAT in their order; each may refer to those before it.
    ///
    /// # Errors
    /// Failures of the ledger; what the server says is a value.
    pub async fn provision(
        &self,
        lane: &Lane,
        organization: &str,
        wanted: &[Wanted],
    ) -> Result<Vec<Placed>, DaemonError> {
        let mut known: Vec<(String, String)> = Vec::new();
        let mut all = Vec::with_capacity(wanted.len());
        for one in wanted {
            let json = bundle::resolve(&one.json, &known);
            let placed = match serde_json::from_str::<Value>(&json) {
                Ok(resource) if !json.contains("urn:uuid:") => {
                    let key = self.place_key(&one.kind, organization, &one.identifier);
                    let subject = Subject { lane: &lane.name, kind: &one.kind, key };
                    self.place(lane, subject, one, &resource, json).await?
                }
                _ => Placed::Waits,
            };
            if let Some(id) = placed.id() {
                known.push((one.full_url.clone(), format!("{}/{id}", one.kind)));
            }
            all.push(placed);
        }
        Ok(all)
    }

    async fn place(
        &self,
        lane: &Lane,
        subject: Subject<'_>,
        wanted: &Wanted,
        resource: &Value,
        json: String,
    ) -> Result<Placed, DaemonError> {
        let stored = self.ledger.registration(subject.kind, &subject.key).await?;
        let now = self.clock.now();
        match &stored {
            Some(Registration { standing: Standing::Held, server_id: Some(id), .. }) => {
                return Ok(Placed::Known(id.clone()));
            }
            Some(known) if known.standing == Standing::Unknown && known.due > now => {
                return Ok(Placed::Open(known.due));
            }
            _ => {}
        }
        match found(lane, wanted, resource).await {
            Ok(Some(id)) => {
                self.ledger.adopt_registration(subject, &id).await?;
                return Ok(Placed::Adopted(id));
            }
            Ok(None) => {}
            Err(placed) => return Ok(*placed),
        }
        if let Some(known) = stored.filter(|known| known.standing == Standing::Unknown)
            && let Some(placed) = self.still_open(subject, &known).await?
        {
            return Ok(placed);
        }
        let hash = Sha256::digest(json.as_bytes()).into();
        // It is named by its place and not by a person, so a refusal is tried again when the command is given again.
        if let Some(known) = self.ledger.registration(subject.kind, &subject.key).await?
            && known.standing == Standing::Refused
        {
            self.ledger.turn_registration(subject, known.moment, Turn::Forgotten, Told::default()).await?;
        }
        let Some(moment) = self.ledger.begin_registration(subject, hash).await? else { return Ok(Placed::Open(now)) };
        let answer = lane.remote.create(subject.kind, json).await;
        self.place_answered(lane, subject, wanted, resource, moment, answer).await
    }

    /// A place whose creation had no answer and that is not found: when to look again; `None` when it was the last look.
    async fn still_open(&self, subject: Subject<'_>, known: &Registration) -> Result<Option<Placed>, DaemonError> {
        let now = self.clock.now();
        let looks = &self.config.delivery.probe_after_seconds;
        let next = usize::try_from(known.probes).unwrap_or(usize::MAX).saturating_add(1);
        let (turn, placed) = match looks.get(next) {
            Some(seconds) => {
                let at = known.since.saturating_add(Duration::from_secs(*seconds)).unwrap_or(Timestamp::MAX);
                let due = at.max(now.saturating_add(LOOK_WAIT_MIN).unwrap_or(Timestamp::MAX));
                (Turn::StillUnknown { due }, Some(Placed::Open(due)))
            }
            None if known.creates >= CREATES_MAX => (Turn::Refused { on: "place" }, Some(Placed::Unclear)),
            None => (Turn::Waits { on: "place", due: now }, None),
        };
        self.ledger.turn_registration(subject, known.moment, turn, Told::default()).await?;
        Ok(placed)
    }

    async fn place_answered(
        &self,
        lane: &Lane,
        subject: Subject<'_>,
        wanted: &Wanted,
        resource: &Value,
        moment: Moment,
        mut answer: Answer,
    ) -> Result<Placed, DaemonError> {
        let now = self.clock.now();
        let first = self.config.delivery.probe_after_seconds.first().copied().unwrap_or(0);
        let first_look = now.saturating_add(Duration::from_secs(first)).unwrap_or(Timestamp::MAX);
        let told = Told {
            status: answer.status,
            request_id: answer.request_id.clone(),
            class: answer.class.name().to_owned(),
            excerpt: answer.excerpt.clone(),
            rules: answer.rules.clone(),
            issues: Vec::new(),
        };
        let created = if answer.class == Class::Accepted { answer.accepted.pop().map(|one| one.id) } else { None };
        let (turn, placed) = match (answer.class, created) {
            (_, Some(id)) => (Turn::Found { server_id: id.clone() }, Placed::Created(id)),
            (Class::Duplicate, _) => match found(lane, wanted, resource).await {
                Ok(Some(id)) => (Turn::Found { server_id: id.clone() }, Placed::Adopted(id)),
                _ => (Turn::NoAnswer { due: first_look }, Placed::Open(first_look)),
            },
            (Class::Accepted | Class::Unknown, None) => (Turn::NoAnswer { due: first_look }, Placed::Open(first_look)),
            (Class::Throttled | Class::Outage { .. } | Class::Configuration, None) => {
                (Turn::Deferred { due: now }, Placed::Failed(Box::new(answer)))
            }
            (Class::Content | Class::Dependency | Class::Unclassified, None) => {
                (Turn::Refused { on: "place" }, Placed::Refused(Box::new(answer)))
            }
        };
        self.ledger.turn_registration(subject, moment, turn, told).await?;
        Ok(placed)
    }
}

/// The place at the server: by its own identifier, else the only one of its name under the same organization.
async fn found(lane: &Lane, wanted: &Wanted, resource: &Value) -> Result<Option<String>, Box<Placed>> {
    let (parameter, member) = match wanted.kind.as_str() {
        "Organization" => ("partof", "partOf"),
        _ => ("organization", "managingOrganization"),
    };
    let name = resource["name"].as_str().unwrap_or_default();
    let above = resource[member]["reference"].as_str().unwrap_or_default();
    let id = above.rsplit('/').next().unwrap_or_default();
    let named = search(lane, &wanted.kind, &[("name", name), (parameter, id)]).await?;
    let own = |one: &&Value| carries(one, &wanted.system, &wanted.identifier);
    let here =
        |one: &&Value| one["name"] == name && one[member]["reference"].as_str().is_some_and(|own| own.ends_with(above));
    let all = || named.resources.iter().map(Personal::reveal);
    for chosen in [all().filter(own).collect::<Vec<_>>(), all().filter(here).collect()] {
        match chosen.as_slice() {
            [] => {}
            [one] => return Ok(one["id"].as_str().map(str::to_owned)),
            _ => return Err(Box::new(Placed::Unclear)),
        }
    }
    if named.hidden > 0 || !named.complete {
        return Err(Box::new(Placed::Unclear));
    }
    if wanted.kind != "Location" {
        return Ok(None);
    }
    // A Location that was renamed at the server is still ours by its identifier.
    let identifier = format!("{}|{}", wanted.system, wanted.identifier);
    let held = search(lane, &wanted.kind, &[("identifier", &identifier)]).await?;
    let held: Vec<&Value> = held.resources.iter().map(Personal::reveal).filter(own).collect();
    match held.as_slice() {
        [] => Ok(None),
        [one] => Ok(one["id"].as_str().map(str::to_owned)),
        _ => Err(Box::new(Placed::Unclear)),
    }
}

async fn search(lane: &Lane, kind: &str, parameters: &[(&str, &str)]) -> Result<Matches, Box<Placed>> {
    match lane.remote.search(kind, parameters).await {
        SearchAnswer::Found(matches) => Ok(matches),
        SearchAnswer::Failed(answer) => Err(Box::new(Placed::Failed(Box::new(answer)))),
    }
}
