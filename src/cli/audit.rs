//! `audit`: verifies audit files.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::audit::DecisionId;
use crate::audit::chain::Hash;
use crate::audit::verify::{ChainVerification, LineLocation, VerificationReport, first_segment};

use super::exit::{CommandError, Exit, print};

pub(super) const EXAMPLE: &str = "Example: portcullis audit verify /var/log/portcullis";

const VERIFY_EXAMPLE: &str = "\
Examples:
  portcullis audit verify /var/log/portcullis                  every audit file of a folder
  portcullis audit verify --since 5f2c… audit-000007.jsonl audit.jsonl
  portcullis audit verify --expect 9be1… /var/log/portcullis

A chain reveals every change except a cut at its end, which only an earlier chain value reveals. So note the last chain \
value that this prints in a place that a writer of the files cannot change, and pass it with `--expect` the next time. \
Without `--expect`, code 0 means that the existing records are unchanged.";

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Verify that audit files are unchanged, and report decisions without an outcome
    #[command(after_help = VERIFY_EXAMPLE)]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The files of one chain in any order, or a folder of them
    #[arg(value_name = "FILES-OR-FOLDER", required = true, value_hint = clap::ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// The chain value that the first segment must follow
    #[arg(long, value_name = "CHAIN", value_parser = chain_value)]
    since: Option<Hash>,
    /// A chain value that was noted earlier; the files must still contain it
    #[arg(long, value_name = "CHAIN", value_parser = chain_value)]
    expect: Option<Hash>,
    /// List each decision without an outcome
    #[arg(long)]
    list: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object
    Json,
}

fn chain_value(text: &str) -> Result<Hash, String> {
    Hash::read(text.as_bytes()).ok_or_else(|| "a chain value is 64 of 0-9 and a-f".to_owned())
}

pub(super) fn run(args: &AuditArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let AuditCommand::Verify(args) = &args.command;
    let mut verification = ChainVerification::new(args.since, args.expect);
    let show_progress = std::io::stderr().is_terminal();
    let mut read = 0;
    let found = list_files(&args.paths)?;
    for SegmentFile { path, file, .. } in found.files {
        let file = file.map_or_else(|| open(&path), Ok)?;
        let mut progress = |bytes: usize| {
            let before = read / PROGRESS_STEP;
            read += bytes;
            if show_progress && read / PROGRESS_STEP > before {
                // A failure of the error stream only loses the progress line.
                let _ = write!(err, "\r{} MiB, {}", read >> 20, path.display());
            }
        };
        let result =
            verification.read_file(&path.display().to_string(), BufReader::with_capacity(1 << 18, file), &mut progress);
        result.map_err(|error| unreadable(&path, &error))?;
    }
    if show_progress && read >= PROGRESS_STEP {
        let _ = writeln!(err);
    }
    let (report, files) = verification.finish();
    let exit = if report.faults.is_empty() { Exit::Done } else { Exit::Findings };
    let text = match args.format {
        Format::Text => report_text(&report, &files, &found.packed, args.list),
        Format::Json => format!("{:#}\n", report_json(&report, &files, &found.packed, args.list)),
    };
    print(out, &text, exit)
}

/// The number of bytes between two updates of the progress line.
const PROGRESS_STEP: usize = 64 << 20;

/// AuditFiles: the files of an audit in the order of their first segments, and the compressed files that are skipped.
#[derive(Default)]
struct AuditFiles {
    files: Vec<SegmentFile>,
    packed: Vec<PathBuf>,
}

/// SegmentFile: an audit file and the number of its first segment.
struct SegmentFile {
    number: u64,
    path: PathBuf,
    /// The device and the inode, which identify a file that is renamed meanwhile.
    identity: (u64, u64),
    /// The newest files stay open, because a running gateway renames them.
    file: Option<File>,
}

/// The most scans of a folder; it is scanned again where a gateway has renamed a file meanwhile.
const MAX_SCANS: usize = 50;

/// The most files that stay open.
const MAX_OPEN_FILES: usize = 64;

/// Scans the paths until two scans find the same files.
fn list_files(paths: &[PathBuf]) -> Result<AuditFiles, CommandError> {
    let mut result = scan_files(paths);
    for _ in 1..MAX_SCANS {
        let again = scan_files(paths);
        let (Ok(before), Ok(after)) = (&result, &again) else {
            if result.is_err() && again.is_err() {
                return again;
            }
            result = again;
            continue;
        };
        let names = |found: &AuditFiles| -> Vec<_> {
            found.files.iter().map(|of| (of.number, of.path.clone(), of.identity)).collect()
        };
        if names(before) == names(after) {
            return result;
        }
        result = again;
    }
    result
}

fn scan_files(paths: &[PathBuf]) -> Result<AuditFiles, CommandError> {
    let (mut files, mut found) = (Vec::new(), AuditFiles::default());
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
            for entry in entries {
                let file = entry.map_err(|error| unreadable(path, &error))?.path();
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.contains(".jsonl") && file.is_file() {
                    let packed = [".gz", ".xz", ".zst", ".bz2"].iter().any(|end| name.ends_with(end));
                    if packed { found.packed.push(file) } else { files.push(file) }
                }
            }
        } else {
            files.push(path.clone());
        }
    }
    if files.is_empty() {
        return Err(CommandError::failure("there is no audit file: their names hold `.jsonl`"));
    }
    files.sort();
    found.packed.sort();
    for path in files {
        let mut file = open(&path)?;
        let of = file.metadata().map_err(|error| unreadable(&path, &error))?;
        let number = first_segment(BufReader::new(&file)).map_err(|error| unreadable(&path, &error))?;
        // Only a regular file can be read twice.
        if of.is_file() {
            file.rewind().map_err(|error| unreadable(&path, &error))?;
        }
        let numbered =
            SegmentFile { number: number.unwrap_or(u64::MAX), identity: (of.dev(), of.ino()), path, file: Some(file) };
        // A file that is being finished has two names for a short time.
        if found.files.iter().any(|other| other.identity == numbered.identity) {
            continue;
        }
        found.files.push(numbered);
        found.files.sort_by(|one, other| (one.number, &one.path).cmp(&(other.number, &other.path)));
        let beyond = found.files.len().saturating_sub(MAX_OPEN_FILES);
        found.files.iter_mut().take(beyond).for_each(|old| old.file = None);
    }
    Ok(found)
}

fn open(path: &Path) -> Result<File, CommandError> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::failure(format!("`{}` cannot be read: {error}", path.display()))
}

fn print_location(place: LineLocation, files: &[Box<str>]) -> String {
    format!("{}:{}", files.get(place.file).map_or("", |name| name), place.line)
}

fn report_text(report: &VerificationReport, files: &[Box<str>], packed: &[PathBuf], list: bool) -> String {
    let mut text = String::new();
    let mut line = |what: &str, value: String| text.push_str(&format!("{what:<10}{value}\n"));
    for fault in &report.faults {
        line(fault.kind.word(), format!("{}: {}", print_location(fault.location, files), fault.message));
    }
    if let Some(fault) = report.faults.first() {
        line("help", fault.kind.help().to_owned());
    }
    for path in packed {
        line("skipped", format!("{}: unpack it to have it verified", path.display()));
    }
    let segments = report.segments.map_or("none".to_owned(), |(first, last)| format!("{first} to {last}"));
    let last = if report.ended { "has ended" } else { "is being written, or its process was killed" };
    line("segments", format!("{segments}, files: {}; the last one {last}", files.len()));
    let (decisions, outcomes, exchanges) = (report.decisions, report.outcomes, report.exchanges);
    line("records", format!("{decisions} decisions, {outcomes} outcomes, {exchanges} with both in one line"));
    line("open", format!("{} decisions without an outcome", report.without_outcome.len()));
    if list {
        for (id, place) in &report.without_outcome {
            line("", format!("{}  {}", DecisionId(*id), print_location(*place, files)));
        }
    }
    if report.without_decision > 0 {
        line("", format!("{} outcomes whose decision is in none of these files", report.without_decision));
    }
    if report.not_followed > 0 {
        line("", format!("{} more decisions were not followed", report.not_followed));
    }
    line("lost", format!("{} records, of which the files tell themselves", report.lost));
    if report.torn > 0 {
        line("torn", format!("{} bytes that a crash or a full disk left, of which a segment tells", report.torn));
    }
    if report.unfinished > 0 {
        line("unfinished", format!(" the last {} bytes: being written, or cut by a crash", report.unfinished));
    }
    for (segment, place) in &report.not_ended {
        let message = "its process was killed, writes still, or the end is cut off";
        line("not ended", format!("segment {segment}, {}: {message}", print_location(*place, files)));
    }
    if let Some(place) = report.expected {
        line("expected", format!("the kept value stands at {}", print_location(place, files)));
    }
    if let Some(end) = report.end {
        line("chain", format!("{} at line {}", end.hash, end.seq));
    }
    let sound = if report.faults.is_empty() { "sound" } else { "NOT SOUND" };
    line("result", sound.to_owned());
    text
}

fn report_json(report: &VerificationReport, files: &[Box<str>], packed: &[PathBuf], list: bool) -> Value {
    let faults: Vec<Value> = report
        .faults
        .iter()
        .map(|fault| {
            let place = print_location(fault.location, files);
            json!({
                "fault": fault.kind.word(), "place": place, "message": fault.message, "help": fault.kind.help()
            })
        })
        .collect();
    let open = report.without_outcome.iter();
    let open: Vec<Value> = open
        .map(|(id, place)| json!({ "id": DecisionId(*id).to_string(), "place": print_location(*place, files) }))
        .collect();
    let not_ended = report.not_ended.iter();
    let not_ended =
        not_ended.map(|(segment, place)| json!({ "segment": segment, "place": print_location(*place, files) }));
    let mut value = json!({
        "sound": report.faults.is_empty(),
        "faults": faults,
        "files": files,
        "skipped": packed.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "first_segment": report.segments.map(|(first, _)| first),
        "last_segment": report.segments.map(|(_, last)| last),
        "lines": report.lines,
        "decisions": report.decisions,
        "outcomes": report.outcomes,
        "exchanges": report.exchanges,
        "without_outcome": open.len(),
        "without_decision": report.without_decision,
        "not_followed": report.not_followed,
        "lost": report.lost,
        "torn_bytes": report.torn,
        "unfinished_bytes": report.unfinished,
        "not_ended": not_ended.collect::<Vec<Value>>(),
        "ended": report.ended,
        "expected": report.expected.map(|place| print_location(place, files)),
        "seq": report.end.map(|end| end.seq),
        "chain": report.end.map(|end| end.hash),
    });
    if list && let Some(object) = value.as_object_mut() {
        object.insert("open".to_owned(), open.into());
    }
    value
}
