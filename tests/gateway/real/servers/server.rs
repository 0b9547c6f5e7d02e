//! A real server on loopback with an application of `tests/real/servers`, which writes a journal of the requests it
//! serves.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::real::process::{PATIENCE, installed, script};
use crate::wire::client::find;

/// The marker in the applications' responses for open resources.
pub(super) const OPEN: &[u8] = b"OPEN-9b1c";
/// The marker in the applications' responses for refused resources.
pub(super) const SECRET: &[u8] = b"SECRET-7f3a";
/// The additional marker after a deletion.
pub(super) const DELETED: &[u8] = b"DELETED";

/// Server: a child process that stops with its handle.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    child: Child,
    folder: TempDir,
}

/// JournalEntry: the application's record of one request.
#[derive(Debug, Clone)]
pub(super) struct JournalEntry {
    /// The gateway's decision id.
    pub(super) decision: String,
    /// The method, as the application read it.
    pub(super) method: String,
    /// `open`, `secret` or `none`.
    pub(super) resource: String,
    /// The path, as the server read it.
    pub(super) reading: String,
}

impl Server {
    /// nginx with static files.
    pub(super) fn nginx() -> Self {
        Self::start("nginx", |folder, _| {
            let mut command = Command::new("/usr/sbin/nginx");
            command
                .arg("-p")
                .arg(folder)
                .arg("-c")
                .arg(folder.join("nginx.conf"))
                .arg("-e")
                .arg(folder.join("error.log"));
            command
        })
    }

    /// Apache httpd with pages in PHP.
    pub(super) fn php() -> Self {
        Self::start("php", |folder, _| apache(folder))
    }

    /// Apache httpd with a CGI script.
    pub(super) fn cgi() -> Self {
        Self::start("cgi", |folder, _| apache(folder))
    }

    /// Tomcat with servlets.
    pub(super) fn tomcat() -> Self {
        Self::start("tomcat", |folder, _| {
            let mut command = Command::new("java");
            command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &tomcat_jars()]);
            command.arg(format!("-Dcatalina.base={}", folder.display()));
            command.arg(format!("-Dcatalina.home={}", folder.display()));
            command.arg(format!("-Djournal={}", folder.join("journal").display()));
            command.args(["org.apache.catalina.startup.Bootstrap", "start"]);
            command
        })
    }

    /// gunicorn with Flask.
    pub(super) fn wsgi() -> Self {
        Self::start("wsgi", |folder, port| {
            let mut command = Command::new(installed("venv/bin/python"));
            command.args(["-m", "gunicorn", "--threads", "4", "--bind", &format!("127.0.0.1:{port}"), "app:app"]);
            command.args(["--worker-tmp-dir", "/dev/shm", "--keep-alive", "60"]);
            command.env("PYTHONDONTWRITEBYTECODE", "1").env("JOURNAL", folder.join("journal"));
            command
        })
    }

    /// Express with `method-override`.
    pub(super) fn express() -> Self {
        Self::start("express", |folder, port| {
            let mut command = Command::new("node");
            command.arg(folder.join("app.js")).arg(port.to_string()).arg(folder.join("journal"));
            command.env("NODE_PATH", installed("node/node_modules")).env("NODE_ENV", "production");
            command
        })
    }

    /// Starts the application `name`, and waits until it serves an open resource.
    fn start(name: &'static str, command: impl Fn(&Path, u16) -> Command) -> Self {
        for _ in 0..3 {
            if let Some(server) = Self::try_start(name, &command) {
                return server;
            }
        }
        panic!("{name} does not start");
    }

    /// `None` if it exits, because another process took the port first.
    fn try_start(name: &'static str, command: &impl Fn(&Path, u16) -> Command) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        copy(&script("servers").join(name), folder.path(), &|text| {
            // Apache's children run as `nobody` if the test runs as root.
            let root = fs::metadata(folder.path()).unwrap().uid() == 0;
            let text = text.replace("@USER@", if root { "User www-data\nGroup www-data" } else { "" });
            text.replace("@PORT@", &port.to_string()).replace("@FOLDER@", &folder.path().display().to_string())
        });
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let journal = folder.path().join("journal");
        fs::write(&journal, "").unwrap();
        fs::set_permissions(&journal, fs::Permissions::from_mode(0o666)).unwrap();
        let log = || fs::OpenOptions::new().create(true).append(true).open(folder.path().join("output")).unwrap();
        let mut command = command(folder.path(), port);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(log()).stderr(log());
        let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}: tests/run installs it"));
        let mut server = Self { name, address: ([127, 0, 0, 1], port).into(), child, folder };
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = server.ask(b"GET /open HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n");
            if find(&answer, OPEN).is_some() {
                return Some(server);
            }
            let over = server.child.try_wait().unwrap().is_some();
            if over || Instant::now() > end {
                println!("{name} answers {:?} and wrote: {}", String::from_utf8_lossy(&answer), server.output());
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The response to one request sent directly to the server.
    pub(super) fn ask(&self, request: &[u8]) -> Vec<u8> {
        exchange(self.address, request)
    }

    /// The journal entries of requests that came through the gateway.
    pub(super) fn journal(&self) -> Vec<JournalEntry> {
        let bytes = fs::read(self.folder.path().join("journal")).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().filter_map(JournalEntry::of).collect()
    }

    /// The end of its log output.
    fn output(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let text = read("output") + &read("error.log");
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Terminated first, so that it stops its own children.
        Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().ok();
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            println!("{} wrote: {}", self.name, self.output());
        }
    }
}

impl JournalEntry {
    /// A line of the journal; lines without a decision are the test's own direct requests.
    fn of(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, '\t').map(str::to_owned);
        let decision = parts.next().filter(|decision| !decision.is_empty() && decision != "-")?;
        Some(Self { decision, method: parts.next()?, resource: parts.next()?, reading: parts.next()? })
    }
}

/// All bytes until the connection ends; none if it could not be opened.
pub(in crate::real) fn exchange(at: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let Ok(mut stream) = TcpStream::connect(at) else { return answer };
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).ok();
    // A connection that is reset after a response still holds the response.
    stream.read_to_end(&mut answer).ok();
    answer
}

/// Apache stops its whole process group, so it gets one of its own, and stops with the thread that started it.
fn apache(folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "/usr/sbin/apache2"]).process_group(0);
    command.arg("-f").arg(folder.join("apache.conf")).arg("-DFOREGROUND");
    command
}

fn tomcat_jars() -> String {
    let folder = fs::read_dir("/usr/share/java").expect("Tomcat is missing: tests/run installs it");
    let names = folder.map(|entry| entry.unwrap().path().display().to_string());
    // The links without a version; ECJ compiles the JSPs.
    let mut jars: Vec<String> = names
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap().trim_end_matches(".jar");
            name == "eclipse-jdt-core" || (name.starts_with("tomcat10-") && !name.contains("-10."))
        })
        .collect();
    jars.sort();
    jars.join(":")
}

/// Copies a folder and changes each file's text.
fn copy(from: &Path, to: &Path, change: &impl Fn(String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target, change);
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            fs::write(&target, change(text)).unwrap();
            fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
        }
    }
}
