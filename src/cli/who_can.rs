//! `who-can`: lists every caller that the policy permits to make a request.

mod report;
mod text;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::decision::eligibility::{CallerSet, EligibleCallers, GrantPath, cell_requirements, eligible_callers};
use crate::policy::{NoMatch, RouteMatch, Snapshot};
use crate::request::{OverrideMode, RawRequest, read};
use crate::vocabulary::{CellId, Cells};

use super::exit::{CommandError, Exit, print};
use super::policy_file;
use report::{CallersEntry, GrantedThrough, NeedEntry, ScopeEntry, WhoCanReport};

pub(super) const EXAMPLE: &str = "\
Example: portcullis who-can policies/noah-es.yaml DELETE /t1/api/Patients/p1

Users are those of the policy; callers with a role from a token are listed under the role. \
Ends with 3 where no caller may.";

#[derive(Debug, Args)]
pub(super) struct WhoCanArgs {
    /// The policy: a file, or a folder of files
    #[arg(value_name = "POLICY", value_hint = clap::ValueHint::AnyPath)]
    policy: PathBuf,
    /// The method, as sent
    #[arg(value_name = "METHOD")]
    method: String,
    /// The path, as sent, with its query if it has one
    #[arg(value_name = "PATH")]
    target: String,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for people
    Text,
    /// One object
    Json,
}

/// The number of user entries from which a message announces the longer run time.
const SLOW_USER_COUNT: usize = 10_000;

pub(super) fn run(args: &WhoCanArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let (policy, _) = policy_file::load_policy(&args.policy)?;
    let users = policy.entitlements.users().count();
    if users >= SLOW_USER_COUNT {
        // A failure of the error stream only loses the message.
        let _ = writeln!(err, "evaluating {users} users");
    }
    let headers: [(&str, &str); 0] = [];
    let raw = RawRequest { method: &args.method, target: args.target.as_bytes(), host: None, headers: &headers };
    let request = read(&raw, policy.model.dialect, OverrideMode::Reject);
    let request = request.as_ref().map_err(|rejected| NoMatch::Rejected(*rejected));
    let matched = request.and_then(|request| policy.routes.match_route(request.method, &request.path, request.query));
    let report = build_report(&policy, args, matched.as_ref().map_err(|no_match| *no_match));
    let exit = if report.public || !report.may.is_empty() { Exit::Done } else { Exit::Refused };
    let printed = match args.format {
        Format::Text => text::print_page(&report),
        Format::Json => {
            serde_json::to_string_pretty(&report).map_err(|error| CommandError::failure(error.to_string()))? + "\n"
        }
    };
    print(out, &printed, exit)
}

fn build_report(policy: &Snapshot, args: &WhoCanArgs, matched: Result<&RouteMatch<'_>, NoMatch>) -> WhoCanReport {
    let refused = match matched {
        Ok(matched) => (*matched.access.cells == Cells::Nobody).then(|| "nobody".to_owned()),
        Err(NoMatch::Rejected(rejected)) => Some(format!("bad-request ({})", rejected.code())),
        Err(NoMatch::NoRoute) => Some("no-route".to_owned()),
        Err(NoMatch::NoMethod(_)) => Some("no-method".to_owned()),
    };
    let mut report = WhoCanReport {
        policy: policy.version.name.to_string(),
        method: args.method.clone(),
        target: args.target.clone(),
        route: matched.ok().map(|matched| matched.route.template.text().to_owned()),
        refused,
        public: matched.is_ok_and(|matched| *matched.access.cells == Cells::Public),
        condition: None,
        scope: Vec::new(),
        needs: Vec::new(),
        one_role: policy.model.one_role,
        may: Vec::new(),
        kept_out: Vec::new(),
    };
    let Ok(matched) = matched else { return report };
    let scopes = policy.model.scopes.iter().zip(&matched.access.scope);
    let values = scopes
        .map(|(scope, value)| ScopeEntry { name: scope.name.to_string(), value: value.as_deref().map(str::to_owned) });
    report.scope = values.collect();
    report.condition =
        matched.method.when.and_then(|when| policy.condition(when)).map(|condition| condition.text().to_owned());
    let names = SubjectNames { policy, matched };
    let lists = cell_requirements(matched.access.cells);
    report.needs = lists.iter().enumerate().map(|(index, cells)| names.need_entry(index, cells)).collect();
    for holder in eligible_callers(policy, &matched.access) {
        let list = if holder.refusal.is_none() { &mut report.may } else { &mut report.kept_out };
        list.push(names.callers_entry(&holder));
    }
    report
}

/// SubjectNames: replaces the ids in a result by names.
struct SubjectNames<'a> {
    policy: &'a Snapshot,
    matched: &'a RouteMatch<'a>,
}

impl SubjectNames<'_> {
    fn need_entry(&self, index: usize, cells: &[CellId]) -> NeedEntry {
        let cells = cells.iter().filter_map(|cell| self.policy.cell(*cell)).map(ToString::to_string);
        NeedEntry { answered_as: self.media_range(index), cells: cells.collect() }
    }

    /// The media range of the need with this index; `None` where the needs do not depend on the media type.
    fn media_range(&self, index: usize) -> Option<String> {
        match self.matched.access.cells {
            Cells::ByType(candidates) => candidates.get(index).map(|candidate| candidate.range.to_string()),
            _ => None,
        }
    }

    fn callers_entry(&self, holder: &EligibleCallers<'_>) -> CallersEntry {
        let model = &self.policy.model;
        let group = holder.group.and_then(|index| model.groups.get(usize::try_from(index).ok()?));
        let group = group.map(|group| group.name.to_string());
        let (who, names, within) = match &holder.callers {
            CallerSet::Everyone => ("everyone", Vec::new(), Vec::new()),
            CallerSet::ServiceApps => ("service-apps", Vec::new(), Vec::new()),
            CallerSet::Group => ("group", group.iter().cloned().collect(), Vec::new()),
            CallerSet::Users(entries) => {
                ("users", entries.iter().map(|entry| entry.id().to_string()).collect(), Vec::new())
            }
            CallerSet::Role(index) => {
                let role = usize::try_from(*index).ok().and_then(|index| model.roles.get(index));
                let is_required = |scope: usize| role.is_some_and(|role| role.assign_within >> scope & 1 == 1);
                let within = model.scopes.iter().enumerate().filter(|(index, _)| is_required(*index));
                let names = role.map(|role| role.name.to_string()).into_iter().collect();
                ("role", names, within.map(|(_, scope)| scope.name.to_string()).collect())
            }
        };
        let through = holder.paths.iter().map(|path| self.granted_through(path)).collect();
        let reason = holder.refusal.map(|reason| reason.full_code(Some(self.policy)).to_owned());
        CallersEntry { who, names, group, within, through, reason }
    }

    fn granted_through(&self, path: &GrantPath) -> GrantedThrough {
        let mut permissions: Vec<String> = Vec::new();
        for row in path.rows.iter().filter_map(|(_, row)| self.policy.row((*row)?)) {
            if !permissions.iter().any(|known| **known == *row.name) {
                permissions.push(row.name.to_string());
            }
        }
        let gates = (0..64).filter(|index| path.gates >> index & 1 == 1).filter_map(|index| self.policy.gate(index));
        GrantedThrough {
            answered_as: self.media_range(path.requirement),
            permissions,
            gates: gates.map(|gate| gate.name.to_string()).collect(),
            conditional: path.conditional,
        }
    }
}

#[cfg(test)]
mod tests;
