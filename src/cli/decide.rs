//! `decide`: replays recorded requests against a policy, with one output line for each input line.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::decision::{NoTrace, Phase};
use crate::policy::Snapshot;
use crate::vocabulary::{Subject, Timestamp};

use super::caller::{self, CallerJson};
use super::exit::{CommandError, Exit, finish_output};
use super::policy_file;
use crate::decision::query::{RequestQuery, decide_query};

pub(super) const EXAMPLE: &str = "\
Example: portcullis decide policies/noah-es.yaml --requests recorded.jsonl

Each request is one line, and so is its decision:
  {\"id\":1,\"as\":{\"client\":\"app-1\",\"tenant\":\"t1\",\"roles\":[\"Level 2\"]},\"method\":\"GET\",\"path\":\"/t1/api/Users\"}
  {\"id\":1,\"decision\":\"permit\",\"reason\":\"granted\",\"resource\":\"Users\",\"operation\":\"read\"}
Without `as` the caller is anonymous. For an invalid line the output is {\"line\":N,\"error\":…}; the other lines \
are decided, and the code is 1.";

#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    /// The policy: a file, or a folder of files
    #[arg(value_name = "POLICY", value_hint = clap::ValueHint::AnyPath)]
    policy: PathBuf,
    /// The requests, one JSON object per line; `-` is the standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    requests: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputLine<'a> {
    #[serde(default)]
    id: serde_json::Value,
    #[serde(rename = "as", default)]
    subject: Option<CallerJson>,
    #[serde(borrow)]
    method: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    path: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
struct DecisionOutput<'a> {
    id: &'a serde_json::Value,
    decision: &'static str,
    reason: &'a str,
    resource: Option<&'a str>,
    operation: Option<&'a str>,
}

#[derive(Serialize)]
struct InputError<'a> {
    line: u64,
    error: &'a str,
}

/// The longest line that is read, in bytes; no legitimate request comes near.
const MAX_LINE: u64 = 1 << 20;

pub(super) fn run(args: &DecideArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let (policy, _) = policy_file::load_policy(&args.policy)?;
    if args.requests.as_os_str() == "-" {
        return replay(&policy, BufReader::with_capacity(1 << 16, io::stdin().lock()), out, err);
    }
    match std::fs::File::open(&args.requests) {
        Ok(file) => replay(&policy, BufReader::with_capacity(1 << 16, file), out, err),
        Err(error) => Err(CommandError::failure(format!("`{}` cannot be read: {error}", args.requests.display()))),
    }
}

fn replay<R: Read>(
    policy: &Snapshot,
    mut requests: BufReader<R>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, CommandError> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    let (now, anonymous) = (caller::now(), Subject::anonymous());
    let mut exit = Exit::Done;
    let mut line = Vec::new();
    for number in 1_u64.. {
        if requests.buffer().is_empty() {
            // An interactive client waits for each decision before it sends the next request.
            if let Err(error) = out.flush() {
                return finish_output(Err(error), exit);
            }
        }
        line.clear();
        let read = requests.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if let Err(error) = read.as_ref() {
            // The decisions so far are printed before the command fails.
            let _ = out.flush();
            return Err(CommandError::failure(format!("line {number}: the requests cannot be read: {error}")));
        }
        if line.is_empty() {
            break;
        }
        let too_long = !line.ends_with(b"\n") && u64::try_from(line.len()) == Ok(MAX_LINE);
        let text = line.trim_ascii();
        let decided = match (too_long, text.is_empty()) {
            (true, _) => Err(match requests.skip_until(b'\n') {
                Ok(_) => format!("the line is longer than {MAX_LINE} bytes"),
                Err(error) => error.to_string(),
            }),
            (false, true) => continue,
            (false, false) => parse_line(text).map(|line| write_decision(policy, &line, &anonymous, now, &mut out)),
        };
        let result = decided.unwrap_or_else(|error| {
            exit = Exit::Findings;
            // A failure of the error stream is ignored: the line in the output reports the error.
            let _ = writeln!(err, "line {number}: {error}");
            write_json(&mut out, &InputError { line: number, error: &error })
        });
        if result.is_err() {
            return finish_output(result, exit);
        }
    }
    finish_output(out.flush(), exit)
}

fn parse_line(text: &[u8]) -> Result<InputLine<'_>, String> {
    if !text.starts_with(b"{") {
        return Err("a request is an object: `{ id, as, method, path }`".to_owned());
    }
    serde_json::from_slice(text).map_err(|error| {
        let message = error.to_string();
        // The parser sees one line of the file, so only the column of its position is useful.
        message.replace(&format!(" at line {} column", error.line()), " at column")
    })
}

fn write_decision(
    policy: &Snapshot,
    line: &InputLine<'_>,
    anonymous: &Subject,
    now: Timestamp,
    out: &mut impl Write,
) -> io::Result<()> {
    let subject = line.subject.as_ref().map_or(anonymous, |CallerJson(subject)| subject);
    let query = RequestQuery { subject, method: &line.method, target: &line.path, host: None, phase: Phase::Request };
    decide_query(policy, query, now, &mut NoTrace, |trace, _| {
        let cell = trace.decision.cell.and_then(|cell| policy.cell(cell));
        let output = DecisionOutput {
            id: &line.id,
            decision: if trace.decision.is_permit() { "permit" } else { "refuse" },
            reason: trace.decision.reason.full_code(Some(policy)),
            resource: cell.map(|cell| &*cell.resource),
            operation: cell.map(|cell| cell.operation.name()),
        };
        write_json(out, &output)
    })
}

fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests;
