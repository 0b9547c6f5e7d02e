//! Policies as commands read them: loaded, or the findings that say why not.

use std::path::Path;

use crate::document::{Sources, report};
use crate::policy::{self, Snapshot};
use crate::reload::file;

use super::exit::CommandError;

/// The policy at `path`, a file or a folder, and its texts.
///
/// Which sources of identity a gateway believes stands in its settings; a policy on its own is read as for one.
pub(super) fn load(path: &Path) -> Result<(Snapshot, Sources), CommandError> {
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
