//! `explain`: prints every step of one decision, as text or JSON.

mod advice;
mod bounds;
mod builder;
mod caller;
mod cells;
mod context;
mod explanation;
mod levels;
mod recorder;
mod text;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::decision::Phase;
use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::remediation::find_remediations;
use crate::document::Sources;
use crate::policy::Snapshot;
use crate::policy::amend::PolicyEdit;
use crate::policy::outline::PolicyOutline;
use crate::vocabulary::{Subject, Timestamp};

use super::caller::{now, parse_subject};
use super::exit::{CommandError, Exit, print};
use super::policy_file;
use builder::build_explanation;
use explanation::{SuggestedChanges, SuggestedStep};
use recorder::TraceRecorder;

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
    /// The caller: JSON, or `@FILE` with it; an anonymous caller by default
    #[arg(long = "as", value_name = "JSON")]
    subject: Option<String>,
    /// The method, as sent
    #[arg(value_name = "METHOD")]
    method: String,
    /// The path, as sent, with its query if it has one
    #[arg(value_name = "PATH")]
    target: String,
    /// The Content-Type of the response, for routes by type: decides about the response
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
    /// Text for people
    Text,
    /// One object
    Json,
}

pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let subject = args.subject.as_deref().map_or_else(|| Ok(Subject::anonymous()), parse_subject);
    let subject = subject.map_err(CommandError::usage)?;
    let (policy, sources) = policy_file::load_policy(&args.policy)?;
    let host = args.host.as_deref();
    let phase = args.answered_as.as_deref().map_or(Phase::Request, |answer| Phase::Response(Some(answer)));
    let query = RequestQuery { subject: &subject, method: &args.method, target: &args.target, host, phase };
    let (now, outline) = (now(), PolicyOutline::read(&sources));
    let mut explanation = decide_query(&policy, query, now, &mut TraceRecorder::default(), |trace, recorder| {
        build_explanation(&policy, &outline, &sources, query, trace, recorder)
    });
    explanation.changes = suggest_changes(&policy, &outline, &sources, query, now);
    let exit = if explanation.is_permit() { Exit::Done } else { Exit::Refused };
    let printed = match args.format {
        Format::Text => text::print_page(&explanation),
        Format::Json => {
            serde_json::to_string_pretty(&explanation).map_err(|error| CommandError::failure(error.to_string()))? + "\n"
        }
    };
    print(out, &printed, exit)
}

/// The policy changes that would permit the request; empty for a permit.
fn suggest_changes(
    policy: &Snapshot,
    outline: &PolicyOutline,
    sources: &Sources,
    query: RequestQuery<'_>,
    now: Timestamp,
) -> Vec<SuggestedChanges> {
    let place = |change: &PolicyEdit| Some(sources.locate(outline.span_of(change)?)?.to_string());
    let step = |change: &PolicyEdit| SuggestedStep { text: change.to_string(), place: place(change) };
    let found = find_remediations(outline, policy, query, now).into_iter();
    found
        .map(|remediation| SuggestedChanges {
            steps: remediation.changes.iter().map(step).collect(),
            opens: remediation.opens,
        })
        .collect()
}

#[cfg(test)]
mod tests;
