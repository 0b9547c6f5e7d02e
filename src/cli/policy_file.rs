//! Loads a policy for a command, or returns its findings as an error.

use std::path::Path;

use crate::document::{Sources, report};
use crate::policy::{self, Snapshot};
use crate::reload::file;

use super::exit::CommandError;

/// Loads the policy at `path`, a file or a folder, and returns it with its texts.
///
/// The settings of a gateway list its sources of identity; a policy without settings is loaded as for a single source.
pub(super) fn load_policy(path: &Path) -> Result<(Snapshot, Sources), CommandError> {
    let sources =
        file::read(path).map_err(|finding| CommandError::failure(report::line(&finding, &Sources::default())))?;
    let loaded = policy::load(&sources, None);
    match loaded.snapshot {
        Some(snapshot) => Ok((snapshot, sources)),
        None => {
            let (text, summary) = (report::human(&loaded.findings, &sources), report::summary(&loaded.findings));
            Err(CommandError::failure(format!("{text}\n`{}` is no policy: {summary}", path.display())))
        }
    }
}
