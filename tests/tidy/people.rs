//! Nobody real and nothing of the makers' machines stands in the project's files.
//!
//! A number of sixteen digits could be somebody's NIK, so only numbers that cannot be are allowed. Names and addresses
//! can't be told from invented ones by a machine; the fixtures' generator answers for those.

use super::tree::File;

/// Digits of a NIK.
const NIK_DIGITS: usize = 16;

/// NIKs the ministry published for its sandbox: patients, then practitioners.
const PUBLISHED: [&str; 20] = [
    "9271060312000001",
    "9204014804000002",
    "9104224509000003",
    "9104223107000004",
    "9104224606000005",
    "9104025209000006",
    "9201076001000007",
    "9201394901000008",
    "9201076407000009",
    "9210060207000010",
    "7209061211900001",
    "3322071302900002",
    "3171071609900003",
    "3207192310600004",
    "6408130207800005",
    "3217040109800006",
    "3519111703800007",
    "5271002009700008",
    "3313096403900009",
    "3578083008700010",
];

/// No province has this code, so a number that starts with it belongs to nobody.
const NO_PROVINCE: &str = "10";

/// How placeholder numbers start in the field.
const PLACEHOLDER: &str = "9999";

/// Checksums of crates, written by cargo: their digits mean nothing.
const CHECKSUMS: &str = "Cargo.lock";

/// Numbers that could be somebody's NIK.
pub fn numbers(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path != CHECKSUMS) {
        for (at, line) in file.text.lines().enumerate() {
            let runs = line.split(|letter: char| !letter.is_ascii_digit());
            let foreign = runs.filter(|run| run.len() == NIK_DIGITS && !belongs_to_nobody(run)).count();
            if foreign > 0 {
                // The number itself is not repeated: it may be a person's.
                found.push(format!("{}:{}: {foreign} number(s) of 16 digits that may be a NIK", file.path, at + 1));
            }
        }
    }
    found
}

fn belongs_to_nobody(number: &str) -> bool {
    PUBLISHED.contains(&number)
        || number.starts_with(NO_PROVINCE)
        || number.starts_with(PLACEHOLDER)
        || number.bytes().all(|digit| number.starts_with(digit as char))
}

/// Folders of a maker's machine, put together here so that this file does not name them.
const MACHINE: [&str; 3] = [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];

/// Words of the trade of making, not of the project: whole words, in small letters.
const TRADE: [&str; 5] =
    [concat!("sess", "ion"), concat!("cla", "ude"), concat!("l", "lm"), concat!("age", "nt"), concat!("help", "er")];

/// What HTTP and PostgreSQL call their own.
const FOREIGN_WORDS: [&str; 4] =
    ["user agent", "user-agent", "user_agent", concat!("idle_in_transaction_sess", "ion_timeout")];

/// Paths of a machine and words about how the project was made.
pub fn traces(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.binary) {
        for (at, line) in file.text.lines().enumerate() {
            let path = MACHINE.into_iter().find(|path| is_absolute(line, path));
            let small = FOREIGN_WORDS.into_iter().fold(line.to_lowercase(), |line, words| line.replace(words, ""));
            let word = TRADE
                .into_iter()
                .find(|word| small.split(|next: char| !next.is_alphanumeric()).any(|own| own == *word));
            let number = small
                .match_indices(concat!("iss", "ue #"))
                .any(|(at, words)| small[at + words.len()..].starts_with(|next: char| next.is_ascii_digit()));
            let trace = path.or(word).or(number.then_some("the number of an issue"));
            found.extend(trace.map(|trace| format!("{}:{}: {trace}", file.path, at + 1)));
        }
    }
    found
}

/// Whether the path begins there, and is not the end of a longer one.
fn is_absolute(line: &str, path: &str) -> bool {
    let mut places = line.match_indices(path);
    places.any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || "_-.}*$)~".contains(before)))
}
