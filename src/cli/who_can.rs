//! `who-can`: everybody that the policy lets do what a request would.

mod text;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::decision::eligibility::{CallerSet, EligibleCallers, GrantPath, cell_requirements, eligible_callers};
use crate::policy::{NoMatch, RouteMatch, Snapshot};
use crate::request::{OverrideMode, RawRequest, read};
use crate::vocabulary::{CellId, Cells};

use super::exit::{CommandError, Exit, print};
use super::policy_file;

pub(super) const EXAMPLE: &str = "\
Example: portcullis who-can policies/noah-es.yaml DELETE /t1/api/Patients/p1

Users are those of the policy; whoever has a role by a token stands under the role. \
Ends with 3 where nobody may.";

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
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// To read
    Text,
    /// One object
    Json,
}

/// WhoCanReport: who may; its fields are the keys of the JSON output.
#[derive(Debug, Serialize)]
pub(super) struct WhoCanReport {
    policy: String,
    method: String,
    target: String,
    route: Option<String>,
    /// Why the request reaches nothing that somebody could be permitted.
    refused: Option<String>,
    public: bool,
    /// The route's condition, which everybody has to fulfil.
    condition: Option<String>,
    scope: Vec<ScopeEntry>,
    /// Lists of cells, of which one is enough where the answer's media type says which.
    needs: Vec<NeedEntry>,
    /// Whether callers have exactly one role.
    one_role: bool,
    may: Vec<CallersEntry>,
    /// Those who hold it and are kept out.
    kept_out: Vec<CallersEntry>,
}

#[derive(Debug, Serialize)]
struct ScopeEntry {
    name: String,
    value: Option<String>,
}

#[derive(Debug, Serialize)]
struct NeedEntry {
    answered_as: Option<String>,
    cells: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CallersEntry {
    /// `everyone`, `service-apps`, `group`, `role` or `users`.
    who: &'static str,
    /// The role, or the users' ids.
    names: Vec<String>,
    /// The group that they are in, or must be in besides.
    group: Option<String>,
    /// Where the role must be assigned at least; empty: it may be everywhere.
    within: Vec<String>,
    through: Vec<GrantedThrough>,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct GrantedThrough {
    answered_as: Option<String>,
    /// The rows that open the cells, in the order of the cells; none for a service app with full grants.
    permissions: Vec<String>,
    /// Gates that must be opened by an approval or a condition.
    gates: Vec<String>,
    /// Whether the assignment has a condition.
    conditional: bool,
}

/// From so many entries on somebody who waits is told why.
const MANY: usize = 10_000;

pub(super) fn run(args: &WhoCanArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let (policy, _) = policy_file::load(&args.policy)?;
    let users = policy.entitlements.users().count();
    if users >= MANY {
        // Where nobody reads the error stream there is nobody to wait.
        let _ = writeln!(err, "asking about {users} users");
    }
    let headers: [(&str, &str); 0] = [];
    let raw = RawRequest { method: &args.method, target: args.target.as_bytes(), host: None, headers: &headers };
    let request = read(&raw, policy.model.dialect, OverrideMode::Reject);
    let request = request.as_ref().map_err(|rejected| NoMatch::Rejected(*rejected));
    let placed = request.and_then(|request| policy.routes.match_route(request.method, &request.path, request.query));
    let census = census(&policy, args, placed.as_ref().map_err(|unplaced| *unplaced));
    let exit = if census.public || !census.may.is_empty() { Exit::Done } else { Exit::Refused };
    let printed = match args.format {
        Format::Text => text::page(&census),
        Format::Json => {
            serde_json::to_string_pretty(&census).map_err(|error| CommandError::failure(error.to_string()))? + "\n"
        }
    };
    print(out, &printed, exit)
}

fn census(policy: &Snapshot, args: &WhoCanArgs, placed: Result<&RouteMatch<'_>, NoMatch>) -> WhoCanReport {
    let refused = match placed {
        Ok(placed) => (*placed.access.cells == Cells::Nobody).then(|| "nobody".to_owned()),
        Err(NoMatch::Rejected(rejected)) => Some(format!("bad-request ({})", rejected.code())),
        Err(NoMatch::NoRoute) => Some("no-route".to_owned()),
        Err(NoMatch::NoMethod(_)) => Some("no-method".to_owned()),
    };
    let mut census = WhoCanReport {
        policy: policy.version.name.to_string(),
        method: args.method.clone(),
        target: args.target.clone(),
        route: placed.ok().map(|placed| placed.route.template.text().to_owned()),
        refused,
        public: placed.is_ok_and(|placed| *placed.access.cells == Cells::Public),
        condition: None,
        scope: Vec::new(),
        needs: Vec::new(),
        one_role: policy.model.one_role,
        may: Vec::new(),
        kept_out: Vec::new(),
    };
    let Ok(placed) = placed else { return census };
    let scopes = policy.model.scopes.iter().zip(&placed.access.scope);
    let bound = scopes
        .map(|(scope, value)| ScopeEntry { name: scope.name.to_string(), value: value.as_deref().map(str::to_owned) });
    census.scope = bound.collect();
    census.condition =
        placed.method.when.and_then(|when| policy.condition(when)).map(|condition| condition.text().to_owned());
    let told = SubjectNames { policy, placed };
    let lists = cell_requirements(placed.access.cells);
    census.needs = lists.iter().enumerate().map(|(at, cells)| told.need(at, cells)).collect();
    for holder in eligible_callers(policy, &placed.access) {
        let list = if holder.refusal.is_none() { &mut census.may } else { &mut census.kept_out };
        list.push(told.entry(&holder));
    }
    census
}

/// SubjectNames: ids become names here.
struct SubjectNames<'a> {
    policy: &'a Snapshot,
    placed: &'a RouteMatch<'a>,
}

impl SubjectNames<'_> {
    fn need(&self, at: usize, cells: &[CellId]) -> NeedEntry {
        let cells = cells.iter().filter_map(|cell| self.policy.cell(*cell)).map(ToString::to_string);
        NeedEntry { answered_as: self.range(at), cells: cells.collect() }
    }

    fn range(&self, at: usize) -> Option<String> {
        match self.placed.access.cells {
            Cells::ByType(candidates) => candidates.get(at).map(|candidate| candidate.range.to_string()),
            _ => None,
        }
    }

    fn entry(&self, holder: &EligibleCallers<'_>) -> CallersEntry {
        let model = &self.policy.model;
        let group = holder.group.and_then(|at| model.groups.get(usize::try_from(at).ok()?));
        let group = group.map(|group| group.name.to_string());
        let (who, names, within) = match &holder.callers {
            CallerSet::Everyone => ("everyone", Vec::new(), Vec::new()),
            CallerSet::ServiceApps => ("service-apps", Vec::new(), Vec::new()),
            CallerSet::Group => ("group", group.iter().cloned().collect(), Vec::new()),
            CallerSet::Users(entries) => {
                ("users", entries.iter().map(|entry| entry.id().to_string()).collect(), Vec::new())
            }
            CallerSet::Role(at) => {
                let role = usize::try_from(*at).ok().and_then(|at| model.roles.get(at));
                let must = |at: usize| role.is_some_and(|role| role.assign_within >> at & 1 == 1);
                let within = model.scopes.iter().enumerate().filter(|(at, _)| must(*at));
                let names = role.map(|role| role.name.to_string()).into_iter().collect();
                ("role", names, within.map(|(_, scope)| scope.name.to_string()).collect())
            }
        };
        let through = holder.paths.iter().map(|passage| self.through(passage)).collect();
        let reason = holder.refusal.map(|reason| reason.full_code(Some(self.policy)).to_owned());
        CallersEntry { who, names, group, within, through, reason }
    }

    fn through(&self, passage: &GrantPath) -> GrantedThrough {
        let mut permissions: Vec<String> = Vec::new();
        for row in passage.rows.iter().filter_map(|(_, row)| self.policy.row((*row)?)) {
            if !permissions.iter().any(|known| **known == *row.name) {
                permissions.push(row.name.to_string());
            }
        }
        let gates = (0..64).filter(|at| passage.gates >> at & 1 == 1).filter_map(|at| self.policy.gate(at));
        GrantedThrough {
            answered_as: self.range(passage.requirement),
            permissions,
            gates: gates.map(|gate| gate.name.to_string()).collect(),
            conditional: passage.conditional,
        }
    }
}

#[cfg(test)]
mod tests;
