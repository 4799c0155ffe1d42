//! Secrets that systemd hands over: files in a folder whose name it puts into the environment.
//!
//! Only finds the files; nothing is read here.

use std::path::{Path, PathBuf};

/// The environment variable that names the folder (systemd.exec(5), `LoadCredential=`).
const VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// A name and a value of the environment.
pub(super) type Variable = (String, String);

/// Takes the folder out of the environment.
pub(super) fn split(environment: impl Iterator<Item = Variable>) -> (Option<PathBuf>, Vec<Variable>) {
    let (own, others): (Vec<Variable>, Vec<Variable>) = environment.partition(|(name, _)| name == VARIABLE);
    (own.into_iter().next().map(|(_, folder)| PathBuf::from(folder)), others)
}

/// The file that a path beginning with `$CREDENTIALS_DIRECTORY` means; none for other paths, or without the folder.
pub(super) fn named(folder: Option<&Path>, path: &Path) -> Option<PathBuf> {
    Some(folder?.join(path.strip_prefix(format!("${VARIABLE}")).ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_lies_where_systemd_put_it() {
        let environment = [("A", "1"), (VARIABLE, "/run/credentials/x"), ("B", "2")];
        let (folder, others) = split(environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(others.len(), 2);
        let found = |path: &str| named(folder.as_deref(), Path::new(path));
        assert_eq!(found("$CREDENTIALS_DIRECTORY/utara").unwrap(), Path::new("/run/credentials/x/utara"));
        assert_eq!(found("rahasia/utara.txt"), None);
        assert_eq!(named(None, Path::new("$CREDENTIALS_DIRECTORY/utara")), None);
    }
}
