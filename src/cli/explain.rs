//! `explain`: the whole way of one decision, as text or JSON.

mod explanation;
mod advice;
mod caller;
mod levels;
mod text;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::remediation::find_remediations;
use crate::decision::{Phase, Reason, Trace, TraceStep};
use crate::document::Sources;
use crate::policy::amend::PolicyEdit;
use crate::policy::outline::PolicyOutline;
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{CellId, Scope, Subject, Timestamp};

use super::caller::{now, subject};
use super::exit::{CommandError, Exit, print};
use super::policy_file;

pub(super) const EXAMPLE: &str = "\
Example:
  portcullis explain policies/noah-es.yaml \\
    --as '{\"client\": \"app-1\", \"tenant\": \"t1\", \"roles\": [\"Level 2\"]}' \\
    DELETE /t1/api/Patients/p1

A caller is an object of: id, kind (user, service, anonymous), client, tenant or tenants, roles, groups, permissions, \
claims, approved (names of approval gates that are open for it).
Ends with 0 where the request is permitted, with 3 where it is refused.";

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The policy: a file, or a folder of files
    #[arg(value_name = "POLICY", value_hint = clap::ValueHint::AnyPath)]
    policy: PathBuf,
    /// Who asks: JSON, or `@FILE` with it; without, an anonymous caller
    #[arg(long = "as", value_name = "JSON")]
    subject: Option<String>,
    /// The method, as sent
    #[arg(value_name = "METHOD")]
    method: String,
    /// The path, as sent, with its query if it has one
    #[arg(value_name = "PATH")]
    target: String,
    /// What the answer's Content-Type would be, for routes by type: the decision about the answer
    #[arg(long, value_name = "MEDIA TYPE")]
    answered_as: Option<String>,
    /// The Host header, for targets that name an authority
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// How the explanation is printed
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

/// TraceRecorder: a witness that keeps what it is shown.
#[derive(Debug, Default)]
struct TraceRecorder {
    scope: Option<Scope<'static>>,
    granted: Vec<(CellId, RowId)>,
    lacking: Vec<(CellId, Reason)>,
}

impl Trace for TraceRecorder {
    fn record(&mut self, step: TraceStep<'_>) {
        match step {
            TraceStep::Scope(scope) => {
                let mut kept: Scope<'static> = Default::default();
                for (kept, value) in kept.iter_mut().zip(scope) {
                    *kept = value.as_deref().map(|value| value.to_owned().into());
                }
                self.scope = Some(kept);
            }
            TraceStep::Granted { cell, row } => self.granted.push((cell, row)),
            TraceStep::Missing { cell, reason } => self.lacking.push((cell, reason)),
        }
    }
}

pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let subject = args.subject.as_deref().map_or_else(|| Ok(Subject::anonymous()), subject);
    let subject = subject.map_err(CommandError::usage)?;
    let (policy, sources) = policy_file::load(&args.policy)?;
    let host = args.host.as_deref();
    let phase = args.answered_as.as_deref().map_or(Phase::Request, |answer| Phase::Response(Some(answer)));
    let asked = RequestQuery { subject: &subject, method: &args.method, target: &args.target, host, phase };
    let (now, outline) = (now(), PolicyOutline::read(&sources));
    let mut account = decide_query(&policy, asked, now, &mut TraceRecorder::default(), |road, seen| {
        explanation::of(&policy, &outline, &sources, asked, road, seen)
    });
    account.changes = changes(&policy, &outline, &sources, asked, now);
    let exit = if account.is_permit() { Exit::Done } else { Exit::Refused };
    let printed = match args.format {
        Format::Text => text::page(&account),
        Format::Json => {
            serde_json::to_string_pretty(&account).map_err(|error| CommandError::failure(error.to_string()))? + "\n"
        }
    };
    print(out, &printed, exit)
}

/// What would permit; nothing for a permit.
fn changes(
    policy: &Snapshot,
    outline: &PolicyOutline,
    sources: &Sources,
    asked: RequestQuery<'_>,
    now: Timestamp,
) -> Vec<explanation::SuggestedChanges> {
    let place = |change: &PolicyEdit| Some(sources.locate(outline.place_of(change)?)?.to_string());
    let step = |change: &PolicyEdit| explanation::SuggestedStep { text: change.to_string(), place: place(change) };
    let found = find_remediations(outline, policy, asked, now).into_iter();
    found
        .map(|one| explanation::SuggestedChanges { steps: one.changes.iter().map(step).collect(), opens: one.opens })
        .collect()
}

#[cfg(test)]
mod tests;
