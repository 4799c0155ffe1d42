//! The gateway started with some of its named points armed, and which of them killed it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Child;

use tokio::task::spawn_blocking;

use crate::kill::{end_of, gateway};

/// The list of armed points, in the folder of the gateway.
const LIST: &str = "crash-points.txt";

/// Points by the passing at which they kill.
pub type Points = BTreeMap<String, u64>;

/// Every name in the source. A name stands there once.
pub fn names() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, bytes) in crate::city::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for (call, sides) in [("crash::around(", &[".before", ".after"][..]), ("crash::point(", &[""])] {
            for (at, _) in text.match_indices(call) {
                let rest = text[at + call.len()..].trim_start();
                let name = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()).expect("a name as a literal");
                for side in sides {
                    assert!(found.insert(format!("{name}{side}")), "the point {name} stands twice in the source");
                }
            }
        }
    }
    found
}

/// Starts the gateway with these points armed.
pub fn start(folder: &Path, left: &Points, arguments: &[&str]) -> Child {
    let list = folder.join(LIST);
    let lines: String = left.iter().map(|(name, at)| format!("{name} {at}\n")).collect();
    std::fs::write(&list, lines).unwrap();
    let mut all = vec!["--crash-at", LIST];
    all.extend(arguments);
    gateway(folder, &all)
}

/// The point that killed a process, taken off the list.
pub fn take(folder: &Path, left: &mut Points) -> String {
    let told = hit_file(folder);
    let name = std::fs::read_to_string(&told).expect("killed by something else than a point");
    std::fs::remove_file(told).unwrap();
    assert!(left.remove(&name).is_some(), "{name} was not armed");
    name
}

fn hit_file(folder: &Path) -> PathBuf {
    folder.join(format!("{LIST}.hit"))
}

/// Runs a command again and again until it is not killed any more; gives the exit code.
pub async fn until_it_ends(folder: &Path, left: &mut Points, arguments: &[&str]) -> (i32, Vec<String>) {
    let mut killed = Vec::new();
    loop {
        let child = start(folder, left, arguments);
        let (code, said) = spawn_blocking(move || end_of(child)).await.unwrap();
        match code {
            Some(code @ (0 | 1 | 3)) => return (code, killed),
            Some(code) => panic!("{arguments:?} ended with {code} after {killed:?}: {said}"),
            None => killed.push(take(folder, left)),
        }
    }
}
