//! The demo as a newcomer meets it: every line of its tour runs in a shell and gives the promised result.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::process::{PATIENCE, finish};

/// Demo: the command, stopped with its handle.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The running demo and the text that it prints at its start.
fn start() -> (Demo, Vec<String>) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    demo.arg("demo").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = Demo(demo.spawn().unwrap());
    let printed = BufReader::new(demo.0.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || printed.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    let mut tour = Vec::new();
    while let Ok(line) = lines.recv_timeout(PATIENCE) {
        let last = line.starts_with("curl") && line.ends_with("/policy");
        tour.push(line);
        if last {
            return (demo, tour);
        }
    }
    panic!("the tour has no end: {tour:#?}");
}

#[test]
fn every_line_of_the_demos_tour_gives_the_promised_result() {
    let (mut demo, tour) = start();
    let variables: Vec<&str> =
        tour.iter().map(String::as_str).filter(|line| line.contains("='ey") && !line.starts_with('#')).collect();
    assert_eq!(variables.len(), 5, "five callers");
    let variables = variables.join("\n");
    let mut statuses = Vec::new();
    for pair in tour.windows(2) {
        let [caption, command] = pair else { continue };
        let Some(caption) =
            caption.strip_prefix("# ").filter(|_| !command.starts_with('#') && !command.contains("='ey"))
        else {
            continue;
        };
        if command.is_empty() {
            continue;
        }
        let output = finish(Command::new("bash").arg("-c").arg(format!("{variables}\n{command}")));
        assert!(output.success, "{command}: {}", output.stderr);
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = caption.split([' ', ':']);
        let Some(status) = words.next().and_then(|word| word.parse::<u16>().ok()) else { continue };
        let line = answer.lines().next().unwrap_or_default();
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{caption}: {answer}");
        // `403 not-granted: …` names the reason, `401: …` does not.
        let named = caption.split_once(": ").and_then(|(head, _)| head.split_once(' ')).map(|(_, reason)| reason);
        if let Some(reason) = named {
            assert!(answer.contains(&format!("urn:portcullis:reason:{reason}\"")), "{caption}: {answer}");
        }
        statuses.push(status);
    }
    for status in [200, 201, 401, 403] {
        assert!(statuses.contains(&status), "the tour shows a {status}: {statuses:?}");
    }
    assert!(statuses.len() >= 12, "{statuses:?}");
    // Ctrl-C stops it, and it removes its copy of the policy.
    let ended = finish(Command::new("bash").arg("-c").arg(format!("kill -INT {}", demo.0.id())));
    assert!(ended.success, "{}", ended.stderr);
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while demo.0.try_wait().unwrap().is_none() {
        assert!(std::time::Instant::now() < end, "the demo does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(demo.0.wait().unwrap().success());
}
