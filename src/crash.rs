//! Named points at which the process can be made to kill itself, so that tests stop it before and after every durable
//! write and every send.
//!
//! A build without debug assertions holds nothing of it. In the others a point does something only after `armed::arm`
//! was called, which a hidden option of the command line does. It must not change what the program does at a point that is
//! not armed.

use std::future::Future;

/// Carries `work` out between two points: `<name>.before` and `<name>.after`.
pub async fn around<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    pass(name, ".before");
    let done = work.await;
    pass(name, ".after");
    done
}

/// A single point.
pub fn point(name: &'static str) {
    pass(name, "");
}

#[cfg(not(debug_assertions))]
#[inline(always)]
fn pass(_name: &'static str, _side: &'static str) {}

#[cfg(debug_assertions)]
use armed::pass;

#[cfg(debug_assertions)]
pub mod armed {
    //! Which points are armed, and the end of the process at one of them.

    use std::collections::HashMap;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::{fs, io, thread};

    /// What was asked for: how many passes of each point are left until the process ends, and where to write which.
    struct Plan {
        left: Mutex<HashMap<String, u32>>,
        told: PathBuf,
    }

    static PLAN: OnceLock<Plan> = OnceLock::new();

    /// Arms the points that a file lists, one a line: the name, a space, and at which passing the process kills itself.
    /// The name is then written beside the file, under its name with `.hit` appended.
    ///
    /// # Errors
    /// The file cannot be read, or a line is not a name and a number from 1.
    pub fn arm(file: &Path) -> io::Result<()> {
        let mut left = HashMap::new();
        for line in fs::read_to_string(file)?.lines() {
            let pair = line.split_once(' ').and_then(|(name, at)| Some((name, at.parse::<u32>().ok()?)));
            let (name, at) = pair.filter(|(_, at)| *at > 0).ok_or(io::ErrorKind::InvalidData)?;
            left.insert(name.to_owned(), at);
        }
        let mut told = file.as_os_str().to_owned();
        told.push(".hit");
        let _ = PLAN.set(Plan { left: Mutex::new(left), told: told.into() });
        Ok(())
    }

    pub(super) fn pass(name: &'static str, side: &'static str) {
        let Some(plan) = PLAN.get() else { return };
        let mut left = plan.left.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = left.get_mut(&format!("{name}{side}")) else { return };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return;
        }
        // Whoever waits for the lock stays there: nothing passes another point meanwhile.
        let _ = fs::write(&plan.told, format!("{name}{side}"));
        loop {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            thread::yield_now();
        }
    }
}
