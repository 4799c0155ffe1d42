//! A changed mapping frees what waited, but sends nothing again that was delivered before a person approved it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use posyandu_gateway::config::assets;
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::LedgerError;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::simulator::Stats;

use super::office::{Books, Office, Setting, agree, copy};

/// Rows of each source.
const ROWS: usize = 24;
/// Where the weight's name ends in the mapping of toddlers.
const WEIGHT: &str = "            display: Body weight\n";

/// An own mapping folder, changed.
fn folder(name: &str, office: &Office, change: impl FnOnce(&Path)) -> PathBuf {
    let folder = office.folder.path().join(name);
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"), &folder);
    change(&folder);
    folder
}

/// The name of the weight with a text of its own.
fn weight_called(text: &'static str) -> impl FnOnce(&Path) {
    move |folder| {
        let file = folder.join("kunjungan_balita.yaml");
        let before = std::fs::read_to_string(&file).unwrap();
        assert_eq!(before.matches(WEIGHT).count(), 1);
        std::fs::write(&file, before.replace(WEIGHT, &format!("{WEIGHT}        text: {text}\n"))).unwrap();
    }
}

struct City {
    office: Office,
    daemon: Daemon,
}

impl City {
    /// A city whose day is delivered with a mapping folder.
    async fn delivered(change: impl FnOnce(&Path)) -> Self {
        let office = Office::open(Setting::default(), None).await;
        office.shorten(ROWS).await;
        let mut daemon = office.daemon().await;
        // A folder without the mapping of weighing does not know its switch.
        daemon.config.mapping.accept_guesses.retain(|switch| switch != "obat_cacing_sebagai_pernyataan");
        let first = folder("pertama", &office, change);
        let mut city = Self { office, daemon };
        city.installed(&first);
        city.round().await;
        city
    }

    fn installed(&mut self, folder: &Path) {
        self.daemon.rules = assets::rules(Some(folder)).unwrap();
    }

    /// A round; what was sent in it: creates and updates.
    async fn round(&self) -> (u64, u64) {
        let before: Stats = self.office.simulator.stats();
        self.daemon.once(&|_| {}).await.unwrap();
        self.office.clock.advance(Duration::from_secs(60));
        let books = Books::read(&self.daemon.ledger).await;
        assert_eq!(books.waits(), 0);
        agree(&self.office, &books);
        let now = self.office.simulator.stats();
        (now.creates - before.creates, now.updates - before.updates)
    }

    async fn planned(&self) -> (i64, posyandu_gateway::ledger::plan::NewPlan) {
        let register = self.daemon.register().await.unwrap();
        let plan = self.daemon.plan(&register).await.unwrap();
        assert_eq!(plan.new_version, self.daemon.version(&register).unwrap());
        (self.daemon.ledger.make_plan(plan.clone()).await.unwrap(), plan)
    }
}

fn without_weighing(folder: &Path) {
    std::fs::remove_file(folder.join("kunjungan_balita.yaml")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_a_mapping_is_freed_and_what_was_delivered_waits_for_approval() {
    let mut city = City::delivered(without_weighing).await;
    let first = Books::read(&city.daemon.ledger).await;
    let waiting = first.in_state(State::Refused);
    assert!(waiting > 0 && !first.delivered.is_empty(), "{:?}", first.counts);
    let old = first.delivered[0].resources[0].server_mapping.clone().unwrap();

    let whole = folder("kedua", &city.office, |_| {});
    city.installed(&whole);
    let (creates, updates) = city.round().await;
    let second = Books::read(&city.daemon.ledger).await;
    assert!(creates > 0 && second.in_state(State::Refused) < waiting, "a new mapping frees visits that waited for it");
    assert_eq!(updates, 0, "nothing that was delivered is touched");
    for entry in &first.delivered {
        let same = second.delivered.iter().find(|other| other.entry_id == entry.entry_id).unwrap();
        assert_eq!(same.version, entry.version);
    }

    let (number, plan) = city.planned().await;
    assert!(!plan.visits.is_empty() && plan.visits.len() < second.delivered.len());
    assert!(plan.effect.added > 0);
    assert_eq!((plan.effect.left_out, plan.effect.refused), (0, 0));
    assert!(plan.visits.iter().all(|(_, version)| *version == old));
    assert_eq!(city.round().await, (0, 0), "a plan alone sends nothing");

    let ledger = &city.daemon.ledger;
    assert!(!ledger.approve_plan(number + 1, "perintah-0", "tidak ada").await.unwrap(), "no such plan");
    assert!(ledger.approve_plan(number, "perintah-1", "penimbangan kini dipetakan").await.unwrap());
    assert!(
        ledger.approve_plan(number, "perintah-1", "penimbangan kini dipetakan").await.unwrap(),
        "the same decision"
    );
    assert!(!ledger.approve_plan(number, "perintah-2", "lagi").await.unwrap(), "it was decided before");
    assert_eq!(city.round().await, (plan.effect.added, plan.effect.changed), "what was approved is sent");
    assert_eq!(city.round().await, (0, 0), "and only once");

    let plans = city.daemon.ledger.plans().await.unwrap();
    let approval = plans[0].approval.as_ref().unwrap();
    assert_eq!((approval.command.as_str(), approval.reason.as_str()), ("perintah-1", "penimbangan kini dipetakan"));
    assert_eq!((plans[0].visits, plans[0].left), (plan.visits.len() as u64, 0));
    let third = Books::read(&city.daemon.ledger).await;
    let made_by = |version: &str| {
        let all = third.delivered.iter().flat_map(|entry| &entry.resources);
        all.filter(|resource| resource.server_mapping.as_deref() == Some(version)).count() as u64
    };
    assert!(made_by(&plan.new_version) >= plan.effect.added + plan.effect.changed);
    assert!(made_by(&old) > 0, "a resource that did not change keeps the mapping that made it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_holds_for_the_very_mapping_that_was_planned() {
    let mut city = City::delivered(|_| {}).await;
    let planned = folder("direncanakan", &city.office, weight_called("Berat badan"));
    city.installed(&planned);
    assert_eq!(city.round().await, (0, 0), "a changed mapping sends nothing again");
    let (number, plan) = city.planned().await;
    assert_eq!(plan.effect.added, 0);
    assert!(plan.effect.changed >= plan.visits.len() as u64 && plan.effect.changed > 10, "{:?}", plan.effect);
    city.daemon.ledger.approve_plan(number, "perintah-1", "nama yang dibaca orang").await.unwrap();

    let other = folder("lain", &city.office, weight_called("Bobot"));
    city.installed(&other);
    assert_eq!(city.round().await, (0, 0), "another mapping than the approved one sends nothing");
    let (second, _) = city.planned().await;
    assert!(
        matches!(city.daemon.ledger.approve_plan(second, "perintah-1", "x").await, Err(LedgerError::CommandUsed)),
        "one command is one decision"
    );
    city.installed(&planned);
    assert_eq!(city.round().await, (0, plan.effect.changed), "each weight is replaced once");
    assert_eq!(city.round().await, (0, 0));
    let held = city.office.held();
    let texts = held.iter().filter(|one| one["code"]["text"] == "Berat badan").count() as u64;
    assert_eq!(texts, plan.effect.changed);
}
