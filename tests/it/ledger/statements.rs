//! Statements on both stores: numbered without a gap, one seal for each day, never changed, and found out when altered.

use jiff::ToSpan as _;
use jiff::civil::Date;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::standing::{LATE, Part, SAME_DAY};
use posyandu_gateway::ledger::state::Event;
use posyandu_gateway::ledger::statement::{Kind, NewStatement, Statement};
use posyandu_gateway::ledger::{entry::EntryId, reading::Filter};

use super::{DAY, Desk, sha};

fn new(day: Date, kind: Kind, content: &str, desk: &Desk) -> NewStatement {
    NewStatement { service_date: day, kind, made_at: desk.now(), content: content.to_owned() }
}

async fn all(ledger: &Ledger) -> Vec<Statement> {
    let mut all = Vec::new();
    ledger.statements(None, None, &mut |statement| all.push(statement)).await.unwrap();
    all
}

on_both_stores!(statements_are_numbered_chained_and_never_changed);
async fn statements_are_numbered_chained_and_never_changed(desk: Desk) {
    let next = DAY.checked_add(1.day()).unwrap();
    let seals = vec![new(DAY, Kind::Seal, "{}", &desk), new(next, Kind::Seal, "{}", &desk)];
    assert!(desk.ledger.state("Puskesmas A", seals).await.unwrap());
    assert!(desk.ledger.state("Puskesmas B", vec![new(DAY, Kind::Seal, "{}", &desk)]).await.unwrap());
    assert!(desk.ledger.state("Puskesmas A", vec![new(DAY, Kind::Amendment, "{\"a\":1}", &desk)]).await.unwrap());
    let statements = all(&desk.ledger).await;
    let told: Vec<(&str, u64, Kind)> =
        statements.iter().map(|one| (one.puskesmas.as_str(), one.number, one.kind)).collect();
    let (a, b) = ("Puskesmas A", "Puskesmas B");
    assert_eq!(told, [(a, 1, Kind::Seal), (a, 2, Kind::Seal), (a, 3, Kind::Amendment), (b, 1, Kind::Seal)]);
    assert_eq!((statements[1].previous, statements[2].previous), (statements[0].hash(), statements[1].hash()));
    assert_eq!((statements[0].previous, statements[3].previous), (sha(a), sha(b)));
    assert_eq!(desk.ledger.verify_statements().await.unwrap(), (4, std::collections::BTreeMap::new()));
    assert_eq!(desk.ledger.sealed_to().await.unwrap()["Puskesmas A"], next);
    let latest = desk.ledger.latest_statements("Puskesmas A").await.unwrap();
    assert_eq!((latest[&DAY].number, latest[&next].number), (3, 2));
    assert!(desk.ledger.state("Puskesmas A", vec![new(DAY, Kind::Seal, "{}", &desk)]).await.is_err(), "one a day");
    for refused in [
        "UPDATE statement SET content = '{}' WHERE number = 3",
        "DELETE FROM statement WHERE number = 3",
        "INSERT INTO statement (puskesmas, number, service_date, kind, made_at, content, content_hash, previous, code)
            SELECT puskesmas, 5, '2026-11-30', kind, made_at, content, content_hash, previous, code
            FROM statement WHERE number = 3",
    ] {
        let told = desk.run(refused).await.unwrap_err();
        assert!(told.contains("statement_"), "{told}");
    }
}

on_both_stores!(an_altered_statement_is_found);
async fn an_altered_statement_is_found(desk: Desk) {
    let next = DAY.checked_add(1.day()).unwrap();
    let seals = vec![new(DAY, Kind::Seal, "{}", &desk), new(next, Kind::Seal, "{}", &desk)];
    assert!(desk.ledger.state("Puskesmas A", seals).await.unwrap());
    let guard = match desk.server {
        None => "DROP TRIGGER statement_append_only_update",
        Some(_) => "DROP TRIGGER statement_append_only ON statement",
    };
    desk.run(guard).await.unwrap();
    desk.run("UPDATE statement SET content = '{\"x\":1}' WHERE number = 1").await.unwrap();
    let (_, findings) = desk.ledger.verify_statements().await.unwrap();
    assert_eq!(findings.keys().copied().collect::<Vec<_>>(), ["statement.altered"]);
    assert_eq!(findings["statement.altered"].places, ["Puskesmas A, 1"]);
    // A statement that is left out, or made from another, breaks the chain at the next one.
    desk.run("UPDATE statement SET content = '{}', number = 7 WHERE number = 1").await.unwrap();
    let (_, findings) = desk.ledger.verify_statements().await.unwrap();
    assert!(findings.contains_key("statement.gap"), "{findings:?}");
}

on_both_stores!(standings_add_up_and_tell_why);
async fn standings_add_up_and_tell_why(desk: Desk) {
    desk.visits(6, DAY).await;
    let mut claimed = desk.ledger.claim("Puskesmas A", 4).await.unwrap();
    desk.deliver(&claimed.remove(0)).await.unwrap();
    let blocked = claimed.remove(0);
    let due = "2026-12-24T00:00:00Z".parse().unwrap();
    let missing = Event::DependencyMissing { on: "patient".to_owned(), due };
    desk.ledger.release(blocked.entry.entry_id, &blocked.lease, missing).await.unwrap();
    desk.ledger.decide(EntryId::from_number(6), Event::WaivedBy, "luar wilayah").await.unwrap();
    desk.clock.advance(std::time::Duration::from_secs(20 * 3_600));
    let late = desk.ledger.claim("Puskesmas A", 1).await.unwrap().remove(0);
    desk.deliver(&late).await.unwrap();
    let standings = desk.ledger.standings(&Filter::on(DAY)).await.unwrap();
    assert_eq!(standings.len(), 1);
    let standing = standings.values().next().unwrap();
    for tally in [&standing.rows, &standing.visits] {
        assert_eq!((tally.total(), tally.of(Part::Accepted), tally.of(Part::Waiting)), (6, 2, 3));
        assert_eq!((tally.with(Part::Accepted, SAME_DAY), tally.with(Part::Accepted, LATE)), (1, 1));
        assert_eq!((tally.with(Part::Waiting, "patient"), tally.with(Part::Waived, "person")), (1, 1));
    }
    let counts = desk.ledger.counts(&Filter::on(DAY)).await.unwrap();
    assert_eq!(counts.read, standing.rows.total());
}
