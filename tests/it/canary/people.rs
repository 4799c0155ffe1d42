//! The canaries: persons whose names, addresses, telephone numbers and NIKs stand nowhere else.

use std::fmt::Write as _;
use std::sync::RwLock;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::{Value, json};

use crate::city::fixtures;

/// How many there are (faults.md: 1 000 in every run).
pub const NUMBER: usize = 1_000;
/// The file they come from.
pub const SOURCE: &str = "kenari.csv";
/// Their day.
pub const DAY: &str = "2026-11-18";
/// How each NIK begins (no province has the code 10): whoever sees this much knows district and birth date.
const NIK_START: &str = "100199100323";
/// How each telephone number begins.
const TELEPHONE_START: &str = "08997770";
/// How a word of each kind begins: child, mother, father, street.
const STARTS: [&str; 4] = ["zqv", "wqv", "xqv", "vqz"];

/// A word of a person: so long that no number made by chance holds one.
pub fn word(start: &str, number: usize) -> String {
    let letter = |place: usize| char::from(b'a' + u8::try_from(number / place % 26).unwrap());
    format!("{start}{}{}{}enoral", letter(676), letter(26), letter(1))
}

/// A word as people write it.
fn written(start: &str, number: usize) -> String {
    let word = word(start, number);
    format!("{}{}", word[..1].to_uppercase(), &word[1..])
}

/// Pointers to members that no record has.
pub fn pointers() -> [String; 2] {
    let [child, mother, ..] = STARTS.map(|start| written(start, 2));
    [format!("\"field\":\"/{child}\""), format!("\"field\":\"/sasaran/{mother}\"")]
}

pub fn nik(number: usize) -> String {
    format!("{NIK_START}{number:04}")
}

/// Everything that is looked for.
pub struct Canaries {
    words: AhoCorasick,
    also: RwLock<Vec<String>>,
    leaks: RwLock<Vec<String>>,
}

impl Canaries {
    pub fn new() -> Self {
        let own = (0..NUMBER).flat_map(|number| STARTS.map(|start| word(start, number)));
        let all = own.chain([NIK_START, TELEPHONE_START, "a-secret-of-nobody"].map(str::to_owned));
        let mut builder = AhoCorasick::builder();
        let words = builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(all).unwrap();
        Self { words, also: RwLock::new(Vec::new()), leaks: RwLock::new(Vec::new()) }
    }

    /// Looks for one more from now on.
    pub fn also(&self, word: Option<String>) {
        self.also.write().unwrap().extend(word);
    }

    pub fn hits(&self, bytes: &[u8]) -> usize {
        let also = self.also.read().unwrap();
        let more = also.iter().filter(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some()).count();
        self.words.find_iter(bytes).count() + more
    }

    /// The words of a text that are looked for.
    pub fn in_text(&self, text: &str) -> Vec<String> {
        self.words.find_iter(text).map(|found| text[found.range()].to_owned()).collect()
    }

    /// Remembers a place where there is one, with how many and the first of them.
    pub fn absent(&self, bytes: &[u8], place: &str) {
        let hits = self.hits(bytes);
        if hits > 0 {
            let first = self.words.find(bytes).map(|found| {
                let around = found.start().saturating_sub(200)..(found.end() + 80).min(bytes.len());
                String::from_utf8_lossy(&bytes[around]).into_owned()
            });
            self.leaks.write().unwrap().push(format!("{place}, {hits} times: …{}…", first.unwrap_or_default()));
        }
    }

    /// Fails when there was one anywhere.
    #[track_caller]
    pub fn silent(&self) {
        let leaks = self.leaks.read().unwrap();
        assert!(leaks.is_empty(), "{}", leaks.join("\n\n"));
    }

    /// The source: seven of ten rows are sound; the others have persons where they do not belong.
    pub fn csv(&self) -> String {
        let sample = std::fs::read_to_string(fixtures().join("puskesmas-utara-eppgbm.csv")).unwrap();
        let mut text: String = sample.split_inclusive('\n').take(4).collect();
        for number in 0..NUMBER {
            let [child, mother, father, street] = STARTS.map(|start| written(start, number));
            let (child, street) = (format!("{child} Rekaan"), format!("Jl. {street} No. 4"));
            let parents = format!("{father} Rekaan / {mother} Rekaan");
            let number_told = if number % 10 == 7 { format!("{}{child}", nik(number)) } else { nik(number) };
            let posyandu = if number % 10 == 8 { &child } else { "MELATI 1" };
            let (sex, weight) = if number % 10 == 9 { (child.as_str(), parents.as_str()) } else { ("L", "16,1") };
            let born = if number % 20 == 9 { street.as_str() } else { "10/03/2023" };
            writeln!(
                text,
                "{number};'{number_told};{child};{sex};{born};3,1;49,6;{parents};PROVINSI CONTOH;KOTA CONTOH;CONTOH \
                 UTARA;UTARA;CONTOH UTARA;{posyandu};003;001;{street};3 Tahun - 8 Bulan - 8 \
                 Hari;18/11/2026;{weight};100,2;Berdiri;15,7;Normal;0,31;Normal;-0,19;Gizi Baik;0,42;T;;;Ya;{street}",
            )
            .unwrap();
        }
        text
    }

    /// Those whom the server knows: not all, and one of ten under another name.
    pub fn known(&self) -> String {
        let text = std::fs::read_to_string(fixtures().join("simulator.json")).unwrap();
        let mut known: Value = serde_json::from_str(&text).unwrap();
        let person = |number: usize| {
            let name =
                if number % 10 == 5 { "Bukan Dia".to_owned() } else { format!("{} Rekaan", written("zqv", number)) };
            json!({"nik": nik(number), "ihs": format!("P98{number:09}"), "name": name, "birth_date": "2023-03-10",
                "gender": "male"})
        };
        known["patients"] = (0..NUMBER).filter(|number| number % 10 != 6).map(person).collect();
        known.to_string()
    }

    /// Bodies of apps: sound, wrong in every member, broken, and no records at all.
    pub fn posts(&self) -> Vec<(&'static str, String)> {
        let [child, mother, _, street] = STARTS.map(|start| written(start, 2));
        let sound = json!({
            "id": "k-1",
            "sasaran": {"nik": nik(2), "nama": child, "jenis_kelamin": "L", "tanggal_lahir": "2023-03-10", "nama_ibu": mother,
                "alamat": street, "no_hp": format!("{TELEPHONE_START}0002"), "posyandu": "Melati 1"},
            "kunjungan_balita": {"tanggal": DAY, "bb": 14.2, "pb_tb": 97.5, "cara_ukur": "berdiri"},
        });
        let mut all = vec![sound.to_string()];
        for pointer in [
            "/sasaran/nik",
            "/sasaran/jenis_kelamin",
            "/sasaran/tanggal_lahir",
            "/sasaran/no_hp",
            "/sasaran/posyandu",
            "/kunjungan_balita/tanggal",
            "/kunjungan_balita/bb",
            "/kunjungan_balita/cara_ukur",
            "/kunjungan_balita",
        ] {
            let mut wrong = sound.clone();
            *wrong.pointer_mut(pointer).unwrap() = json!(format!("{child} {street}"));
            all.push(wrong.to_string());
        }
        all.push(json!({"id": nik(3), "sasaran": {}}).to_string());
        all.push(json!({"id": "k-2", child.clone(): street}).to_string());
        all.push(json!({"id": "k-3", "sasaran": {mother.clone(): child}}).to_string());
        all.push(format!("[{sound}, {{\"nama\": \"{child}"));
        all.push(format!("{child} {mother}"));
        let mut posts: Vec<(&'static str, String)> = all.into_iter().map(|text| ("application/json", text)).collect();
        posts.push(("application/x-ndjson", format!("{sound}\n{child}\n")));
        posts.push(("text/plain", child));
        posts
    }
}
