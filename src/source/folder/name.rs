//! Which names in a drop folder may be files of records, and how the others are shown.
//!
//! It must not touch the disk. A name that could be taken for another one, or disturb a report or a terminal, is
//! refused rather than mended.

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// Most characters of a refused name that are shown.
const SHOWN_MAX: usize = 80;
/// Endings of files that are still on their way.
const UNFINISHED: [&str; 7] = [".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".temp"];

/// What is to become of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// It may be a file of records.
    Fine(&'a str),
    /// It is passed over in silence: hidden, a lock, or still on its way.
    Passed,
    /// It is refused and told.
    Refused {
        /// The name, escaped and shortened.
        shown: String,
        /// A rule of the words catalogue.
        rule: &'static str,
    },
}

/// Judges a name as it stands in the folder.
#[must_use]
pub fn judge(raw: &[u8]) -> Judgement<'_> {
    let refused = |rule| Judgement::Refused { shown: shown(raw), rule };
    // What misleads is told even when it would be passed over as hidden: `..\data.csv`.
    if std::str::from_utf8(raw).is_ok_and(|name| name.chars().any(is_misleading)) {
        return refused("folder.name");
    }
    if raw.is_empty() || raw.starts_with(b".") || raw.starts_with(b"~$") {
        return Judgement::Passed;
    }
    let Ok(name) = std::str::from_utf8(raw) else { return refused("folder.name") };
    let lower = name.to_lowercase();
    if UNFINISHED.iter().any(|ending| lower.ends_with(ending)) {
        return Judgement::Passed;
    }
    if name.len() > NAME_BYTES_MAX {
        return refused("folder.name_long");
    }
    Judgement::Fine(name)
}

/// Separators of other systems (`a:b` is a stream of NTFS), control characters, and marks that change the direction
/// of the text around them or cannot be seen at all.
fn is_misleading(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '/' | '\\' | ':' | '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(letter, '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// A refused name, fit for a report: what is not is escaped.
fn shown(raw: &[u8]) -> String {
    let mut out = String::new();
    for chunk in raw.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if is_misleading(letter) && !matches!(letter, '/' | '\\' | ':') {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
            } else {
                out.push(letter);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    if out.chars().count() > SHOWN_MAX {
        out = out.chars().take(SHOWN_MAX).collect();
        out.push('…');
    }
    out
}

/// A file that a spreadsheet program keeps beside one that it has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The file that is open, in small letters: shares do not tell case apart.
    pub of_file: String,
}

impl Lock {
    /// The lock that a name is: `~$X` of Excel, `.~lock.X#` of LibreOffice.
    #[must_use]
    pub fn of(raw: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(raw).ok()?;
        let of_file = match name.strip_prefix("~$") {
            Some(of_file) => of_file,
            None => name.strip_prefix(".~lock.")?.strip_suffix('#')?,
        };
        Some(Self { of_file: of_file.to_lowercase() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_told_apart() {
        for (raw, expected) in [
            ("data.csv", "fine"),
            ("-rf.csv", "fine"),
            ("Posyandu Mawar (1).xlsx", "fine"),
            (".profile", "passed"),
            ("~$data.xlsx", "passed"),
            ("data.csv.PART", "passed"),
            ("data.crdownload", "passed"),
            ("a:b.csv", "refused"),
            ("..\\data.csv", "refused"),
            ("a\nb.csv", "refused"),
            ("vsc.\u{202e}atad.csv", "refused"),
        ] {
            let seen = match judge(raw.as_bytes()) {
                Judgement::Fine(_) => "fine",
                Judgement::Passed => "passed",
                Judgement::Refused { .. } => "refused",
            };
            assert_eq!(seen, expected, "{raw:?}");
        }
        assert_eq!(Lock::of(b"~$Data.xlsx").map(|lock| lock.of_file).as_deref(), Some("data.xlsx"));
        assert_eq!(Lock::of(b".~lock.data.ods#").map(|lock| lock.of_file).as_deref(), Some("data.ods"));
        assert_eq!(Lock::of(b"data.csv"), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_short_and_plain(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Judgement::Refused { shown, .. } = judge(&raw) {
                prop_assert!(shown.chars().count() <= SHOWN_MAX + 1);
                prop_assert!(!shown.chars().any(char::is_control));
            }
        }
    }
}
