//! What the process that reads a workbook allows itself. The system enforces it, whatever the parser does.
//!
//! It must run before the first byte of the file is looked at. A limit that cannot be set is a refusal.

use std::io;

use rlimit::Resource;

/// Address space, in bytes. A workbook of 200 MiB unpacked fits; a sparse sheet that asks for 100 GB does not.
pub const MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// Processor time, in seconds. With waiting it keeps a refusal within 10 seconds.
pub const CPU_SECONDS: u64 = 8;
/// Open files: the workbook, the frames, and what the system needs for a moment.
const OPEN_FILES: u64 = 16;

/// Sets all limits of this process for good.
///
/// # Errors
/// When the system refuses one.
pub fn set() -> io::Result<()> {
    let limits = [
        (Resource::AS, MEMORY_BYTES, MEMORY_BYTES),
        // The first ends the process with a signal that tells why, the second in any case.
        (Resource::CPU, CPU_SECONDS, CPU_SECONDS + 1),
        // No core file: it would hold what people wrote.
        (Resource::CORE, 0, 0),
        (Resource::FSIZE, 0, 0),
        (Resource::NOFILE, OPEN_FILES, OPEN_FILES),
        (Resource::NPROC, 0, 0),
    ];
    for (resource, soft, hard) in limits {
        let (_, ceiling) = resource.get()?;
        resource.set(soft.min(ceiling), hard.min(ceiling))?;
    }
    Ok(())
}
