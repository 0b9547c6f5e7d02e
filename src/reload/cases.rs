//! Cases beside a policy: where they stand, and whether the policy passes them.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::decision::cases::{self, TrialContext};
use crate::document::{Finding, FindingCode, Findings, Sources};
use crate::policy::Snapshot;
use crate::vocabulary::Timestamp;

use super::file;

/// How cases files end.
const ENDS: [&str; 2] = [".cases.yaml", ".cases.yml"];

/// The paths at which cases of the policy at `path` may stand beside it: `NAME.cases.yaml` for `NAME.yaml` and for the
/// folder `NAME`. In a folder every `*.cases.yaml` counts too.
pub fn beside(path: &Path) -> Vec<PathBuf> {
    // A folder may be written with a slash behind it; a name without an end is its own stem.
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let stem = [".yaml", ".yml"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    ENDS.iter().map(|end| path.with_file_name(format!("{stem}{end}"))).collect()
}

/// Reads the cases of the policy at `path`; no source at all where there are none.
///
/// # Errors
/// A file that cannot be read.
pub fn read(path: &Path) -> Result<Sources, Finding> {
    let mut files: Vec<PathBuf> = beside(path).into_iter().filter(|file| file.exists()).collect();
    if path.is_dir() {
        files.extend(file::cases_in(path)?);
    }
    let mut sources = Sources::default();
    files.iter().try_for_each(|file| read_file(file, &mut sources))?;
    Ok(sources)
}

/// Reads one cases file into `sources`.
///
/// # Errors
/// It cannot be read.
pub fn read_file(path: &Path, sources: &mut Sources) -> Result<(), Finding> {
    file::read_into(path, sources)
}

/// What is found where the `policy`, whose texts are `sources`, has to pass `cases`; adds these to the sources.
pub fn judge(
    policy: &Snapshot,
    sources: &mut Sources,
    cases: Result<Sources, Finding>,
    path: &Path,
    issuers: Option<&[Box<str>]>,
) -> Findings {
    let mut findings = Findings::default();
    let files = count(sources);
    match cases {
        Ok(cases) if cases.iter().next().is_some() => add(sources, &cases),
        Ok(_) => findings.push(missing(path)),
        Err(finding) => findings.push(finding),
    }
    let path = path.display().to_string();
    let bench = TrialContext { policy, sources, files, issuers, path: &path, now: now() };
    findings.extend(cases::check_cases(&bench));
    findings
}

/// The finding that no cases stand beside the policy at `path`.
pub fn missing(path: &Path) -> Finding {
    let beside = beside(path).into_iter().next().unwrap_or_default();
    let message = format!("no cases stand beside the policy `{}`", path.display());
    Finding::error(FindingCode::Unreadable, None, message).help(format!("they belong into `{}`", beside.display()))
}

/// Adds the texts of `more` behind those of `sources`.
pub fn add(sources: &mut Sources, more: &Sources) {
    for (_, source) in more.iter() {
        sources.add(source.name.as_str(), &source.text);
    }
}

/// How many texts there are.
pub fn count(sources: &Sources) -> u32 {
    u32::try_from(sources.iter().count()).unwrap_or(u32::MAX)
}

/// The moment at which cases are tried that state none.
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

pub(super) fn is_cases_file(name: &[u8]) -> bool {
    !name.starts_with(b".") && ENDS.iter().any(|end| name.ends_with(end.as_bytes()))
}
