//! Figures: those of the sample city equal a recount from its raw files by another program, and hostile names do no
//! harm in any form.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use calamine::{Data, Reader as _, Xlsx};
use posyandu_gateway::clock::Zone;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::entry::EntryId;
use posyandu_gateway::ledger::state::Event;
use posyandu_gateway::report::document::{Cell, Document};
use posyandu_gateway::report::recap::area::{Area, Areas, Level, Targets};
use posyandu_gateway::report::recap::{Ask, Recap, page};
use posyandu_gateway::report::{Span, csv, html, json, pdf, xlsx};
use posyandu_gateway::words::Language;
use serde_json::{Value, json as object};

use crate::city::fixtures;
use crate::ledger::{CANARY, DAY, Desk};
use crate::office::{Office, Setting};

/// Names that a browser, a spreadsheet or a printer might take for more than a name.
const HOSTILE: [&str; 4] = ["<script>alert(1)</script>", "=HYPERLINK(\"http://x\")", "@SUM(A1)", "+1(2)\\)"];

async fn recap(ledger: &Ledger, areas: &Areas, level: Level, span: Span) -> Recap {
    let made_at = "2026-11-30T10:00:00Z".parse().unwrap();
    let ask = Ask { span, level, puskesmas: None, posyandu: None, zone: Zone::Wib, made_at, areas };
    Recap::gather(ledger, &ask).await.unwrap()
}

/// A day with rows of one posyandu; the register names four more with hostile names.
async fn hostile() -> (Recap, Document) {
    let desk = Desk::new().await;
    desk.visits(6, DAY).await;
    let claimed = desk.claim_one().await;
    desk.deliver(&claimed).await.unwrap();
    desk.ledger.decide(EntryId::from_number(6), Event::WaivedBy, "luar wilayah").await.unwrap();
    let mut areas = Areas::new();
    for (at, name) in HOSTILE.iter().enumerate() {
        let (name, puskesmas) = ((*name).to_owned(), "Puskesmas A".to_owned());
        areas
            .insert(format!("P0{}", at + 1), Area { name, puskesmas, village: "1001011001".into(), ..Area::default() });
    }
    let recap = recap(&desk.ledger, &areas, Level::Posyandu, Span::Day(DAY)).await;
    let document = page::document(&recap, Language::Indonesian);
    (recap, document)
}

#[tokio::test]
async fn hostile_names_do_no_harm_in_any_form() {
    let (recap, document) = hostile().await;
    let page = html::page(&document, Language::Indonesian);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"), "{page}");
    let lines = csv::document(&document);
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(lines.as_bytes());
    for record in reader.records().map(Result::unwrap) {
        for cell in &record {
            let is_number = cell.parse::<f64>().is_ok();
            assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']), "{cell}");
        }
    }
    assert!(lines.contains("'=HYPERLINK"), "{lines}");
    let bytes = xlsx::workbook(&document, Language::Indonesian).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let mut seen = 0;
    for name in book.sheet_names() {
        assert!(book.worksheet_formula(&name).unwrap().is_empty(), "{name} has a formula");
        for row in book.worksheet_range(&name).unwrap().rows() {
            seen += row
                .iter()
                .filter(|cell| matches!(cell, Data::String(text) if HOSTILE.contains(&text.as_str())))
                .count();
        }
    }
    assert!(seen >= HOSTILE.len(), "names are typed strings as they are");
    let range = book.worksheet_range("kirim").unwrap();
    let visits: Vec<&Data> = range.rows().map(|row| &row[5]).collect();
    assert_eq!(visits[1], &Data::Float(6.0), "numbers are numbers");
    let object: Value = serde_json::from_str(&json::recap(&recap, Language::Indonesian)).unwrap();
    assert_eq!(object["lines"][1]["name"], HOSTILE[1]);
    assert_eq!(object["total"]["reported"], 1);
    assert_eq!(object["total"]["posyandu"], 4);
    assert_eq!(object["total"]["visits"]["waived"]["person"], 1);
    let text = document.text(Language::Indonesian);
    for form in [&page, &lines, &text, &object.to_string()] {
        assert!(!CANARY.iter().any(|personal| form.contains(personal)), "personal data in {form}");
        assert!(!form.contains("recap."), "a word is missing in {form}");
    }
    let printed = pdf::pages(&[document], Language::Indonesian);
    assert!(printed.starts_with(b"%PDF-") && printed.ends_with(b"%%EOF"));
}

#[tokio::test]
async fn parts_add_up_at_every_level() {
    let (by_posyandu, _) = hostile().await;
    let desk = Desk::new().await;
    desk.visits(3, DAY).await;
    for level in [Level::Posyandu, Level::Village, Level::District, Level::Puskesmas, Level::City] {
        let recap = recap(&desk.ledger, &Areas::new(), level, Span::Month(DAY)).await;
        assert_eq!((recap.lines.len(), recap.total.standing.visits.total()), (1, 3), "{level:?}");
        let rows: u64 = recap.lines.iter().map(|line| line.figures.standing.rows.total()).sum();
        assert_eq!(rows, 3, "{level:?}");
    }
    assert_eq!(by_posyandu.lines.len(), HOSTILE.len());
    assert_eq!(by_posyandu.total.skdn.s, None, "nobody counted the children");
}

#[tokio::test]
async fn what_somebody_planned_and_counted_stands_beside_what_came() {
    let desk = Desk::new().await;
    desk.visits(6, DAY).await;
    let targets =
        |days, children| Targets { days: Some(days), persons: BTreeMap::from([("bayi_balita_apras", children)]) };
    let area = |targets| Area { name: "Melati".into(), puskesmas: "Puskesmas A".into(), targets, ..Area::default() };
    let known = Areas::from([("P01".to_owned(), area(targets(2, 40))), ("P02".to_owned(), area(targets(1, 60)))]);
    let recap_of = async |areas: &Areas| recap(&desk.ledger, areas, Level::Puskesmas, Span::Day(DAY)).await;
    let recap = recap_of(&known).await;
    assert_eq!((recap.total.targets.days, recap.total.targets.persons["bayi_balita_apras"]), (Some(3), 100));
    let document = page::document(&recap, Language::Indonesian);
    let table = |name: &str| document.tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!(table("kirim").rows[0][4], Cell::Number(3));
    let groups = table("siklus");
    let came = recap.total.persons.get("bayi_balita_apras").copied().unwrap_or(0);
    assert_eq!(groups.rows[0][1..4], [Cell::Number(came), Cell::Number(100), Cell::share(came, 100)]);
    assert_eq!(groups.rows[0][5..7], [Cell::Empty, Cell::Empty], "nobody counted pupils");
    let object: Value = serde_json::from_str(&json::recap(&recap, Language::Indonesian)).unwrap();
    assert_eq!(object["total"]["targets"], object!({"days": 3, "persons": {"bayi_balita_apras": 100}}));

    let mut half = known;
    half.insert("P03".to_owned(), area(Targets::default()));
    let recap = recap_of(&half).await;
    assert_eq!(recap.total.targets, Targets::default(), "of one posyandu nobody knows it");
}

/// The register of the sample, read here by itself.
fn register() -> Areas {
    let mut reader = ::csv::Reader::from_path(fixtures().join("posyandu.csv")).unwrap();
    let lines: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let area = |line: &BTreeMap<String, String>| Area {
        name: line["nama"].clone(),
        puskesmas: line["puskesmas"].clone(),
        village: line["kode_kelurahan"].clone(),
        ..Area::default()
    };
    lines.iter().map(|line| (line["kode_posyandu"].clone(), area(line))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_citys_figures_equal_a_recount_from_its_raw_files() {
    let office = Office::open(Setting::default(), None).await;
    let daemon = office.daemon().await;
    daemon.once(&|_| {}).await.unwrap();
    let recap = recap(&daemon.ledger, &register(), Level::Posyandu, Span::Day(DAY)).await;
    let figures = office.folder.path().join("angka.json");
    std::fs::write(&figures, json::recap(&recap, Language::Indonesian)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recount_report.py");
    let output = Command::new("python3").arg(script).arg(fixtures()).arg(&figures).output();
    let output = output.expect("python3 is missing. On Debian or Ubuntu: apt install python3");
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(told.contains("figures agree"), "{told}");
}
