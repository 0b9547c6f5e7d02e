//! Tests of the tour with a real shell.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use super::{DemoToken, Tour, print_tour};

fn printed(policy: &Path) -> String {
    let tokens = [
        DemoToken { variable: "CLINICIAN", about: "a clinician", text: "head.body.signature" },
        DemoToken { variable: "RECORDS_MANAGER", about: "a records manager", text: "h.b.s" },
    ];
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    print_tour(&Tour { gateway: at(8080), admin: at(9090), policy, tokens: &tokens })
}

/// The commands of the tour whose first word is `word`.
fn commands<'a>(tour: &'a str, word: &str) -> Vec<&'a str> {
    tour.lines().filter(|line| line.split(' ').next() == Some(word)).collect()
}

fn shell(script: &str) -> std::process::Output {
    Command::new("sh").args(["-eu", "-c", script]).output().unwrap()
}

#[test]
fn tokens_become_shell_variables() {
    let tour = printed(Path::new("/a/policy.yaml"));
    assert!(tour.lines().any(|line| line == "CLINICIAN='head.body.signature'"));
    assert!(tour.lines().any(|line| line == "# a records manager"));
}

#[test]
fn every_line_is_a_variable_a_command_or_a_comment() {
    let tour = printed(Path::new("/a/policy.yaml"));
    for line in tour.lines() {
        let begins = ["# ", "curl -s", "sed -i", "mv '", "CLINICIAN='", "RECORDS_MANAGER='"];
        assert!(line.is_empty() || begins.iter().any(|begin| line.starts_with(begin)), "{line}");
    }
    for expected in ["# 200", "# 401", "# 403"] {
        assert!(tour.contains(expected), "{expected}");
    }
}

#[test]
fn what_to_expect_stands_above_each_command() {
    let tour = printed(Path::new("/a/policy.yaml"));
    let lines: Vec<_> = tour.lines().collect();
    for pair in lines.windows(2) {
        let is_command = ["curl ", "sed ", "mv "].iter().any(|word| pair[1].starts_with(word));
        assert!(!is_command || pair[0].starts_with("# "), "{}", pair[1]);
    }
}

#[test]
fn a_shell_reads_the_whole_tour() {
    for policy in ["/a/policy.yaml", "/it's a/policy file.yaml"] {
        let checked = Command::new("sh").args(["-n", "-c", &printed(Path::new(policy))]).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn the_calls_reach_curl_as_meant() {
    let tour = printed(Path::new("/a/policy.yaml"));
    let merge = commands(&tour, "curl").into_iter().find(|line| line.contains("RECORDS_MANAGER")).unwrap();
    let shown = shell(&format!("RECORDS_MANAGER=h.b.s; curl() {{ printf '%s\\n' \"$@\"; }}; {merge}"));
    let words = String::from_utf8(shown.stdout).unwrap();
    let words: Vec<_> = words.lines().collect();
    assert!(words.contains(&"Authorization: Bearer h.b.s"));
    assert!(words.contains(&r#"{"from":"p2","into":"p1"}"#));
    assert!(words.contains(&"http://127.0.0.1:8080/t1/api/Patients/Merge"));
}

#[test]
fn the_edit_takes_the_merge_away_and_its_undoing_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("it's the policy.yaml");
    let before = "  Use Patient and Session Features:\n    Patients:      CRU\n  Merge Patient Records:\n    \
                  Patients:      RM    # the only M\nroles:\n  Records manager: [RM]\n";
    std::fs::write(&policy, before).unwrap();
    let tour = printed(&policy);

    let without_waiting = |command: &str| shell(&format!("sleep() {{ :; }}; {command}")).status.success();
    assert!(without_waiting(commands(&tour, "sed")[0]));
    let edited = std::fs::read_to_string(&policy).unwrap();
    assert_eq!(edited, before.replace("Patients:      RM ", "Patients:      R  "));
    assert!(without_waiting(commands(&tour, "mv")[0]));
    assert_eq!(std::fs::read_to_string(&policy).unwrap(), before);
}
