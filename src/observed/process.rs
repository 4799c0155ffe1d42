//! Memory and open files of this process, from `/proc`, and room on a disk: two small reads, where a crate would bring hundreds.
//!
//! Where there is no `/proc` the figures are missing.

use std::path::Path;

use rlimit::Resource;

/// Bytes of a KiB, the unit of `/proc/self/status`.
const KIB: u64 = 1024;

/// Figures of this process, as far as the system tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Resident memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Open files and sockets.
    pub open_files: Option<u64>,
    /// Open files and sockets it may have.
    pub files_max: Option<u64>,
}

impl Figures {
    /// The figures now.
    #[must_use]
    pub fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").ok();
        // The look itself opens one.
        let open = std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1) as u64);
        Self {
            memory_bytes: status.as_deref().and_then(resident),
            open_files: open,
            files_max: Resource::NOFILE.get().ok().map(|(soft, _)| soft),
        }
    }
}

/// Free space of the disk that a folder lies on, in bytes, as far as this user may fill it.
#[must_use]
pub fn disk_free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_files() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    1234 kB\n"), Some(1_263_616));
        assert_eq!(resident("Name:\tx\n"), None);
        let own = Figures::read();
        assert!(own.memory_bytes > Some(1_000_000) && own.open_files > Some(2) && own.files_max > own.open_files);
    }
}
