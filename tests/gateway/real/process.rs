//! Runs external programs with a time limit; each is stopped with its handle.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest time for one step of an external program, including a slow start of Python.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The path of a file that `tests/run` has installed under `target/real`.
pub(super) fn installed(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real").join(name);
    assert!(path.exists(), "{} is missing: tests/run installs it", path.display());
    path
}

/// The path of a file in `tests/real`.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real").join(name)
}

/// A script of `tests/real` in Node, with the packages from npm.
pub(super) fn node(name: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(script(name)).env("NODE_PATH", installed("node/node_modules"));
    command
}

/// ProcessOutput: the result of a program that has exited.
#[derive(Debug)]
pub(super) struct ProcessOutput {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl ProcessOutput {
    /// The single line of JSON on standard output.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr);
        })
    }
}

/// Runs a program until it exits.
pub(super) fn finish(command: &mut Command) -> ProcessOutput {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")));
    let stdout = read_to_end(process.0.stdout.take().unwrap());
    let stderr = read_to_end(process.0.stderr.take().unwrap());
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = process.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {command:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let [stdout, stderr] = [stdout, stderr].map(|bytes| bytes.recv_timeout(PATIENCE).unwrap());
    ProcessOutput { success: status.success(), stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
}

fn read_to_end(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        send.send(bytes).ok();
    });
    receive
}

/// Process: a running program.
pub(super) struct Process(pub(super) Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// JsonProcess: a running program that exchanges single lines of JSON.
pub(super) struct JsonProcess {
    process: Process,
    /// Kept open: the program exits when its input ends.
    input: ChildStdin,
    output: Receiver<String>,
}

impl JsonProcess {
    /// Starts the program; its standard error is the test's own.
    pub(super) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (send, output) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take().unwrap();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { process: Process(child), input, output }
    }

    /// Reads the next line.
    pub(super) fn read_line(&self) -> Value {
        match self.output.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")),
            Err(RecvTimeoutError::Timeout) => panic!("process {} says nothing", self.process.0.id()),
            Err(RecvTimeoutError::Disconnected) => panic!("process {} has ended", self.process.0.id()),
        }
    }

    /// Sends one command and reads the response.
    pub(super) fn exchange(&mut self, command: &Value) -> Value {
        writeln!(self.input, "{command}").unwrap();
        self.read_line()
    }
}
