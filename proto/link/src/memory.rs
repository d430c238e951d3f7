//! Keeps what passes through a process out of files that outlive it: a dump of a broker's memory would hold entries,
//! tokens and keys.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// Sees to it that this process leaves no core file, and that another process of the same user cannot read its memory.
/// Its children leave none either, but for the second part.
///
/// # Errors
/// As the system gives them; then the process should not serve.
pub fn no_core_files() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_asked_for_it_leaves_no_core_file() {
        no_core_files().unwrap();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert!(setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) }).is_err() || is_root());
    }

    /// Whoever may do everything may raise it again.
    fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }
}
