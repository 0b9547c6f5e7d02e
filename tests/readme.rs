//! Tests the README: writes its files, runs its commands with the real program, and compares its tables with the
//! code's.
//!
//! A fenced block with `file=NAME` is a file. A `console` block holds commands after `$ ` and their output, where `…`
//! stands for any text within a line. A block with `needs=…` requires those programs and a running gateway.
#![cfg(feature = "gateway")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends with a panic, wherever the line stands that notices"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portcullis::cli::Exit;
use portcullis::decision::Reason;
use portcullis::document::{FindingCode, Sources};
use portcullis::metrics::METRICS;
use portcullis::policy;
use portcullis::request::Dialect;

const README: &str = include_str!("../README.md");

/// Block: a fenced block, with the words after its opening fence.
struct Block {
    info: Vec<&'static str>,
    text: String,
}

impl Block {
    fn file(&self) -> Option<&'static str> {
        self.info.iter().find_map(|word| word.strip_prefix("file="))
    }

    fn needs(&self) -> Option<&'static str> {
        self.info.iter().find_map(|word| word.strip_prefix("needs="))
    }

    /// Each command, with its expected output lines.
    fn commands(&self) -> Vec<(String, Vec<String>)> {
        let mut commands: Vec<(String, Vec<String>)> = Vec::new();
        for line in self.text.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => commands.push((command.to_owned(), Vec::new())),
                None => commands.last_mut().expect("a command before its output").1.push(line.to_owned()),
            }
        }
        commands
    }
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
            blocks.push(Block { info: info.split_whitespace().collect(), text });
        }
    }
    blocks
}

/// Ports: free ports in place of the ports that the README names.
struct Ports(Vec<(&'static str, u16)>);

impl Ports {
    fn free() -> Self {
        let sockets = ["8080", "9901", "9000"].map(|named| (named, TcpListener::bind(("127.0.0.1", 0)).unwrap()));
        Self(sockets.iter().map(|(named, socket)| (*named, socket.local_addr().unwrap().port())).collect())
    }

    fn put_into(&self, text: &str) -> String {
        // In two steps, because a free port may contain the digits of a named one.
        let marked =
            self.0.iter().fold(text.to_owned(), |text, (named, _)| text.replace(named, &format!("<<{named}>>")));
        self.0.iter().fold(marked, |text, (named, port)| text.replace(&format!("<<{named}>>"), &port.to_string()))
    }

    /// Waits until a background command listens: a reader types more slowly than a test.
    fn wait_for_those_in(&self, command: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        for (_, port) in self.0.iter().filter(|(_, port)| command.contains(&port.to_string())) {
            while TcpStream::connect(("127.0.0.1", *port)).is_err() {
                assert!(Instant::now() < until, "nothing listens on {port} after `{command}`");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Shell: one bash that runs command after command, as a reader would.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

impl Shell {
    fn start(folder: &Path) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_portcullis")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc"]).current_dir(folder).env("PATH", path).env("LC_ALL", "C.UTF-8");
        bash.env("no_proxy", "*").env_remove("BASH_ENV");
        let mut child = bash.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (send, output) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "exec 2>&1").unwrap();
        Self { child, input, output }
    }

    /// The output of `command`.
    fn run(&mut self, command: &str) -> Vec<String> {
        const END: &str = "--- the command has ended ---";
        writeln!(self.input, "{command}\nprintf '\\n%s\\n' '{END}'").unwrap();
        let mut lines: Vec<String> = Vec::new();
        loop {
            match self.output.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line == END => break,
                Ok(line) => lines.push(line),
                Err(error) => panic!("`{command}` did not end ({error}); it printed {lines:#?}"),
            }
        }
        if lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The shell leads a process group of its own, so that no child process outlives the test.
        let kill = format!("kill -9 -- -{}", self.child.id());
        Command::new("bash").args(["-c", &kill]).status().ok();
        self.child.wait().ok();
    }
}

/// Runs all blocks that `wanted` selects, in the README's order, in a fresh folder; returns the number of commands.
fn walk(wanted: impl Fn(&Block) -> bool) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::free();
    let mut shell = Shell::start(folder.path());
    let mut ran = 0;
    for block in blocks().into_iter().filter(wanted) {
        if let Some(name) = block.file() {
            std::fs::write(folder.path().join(name), ports.put_into(&block.text)).unwrap();
        } else if block.info.first() == Some(&"console") {
            for (command, expected) in block.commands() {
                let (command, expected) = (ports.put_into(&command), expected.iter().map(|line| ports.put_into(line)));
                compare(&mut shell, &command, &expected.collect::<Vec<_>>());
                if command.ends_with('&') {
                    ports.wait_for_those_in(&command);
                }
                ran += 1;
            }
        }
    }
    ran
}

/// Runs a command until its output is the expected one: an effect such as a reload may take a moment.
fn compare(shell: &mut Shell, command: &str, expected: &[String]) {
    let until = Instant::now() + Duration::from_secs(20);
    let only_looks = command.starts_with("curl ") || command.starts_with("cat ") || command.starts_with("head ");
    loop {
        let printed = shell.run(command);
        if printed.len() == expected.len() && printed.iter().zip(expected).all(|(line, wanted)| fits(line, wanted)) {
            return;
        }
        if !only_looks || Instant::now() > until {
            panic!("`$ {command}` printed\n{}\nand the README says\n{}", printed.join("\n"), expected.join("\n"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether `line` matches `wanted`, in which `…` stands for any text.
fn fits(line: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_wildcard_fits_anything_and_the_rest_must_be_the_same() {
    assert!(fits("one two three", "one … three") && fits("ab", "a…b") && fits("a", "a"));
    assert!(!fits("one two", "one … three") && !fits("aa", "a") && !fits("ab", "ab…b") && !fits("x a", "a…"));
}

#[test]
fn the_files_and_commands_that_need_only_the_program_do_what_the_readme_says() {
    assert!(walk(|block| block.needs().is_none()) >= 8, "the README has lost its commands");
}

#[test]
#[cfg_attr(
    not(feature = "real"),
    ignore = "needs python3 and curl: tests/run, or `cargo test --test readme -- --ignored`"
)]
fn the_whole_path_from_the_table_to_a_guarded_api_does_what_the_readme_says() {
    assert!(walk(|_| true) >= 25, "the README has lost its commands");
}

#[test]
fn the_policy_of_the_readme_is_the_table_that_it_starts_from() {
    let written = |name| blocks().into_iter().find(|block| block.file() == Some(name)).unwrap();
    let lines = written("pharmacy-table.csv").text;
    let vendor: Vec<Vec<String>> = lines.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let block = written("pharmacy.yaml");
    let mut sources = Sources::default();
    sources.add("pharmacy.yaml", &block.text);
    let snapshot = policy::load(&sources, None).snapshot.expect("the README's policy loads");
    let ours = policy::matrix::tables(&snapshot).remove(0);
    let mut printed = vec![[vec!["permission".to_owned()], ours.resources].concat()];
    printed.extend(ours.rows.into_iter().map(|(name, cells)| [vec![name], cells].concat()));
    assert_eq!(vendor, printed);
}

#[test]
fn the_table_of_reasons_is_the_program_s() {
    let reasons = Reason::TABLE
        .iter()
        .map(|(code, status, meaning)| row([quoted(code), status.to_string(), (*meaning).to_owned()]));
    assert_eq!(table("Reasons")[1..], reasons.collect::<Vec<_>>());
}

#[test]
fn the_table_of_findings_names_every_code_in_order() {
    // A row holds two codes, the last one perhaps only one.
    let rows = table("Findings").into_iter().skip(1);
    let codes: Vec<String> =
        rows.flat_map(|row| [row[0].clone(), row[2].clone()]).filter(|code| !code.is_empty()).collect();
    assert_eq!(codes, FindingCode::ALL.iter().map(|code| quoted(code.as_str())).collect::<Vec<_>>());
}

#[test]
fn the_table_of_metrics_is_the_program_s() {
    let metrics = METRICS.iter().map(|family| {
        let labels: Vec<String> = family.labels.iter().map(|label| quoted(label)).collect();
        row([quoted(family.name), labels.join(", "), family.help.to_owned()])
    });
    assert_eq!(table("Metrics")[1..], metrics.collect::<Vec<_>>());
}

#[test]
fn the_table_of_exit_codes_is_the_program_s() {
    let codes: Vec<String> = table("Exit codes").into_iter().skip(1).map(|row| row[0].clone()).collect();
    let all = [Exit::Done, Exit::Findings, Exit::Usage, Exit::Refused];
    assert_eq!(codes, all.map(|exit| exit.code().to_string()));
}

#[test]
fn the_table_of_dialects_names_every_word_in_order() {
    let words: Vec<String> = table("Dialects").into_iter().skip(1).map(|row| row[0].clone()).collect();
    assert_eq!(words, Dialect::KEYWORDS.map(|(word, _)| quoted(word)));
}

#[test]
fn the_list_of_commands_is_the_program_s() {
    let help = Command::new(env!("CARGO_BIN_EXE_portcullis")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A continuation line is indented further.
    let begun = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    let names: Vec<&str> = begun.filter(|name| *name != "help").collect();
    assert!(names.len() >= 6, "{help}");
    let section = README.split("\n### Exit codes\n").nth(1).unwrap();
    for name in names {
        assert!(section.contains(&quoted(name)), "the README does not name `{name}`");
    }
}

#[test]
fn every_promise_names_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    for folder in ["src", "tests"] {
        gather(&root.join(folder), &mut tests);
    }
    let sections = [
        "One spelling",
        "One operation",
        "One identity",
        "Nothing by default",
        "Framing",
        "Nothing lost, nothing leaked",
    ];
    for section in sections {
        for row in table(section).into_iter().skip(1) {
            let names: Vec<&str> = row[1].split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "nothing holds `{}`", row[0]);
            for name in names {
                let function = name.rsplit("::").next().unwrap();
                assert!(tests.contains(&format!("fn {function}(")), "{section}: there is no test `{name}`");
            }
        }
    }
}

/// Appends all sources below a folder.
fn gather(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

fn row<const N: usize>(cells: [String; N]) -> Vec<String> {
    cells.into()
}

/// The first table under a heading, including its header row.
fn table(heading: &str) -> Vec<Vec<String>> {
    let lines = README.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading);
    let rows = lines.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        line.strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
            .unwrap()
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).filter(|row| !row[0].starts_with("---")).collect();
    assert!(!rows.is_empty(), "no table under `{heading}`");
    rows
}
