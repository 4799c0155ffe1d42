//! Where a file or database lies that is named on the command line, and the profile that is to read it.
//!
//! It must not open anything but the files of profile and password.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::clock::Zone;
use crate::config::assets;
use crate::mapping::problem::nearest;
use crate::redact::Personal;
use crate::source::database::address::engine_of;
use crate::source::profile::{Kind, Profile};
use crate::source::{Location, Server};

/// What stands between the scheme of an address and the rest; a path has none.
const SCHEME_END: &str = "://";

/// The file or server that `target` names.
///
/// # Errors
/// An address that cannot be used, a password file that cannot be read, a password for a file.
pub fn of(target: &str, password_file: Option<&Path>) -> anyhow::Result<Location> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    if !target.contains(SCHEME_END) {
        anyhow::ensure!(password_file.is_none(), "--password-file is for database servers; a file needs none");
        return Ok(Location::file_at("", PathBuf::from(target), program));
    }
    engine_of(target)?;
    let password = password_file.map(password).transpose()?;
    let mut location = Location::file_at("", PathBuf::new(), program);
    // Where no puskesmas is named, times are those of the capital.
    let offset = Zone::Wib.offset_text().to_owned();
    location.server = Some(Server { url: target.to_owned(), password, offset });
    Ok(location)
}

fn password(file: &Path) -> anyhow::Result<Personal<String>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read the password file {}", file.display()))?;
    anyhow::ensure!(!text.trim().is_empty(), "the password file {} is empty", file.display());
    Ok(Personal::new(text.trim().to_owned()))
}

/// The profile of this name, or in this YAML file.
///
/// # Errors
/// A name that is not known, with the nearest one; a profile with a mistake; a profile of files for a server.
pub fn profile(name: &str, location: &Location) -> anyhow::Result<Arc<Profile>> {
    let Some((file, text)) = assets::source_profile(name, Path::new(""))? else {
        let names = assets::source_profile_names();
        let near = nearest(name, names.iter().map(String::as_str)).map(|near| format!(" ({near})")).unwrap_or_default();
        anyhow::bail!(
            "there is no profile `{name}`{near}; name one of {}, or a file that ends in .yaml",
            names.join(", ")
        );
    };
    let profile = Profile::parse(&file, &text)?;
    anyhow::ensure!(
        location.server.is_none() || profile.kind == Kind::Database,
        "the profile `{}` reads files: name a file, not the address of a server",
        profile.name
    );
    Ok(Arc::new(profile))
}
