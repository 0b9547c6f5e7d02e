//! The real binary as a child process, which stops with its handle.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Answer, Client, PATIENCE, within};

/// Gateway: `portcullis serve` and all of its output.
pub(crate) struct Gateway {
    child: Mutex<Child>,
    output: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Starts the gateway with the settings in the file `config`, without waiting.
    pub(crate) fn spawn(config: &Path) -> Self {
        Self::spawn_with(config, |_| {})
    }

    /// Starts the gateway after `change` has changed its command.
    pub(crate) fn spawn_with(config: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.arg("serve").arg("--config").arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let output = Arc::default();
        let readers = vec![
            collect_lines(child.stdout.take().unwrap(), Arc::clone(&output)),
            collect_lines(child.stderr.take().unwrap(), Arc::clone(&output)),
        ];
        Self { child: Mutex::new(child), output, readers }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// All lines on its standard output and standard error.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.output.lock().unwrap().clone()
    }

    /// The log events with this message.
    pub(crate) fn log_lines(&self, message: &str) -> Vec<Value> {
        let lines = self.lines();
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| field(event, "message") == Some(message)).collect()
    }

    /// The address of the listener with this name.
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        let listening = self.log_lines("listening");
        let event = listening.iter().find(|event| field(event, "listener") == Some(name));
        let event = event.unwrap_or_else(|| panic!("there is no listener `{name}`"));
        field(event, "address").unwrap().parse().unwrap()
    }

    /// The address of the listener `plain`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener("plain")
    }

    /// The address of the admin listener.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        let listening = self.log_lines("admin listening");
        field(listening.first().expect("the admin listener listens"), "address").unwrap().parse().unwrap()
    }

    /// The admin listener's response to a GET.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        Client::connect(self.admin_address()).await.get(path, "").await
    }

    /// The value of a metric, named with its labels as in the text format; 0 if it is missing.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.admin("/metrics").await.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until the gateway listens.
    pub(crate) async fn wait_until_listening(&self) {
        self.until("listening", async || {
            (!self.log_lines("listening").is_empty() && !self.log_lines("admin listening").is_empty()).then_some(())
        })
        .await;
    }

    /// Waits until the gateway is ready.
    pub(crate) async fn wait_until_ready(&self) {
        self.until("ready", async || (self.admin("/ready").await.status == 200).then_some(())).await;
    }

    async fn until(&self, what: &str, mut probe: impl AsyncFnMut() -> Option<()>) {
        within(PATIENCE, what, async || {
            if let Some(status) = self.exit_status() {
                panic!("the gateway ended with {status} before it was {what}");
            }
            probe().await
        })
        .await;
    }

    /// Sends a signal by its name, such as `TERM` or `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Its exit status, or `None` while it runs.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Waits until it exits and its last line is read.
    pub(crate) async fn wait_for_exit(&mut self, time: Duration) -> ExitStatus {
        let status = within(time, "the gateway ends", async || self.exit_status()).await;
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        status
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        child.kill().ok();
        child.wait().ok();
        if std::thread::panicking() {
            // Cargo shows the output only with a failure.
            let end = Instant::now() + Duration::from_secs(1);
            while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            println!("the gateway wrote: {:#?}", self.lines());
        }
    }
}

/// The text of a log event's field, flattened or not.
fn field<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    event.get(name).or_else(|| event.get("fields")?.get(name))?.as_str()
}

fn collect_lines(from: impl std::io::Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            lines.lock().unwrap().push(line.unwrap());
        }
    })
}
