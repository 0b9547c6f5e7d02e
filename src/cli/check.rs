//! `check`: prints every finding about policies and settings.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::document::{Finding, FindingCode, Findings, Sources, report};
use crate::policy::route::Route;
use crate::policy::{self, LoadResult, Snapshot, locked};
use crate::proxy::downstream::tls::{LiveCertificates, TlsPlan};
use crate::reload::{api_keys, cases, client_certs, file};
use crate::settings::{self, AuditDestination, Settings};
use crate::vocabulary::AuditMode;

use super::exit::{CommandError, Exit, print};
use super::policy_file;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Policies: each a file, or a folder of files that make up one policy
    #[arg(value_name = "POLICY", required_unless_present = "config", value_hint = clap::ValueHint::AnyPath)]
    policies: Vec<PathBuf>,
    /// The settings of a gateway, checked with every policy they name
    #[arg(long, value_name = "FILE", conflicts_with = "policies", value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// The live policy: a reload must not change the parts that it locks
    #[arg(long, value_name = "POLICY", conflicts_with = "config", value_hint = clap::ValueHint::AnyPath)]
    against: Option<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With the source line and help
    Text,
    /// One array; the summary goes to the error stream
    Json,
}

/// CheckResult: the findings about one policy or one settings file, and the texts that they refer to.
struct CheckResult {
    findings: Findings,
    sources: Sources,
    /// Whether the texts may be shown: a file of API keys may contain a pasted secret.
    quotable: bool,
}

impl CheckResult {
    fn text(&self) -> String {
        if self.quotable {
            return report::human(&self.findings, &self.sources) + "\n";
        }
        let lines = self.findings.sorted().into_iter().map(|finding| report::line(finding, &self.sources) + "\n\n");
        lines.collect()
    }
}

/// ConfigCheck: the findings about a settings file, and the policies and files of API keys that it names.
struct ConfigCheck {
    settings: CheckResult,
    /// Each policy, with the sources of identity that its API accepts.
    policies: Vec<(PathBuf, Vec<Box<str>>)>,
    keys: Vec<PathBuf>,
    /// The errors of certificates, and of the authorities of client certificates.
    certificates: Vec<String>,
    /// Whether audit records are written to a file.
    audits_to_file: bool,
}

pub(super) fn run(args: &CheckArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    if args.against.is_some() && args.policies.len() > 1 {
        return Err(CommandError::usage("`--against` compares one policy with another: name one POLICY"));
    }
    let live = args.against.as_deref().map(policy_file::load_policy).transpose()?;
    let live = live.as_ref().map(|(live, _)| live);
    let mut all: Vec<CheckResult> = args.policies.iter().map(|path| check_policy(path, None, live, true)).collect();
    if let Some(path) = &args.config {
        let config = check_config(path);
        all.push(config.settings);
        all.extend(config.keys.iter().map(|path| check_keys(path)));
        let unreadable = |message| single_finding(Finding::error(FindingCode::Unreadable, None, message));
        all.extend(config.certificates.into_iter().map(unreadable));
        let policies = config.policies.iter();
        all.extend(policies.map(|(path, issuers)| check_policy(path, Some(issuers), None, config.audits_to_file)));
    }
    let mut joined = Findings::default();
    all.iter().for_each(|checked| joined.extend(checked.findings.clone()));
    let exit = if joined.has_errors() { Exit::Findings } else { Exit::Done };
    let summary = report::summary(&joined);
    match args.format {
        Format::Text => {
            let reports = all.iter().filter(|checked| !checked.findings.is_empty());
            let reports: String = reports.map(CheckResult::text).collect();
            print(out, &format!("{reports}{summary}\n"), exit)
        }
        Format::Json => {
            let arrays = all.iter().map(|checked| report::json(&checked.findings, &checked.sources));
            let array: serde_json::Value =
                arrays.flat_map(|array| array.as_array().cloned().unwrap_or_default()).collect();
            let exit = print(out, &format!("{array:#}\n"), exit);
            // A failure of the error stream is ignored: the exit code reports the result.
            let _ = writeln!(err, "{summary}");
            exit
        }
    }
}

/// The findings about the policy at `path`.
///
/// `live` is the policy that it would replace, and `audits_to_file` tells whether lossless decisions can be written.
fn check_policy(
    path: &Path,
    issuers: Option<&[Box<str>]>,
    live: Option<&Snapshot>,
    audits_to_file: bool,
) -> CheckResult {
    let mut sources = match file::read(path) {
        Ok(sources) => sources,
        Err(finding) => return single_finding(finding),
    };
    let LoadResult { snapshot, mut findings } = policy::load(&sources, issuers);
    if let Some(candidate) = snapshot {
        if let Some(live) = live {
            findings.extend(locked::changes(live, &candidate));
        }
        if !audits_to_file {
            findings.extend(unwritable_decisions(&candidate));
        }
        if candidate.model.cases_must_pass {
            findings.extend(cases::check_cases(&candidate, &mut sources, cases::read(path), path, issuers));
        }
    }
    CheckResult { findings, sources, quotable: true }
}

/// Findings about lossless routes, where the settings name no audit file.
fn unwritable_decisions(policy: &Snapshot) -> Findings {
    let mut findings = Findings::default();
    let lossless = |route: &&Route| route.methods.iter().any(|method| method.audit == Some(AuditMode::Lossless));
    for route in policy.routes.routes().iter().filter(lossless) {
        let message = "`audit: lossless` needs a file, and the settings name none under `audit`";
        let finding = Finding::error(FindingCode::BadValue, Some(route.span), message);
        findings.push(finding.help("without one every such request is refused"));
    }
    findings
}

fn check_keys(path: &Path) -> CheckResult {
    let (findings, sources) = api_keys::read(path).err().unwrap_or_default();
    CheckResult { findings, sources, quotable: false }
}

/// The findings about the settings at `path`, and the policies to check with them.
fn check_config(path: &Path) -> ConfigCheck {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let finding = Finding::error(FindingCode::Unreadable, None, format!("`{name}` cannot be read: {error}"));
            return ConfigCheck {
                settings: single_finding(finding),
                policies: Vec::new(),
                keys: Vec::new(),
                certificates: Vec::new(),
                audits_to_file: true,
            };
        }
    };
    let mut sources = Sources::default();
    let folder = path.parent().unwrap_or(Path::new(""));
    let (settings, findings) =
        settings::read_with_findings(&mut sources, &name, &text, folder, &settings::ProcessSecrets);
    let audits_to_file =
        settings.as_ref().is_none_or(|settings| matches!(settings.audit.to, AuditDestination::File(_)));
    let apis = settings.iter().flat_map(|settings| &settings.apis);
    let keys = settings.iter().flat_map(|settings| &settings.key_sources).map(|source| source.file.clone()).collect();
    let policies = apis.flat_map(|api| {
        let paths = std::iter::once(&api.policy).chain(&api.candidate);
        paths.map(|path| (path.clone(), api.sources()))
    });
    let policies = policies.collect();
    let certificates = settings.as_ref().map(check_certificates).unwrap_or_default();
    let settings = CheckResult { findings, sources, quotable: true };
    ConfigCheck { settings, policies, keys, certificates, audits_to_file }
}

/// Loads the certificates that the gateway loads at its start, and returns the errors.
fn check_certificates(settings: &Settings) -> Vec<String> {
    let authorities = client_certs::open_all(&settings.certificate_sources, &Arc::default()).err();
    let listeners = settings.listeners.iter().filter_map(|listener| Some((&listener.name, listener.tls.as_ref()?)));
    let listeners = listeners.filter_map(|(name, tls)| {
        let error = LiveCertificates::load(&TlsPlan::of_server(tls)).err()?;
        Some(format!("the certificates of the listener `{name}` cannot be used: {error}"))
    });
    authorities.into_iter().chain(listeners).collect()
}

fn single_finding(finding: Finding) -> CheckResult {
    let mut findings = Findings::default();
    findings.push(finding);
    CheckResult { findings, sources: Sources::default(), quotable: true }
}

#[cfg(test)]
mod tests;
