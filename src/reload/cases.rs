//! Cases beside a policy: finds their files, and checks that the policy passes them.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::decision::cases::{self, TrialContext};
use crate::document::{Finding, FindingCode, Findings, Sources};
use crate::policy::Snapshot;
use crate::vocabulary::Timestamp;

use super::file::{self, CASES_SUFFIXES};

/// The paths of cases files beside the policy at `path`: `NAME.cases.yaml` for `NAME.yaml` and for the folder `NAME`.
///
/// In a policy's folder every `*.cases.yaml` is also a cases file.
pub fn paths_beside(path: &Path) -> Vec<PathBuf> {
    // A folder's path may end in a slash. A name without a suffix is its own stem.
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let stem = [".yaml", ".yml"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    CASES_SUFFIXES.iter().map(|end| path.with_file_name(format!("{stem}{end}"))).collect()
}

/// Reads the cases of the policy at `path`; returns no source if there are none.
///
/// # Errors
/// Fails if a file cannot be read.
pub fn read(path: &Path) -> Result<Sources, Finding> {
    let mut files: Vec<PathBuf> = paths_beside(path).into_iter().filter(|file| file.exists()).collect();
    if path.is_dir() {
        files.extend(file::list_cases_files(path)?);
    }
    let mut sources = Sources::default();
    files.iter().try_for_each(|file| read_file(file, &mut sources))?;
    Ok(sources)
}

/// Reads one cases file into `sources`.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn read_file(path: &Path, sources: &mut Sources) -> Result<(), Finding> {
    file::read_into(path, sources)
}

/// Checks that the `policy`, whose texts are `sources`, passes `cases`; returns the findings.
///
/// Appends the texts of the cases to `sources`.
pub fn check_cases(
    policy: &Snapshot,
    sources: &mut Sources,
    cases: Result<Sources, Finding>,
    path: &Path,
    issuers: Option<&[Box<str>]>,
) -> Findings {
    let mut findings = Findings::default();
    let files = count_sources(sources);
    match cases {
        Ok(cases) if cases.iter().next().is_some() => append_sources(sources, &cases),
        Ok(_) => findings.push(missing_finding(path)),
        Err(finding) => findings.push(finding),
    }
    let path = path.display().to_string();
    let context = TrialContext { policy, sources, files, issuers, path: &path, now: now() };
    findings.extend(cases::check_cases(&context));
    findings
}

/// The finding that there are no cases beside the policy at `path`.
pub fn missing_finding(path: &Path) -> Finding {
    let expected = paths_beside(path).into_iter().next().unwrap_or_default();
    let message = format!("no cases stand beside the policy `{}`", path.display());
    Finding::error(FindingCode::Unreadable, None, message).help(format!("they belong into `{}`", expected.display()))
}

/// Appends the texts of `more` to `sources`.
pub fn append_sources(sources: &mut Sources, more: &Sources) {
    for (_, source) in more.iter() {
        sources.add(source.name.as_str(), &source.text);
    }
}

/// The number of texts.
pub fn count_sources(sources: &Sources) -> u32 {
    u32::try_from(sources.iter().count()).unwrap_or(u32::MAX)
}

/// The current time, at which cases without a time of their own are tried.
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
