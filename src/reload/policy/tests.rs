//! Tests of reloading a policy: it is replaced as a whole or not at all, with findings.

mod log;

use std::fs;
use std::io::Write;

use self::log::Log;
use super::*;
use crate::reload::findings::MAX_FINDINGS;
use crate::reload::fingerprint::SETTLE_TIMEOUT;

/// A policy of that name, followed by `rest`.
fn policy(name: &str, rest: &str) -> String {
    format!(
        "version: 1\nname: {name}\nresources: [Patients]\nroutes:\n  /patients:\n    GET: read Patients\n\
         permissions:\n  Read: {{ Patients: R }}\n{rest}"
    )
}

struct PolicyFolder {
    folder: tempfile::TempDir,
    events: Arc<Mutex<Vec<PolicyEvent>>>,
}

impl PolicyFolder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), events: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn open(&self, name: &str) -> PolicyStore {
        let events = Arc::clone(&self.events);
        let note = move |event: &PolicyEvent, _: Option<&Arc<Snapshot>>| events.lock().unwrap().push(event.clone());
        PolicyStore::open("noah", self.path(name), [].into(), PolicyRole::Live, Box::new(note))
    }

    fn events(&self) -> Vec<PolicyEvent> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }
}

fn live(store: &PolicyStore) -> Option<String> {
    store.load().map(|snapshot| snapshot.version.name.to_string())
}

#[test]
fn a_broken_policy_at_the_start_leaves_nothing_live_until_it_is_fixed() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", "version: 1\nnome: a\n");
    let store = folder.open("p.yaml");
    assert!(store.load().is_none() && store.state().version.is_none());
    assert!(store.state().refused.is_some());
    folder.write("p.yaml", &policy("a", ""));
    let PolicyRefresh::Published(version) = store.refresh() else { panic!("not published") };
    assert_eq!((live(&store).as_deref(), &*version.name), (Some("a"), "a"));
    assert!(store.state().refused.is_none());
    assert_eq!(folder.events(), [PolicyEvent::Refused, PolicyEvent::Published(version)]);
}

#[test]
fn a_broken_file_changes_nothing_and_is_reported_with_file_line_and_column() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    let (previous, since) = (store.state().version.clone(), store.state().since);
    folder.write("p.yaml", &policy("b", "everyone: [Raed]\n"));

    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    // With only one subscriber, tracing consults the thread that logs first; other tests' threads have none.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let (first, second) = tracing::subscriber::with_default(subscriber, || (store.refresh(), store.refresh()));
    assert_eq!((first, second), (PolicyRefresh::Refused, PolicyRefresh::Unchanged));

    let state = store.state();
    assert_eq!((&state.version, state.since, live(&store).as_deref()), (&previous, since, Some("a")));
    let refused = state.refused.as_ref().unwrap();
    let place = format!("{}:9:12: error[unknown-name]: ", folder.path("p.yaml").display());
    assert!(refused.findings[0].starts_with(&place), "{:?}", refused.findings);
    assert!(!refused.gone);
    assert_eq!((&refused.json[0]["line"], &refused.json[0]["column"]), (&9.into(), &12.into()));
    let log = log.text();
    assert_eq!(log.matches(&place).count(), 1, "once, though it was looked at twice: {log}");
    assert!(log.contains("the last good one stays live"));

    folder.write("p.yaml", &policy("c", ""));
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    assert_eq!(live(&store).as_deref(), Some("c"));
    assert!(store.state().refused.is_none());
}

#[test]
fn taking_the_file_away_changes_nothing_and_is_told_once() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    let version = store.state().version.clone().unwrap();
    fs::remove_file(folder.path("p.yaml")).unwrap();
    assert_eq!((store.refresh(), store.refresh()), (PolicyRefresh::Gone, PolicyRefresh::Unchanged));
    assert_eq!(live(&store).as_deref(), Some("a"));
    assert!(store.state().refused.as_ref().unwrap().gone);
    folder.write("p.yaml", &policy("a", ""));
    assert_eq!(store.refresh(), PolicyRefresh::Unchanged);
    assert!(store.state().refused.is_none());
    assert_eq!(
        folder.events(),
        [PolicyEvent::Published(version.clone()), PolicyEvent::Gone, PolicyEvent::Restored(version)]
    );
}

#[test]
fn one_broken_file_of_a_folder_keeps_the_other_ones_old_version_too() {
    let folder = PolicyFolder::new();
    fs::create_dir(folder.path("noah")).unwrap();
    folder.write("noah/1.yaml", &policy("a", ""));
    folder.write("noah/2.yaml", "users:\n  u1: { permissions: [Read] }\n");
    let store = folder.open("noah");
    assert_eq!(live(&store).as_deref(), Some("a"));
    folder.write("noah/1.yaml", &policy("b", ""));
    folder.write("noah/2.yaml", "users:\n  u1: { permissions: [Write] }\n");
    assert_eq!(store.refresh(), PolicyRefresh::Refused);
    assert_eq!(live(&store).as_deref(), Some("a"));
    let place = format!("{}:2:23: ", folder.path("noah/2.yaml").display());
    let findings = store.state().refused.as_ref().unwrap().findings.clone();
    assert!(findings[0].starts_with(&place), "{findings:?}");
    folder.write("noah/2.yaml", "users:\n  u1: { without: [Read] }\n");
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    assert_eq!(live(&store).as_deref(), Some("b"));
}

#[test]
fn an_emptied_folder_changes_nothing() {
    let folder = PolicyFolder::new();
    fs::create_dir(folder.path("noah")).unwrap();
    folder.write("noah/1.yaml", &policy("a", ""));
    let store = folder.open("noah");
    fs::remove_file(folder.path("noah/1.yaml")).unwrap();
    assert_eq!(store.refresh(), PolicyRefresh::Refused);
    assert_eq!(live(&store).as_deref(), Some("a"));
}

#[test]
fn a_file_that_is_half_written_is_waited_for_although_its_half_would_load() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    let whole = policy("b", "users:\n  u1: { without: [Read] }\n");
    let (half, rest) = whole.split_at(whole.find("users").unwrap() - 1);
    assert!(crate::policy::load(&sources_of(half), None).snapshot.is_some());
    folder.write("p.yaml", half);
    let version = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(120));
            let mut file = fs::OpenOptions::new().append(true).open(folder.path("p.yaml")).unwrap();
            file.write_all(rest.as_bytes()).unwrap();
        });
        store.refresh()
    });
    let expected = crate::policy::load(&sources_of(&whole), None).snapshot.unwrap().version;
    assert_eq!(version, PolicyRefresh::Published(expected));
}

#[test]
fn a_file_without_a_line_end_is_loaded_when_patience_ends() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    folder.write("p.yaml", policy("b", "").trim_end());
    let began = Instant::now();
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    assert!(began.elapsed() >= SETTLE_TIMEOUT);
    assert_eq!(live(&store).as_deref(), Some("b"));
}

#[test]
fn a_request_keeps_the_snapshot_that_it_began_with() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    let request = store.load();
    folder.write("p.yaml", &policy("b", ""));
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    assert_eq!(request.as_ref().map(|snapshot| &*snapshot.version.name), Some("a"));
    assert_eq!(live(&store).as_deref(), Some("b"));
}

#[test]
fn many_findings_are_counted_and_not_all_kept() {
    let folder = PolicyFolder::new();
    let users: String = (0..150).map(|at| format!("  u{at}: {{ permissions: [Nope] }}\n")).collect();
    folder.write("p.yaml", &policy("a", &format!("users:\n{users}")));
    let state = folder.open("p.yaml").state();
    let findings = &state.refused.as_ref().unwrap().findings;
    assert_eq!(findings.len(), MAX_FINDINGS + 1);
    assert_eq!(findings[MAX_FINDINGS], "50 more findings are left out");
}

#[test]
fn what_a_finding_quotes_cannot_forge_a_line_of_the_log() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", "\"x\\nINFO all is well\\e[2K\": 1\n"));
    let state = folder.open("p.yaml").state();
    let findings = &state.refused.as_ref().unwrap().findings;
    assert!(findings.iter().any(|line| line.contains("INFO all is well")), "{findings:?}");
    assert!(findings.iter().all(|line| !line.contains(char::is_control)), "{findings:?}");
}

/// A policy whose cases must pass, and a case that expects this reason.
fn with_cases(name: &str, reason: &str) -> (String, String) {
    let case = format!("callers: {{ a: {{}} }}\ncases:\n  - {{ as: a, refuse: GET /patients, reason: {reason} }}\n");
    (policy(name, "cases: must-pass\n"), case)
}

#[test]
fn a_policy_whose_cases_must_pass_is_refused_without_them_and_where_one_fails() {
    let folder = PolicyFolder::new();
    let (text, passes) = with_cases("a", "not-granted");
    folder.write("p.yaml", &text);
    let store = folder.open("p.yaml");
    assert_eq!(live(&store), None);
    assert!(store.state().refused.as_ref().unwrap().findings[0].contains("no cases stand beside the policy"));
    folder.write("p.cases.yaml", &passes);
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));

    let (text, fails) = with_cases("b", "taken-away");
    folder.write("p.cases.yaml", &fails);
    folder.write("p.yaml", &text);
    assert_eq!((store.refresh(), live(&store).as_deref()), (PolicyRefresh::Refused, Some("a")));
    let place = format!("{}:3:22: error[case-failed]: ", folder.path("p.cases.yaml").display());
    let findings = store.state().refused.as_ref().unwrap().findings.clone();
    assert!(findings[0].starts_with(&place), "{findings:?}");

    // Only the cases are fixed.
    folder.write("p.cases.yaml", &passes);
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    assert_eq!(live(&store).as_deref(), Some("b"));
}

#[test]
fn cases_that_the_live_policy_fails_later_are_shown_and_change_nothing() {
    let folder = PolicyFolder::new();
    let (text, passes) = with_cases("a", "not-granted");
    folder.write("p.yaml", &text);
    folder.write("p.cases.yaml", &passes);
    let store = folder.open("p.yaml");
    let version = store.state().version.clone().unwrap();
    folder.write("p.cases.yaml", &with_cases("a", "nobody").1);
    assert_eq!((store.refresh(), live(&store).as_deref()), (PolicyRefresh::Refused, Some("a")));
    folder.write("p.cases.yaml", &format!("{passes}# again\n"));
    assert_eq!(store.refresh(), PolicyRefresh::Unchanged);
    assert!(store.state().refused.is_none());
    assert_eq!(
        folder.events(),
        [PolicyEvent::Published(version.clone()), PolicyEvent::Refused, PolicyEvent::Restored(version)]
    );
}

#[test]
fn cases_that_nothing_asks_for_are_not_looked_at() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    folder.write("p.cases.yaml", "no cases\n");
    assert_eq!(store.refresh(), PolicyRefresh::Unchanged);
    assert_eq!(folder.events().len(), 1);
    folder.write("p.yaml", &policy("b", ""));
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
}

#[test]
fn a_locked_role_stays_as_it_is_until_the_next_start() {
    let folder = PolicyFolder::new();
    let roles = |rows: &str| format!("roles:\n  Admin: {{ locked: true, permissions: {rows} }}\n");
    folder.write("p.yaml", &policy("a", &roles("[Read]")));
    let store = folder.open("p.yaml");
    folder.write("p.yaml", &policy("b", &roles("[]")));
    assert_eq!((store.refresh(), live(&store).as_deref()), (PolicyRefresh::Refused, Some("a")));
    let place = format!("{}:10:3: error[locked]: ", folder.path("p.yaml").display());
    let findings = store.state().refused.as_ref().unwrap().findings.clone();
    assert!(findings[0].starts_with(&place), "{findings:?}");
    folder.write("p.yaml", &policy("c", ""));
    assert_eq!(store.refresh(), PolicyRefresh::Refused, "neither is it dropped");
    assert_eq!(live(&folder.open("p.yaml")).as_deref(), Some("c"));
}

fn sources_of(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    sources
}

#[test]
fn a_reload_is_compared_with_what_was_live() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    assert!(store.last_diff().is_none(), "the first version replaces none");
    folder.write("p.yaml", &policy("a", "users:\n  u1: { permissions: [Read] }\n"));
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while store.last_diff().is_none() {
        assert!(std::time::Instant::now() < end, "the comparison does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sources = store.last_diff();
    let json = &(*sources).as_ref().unwrap().json;
    assert_eq!(json["changes"][0]["direction"], "gained");
    assert_eq!(json["changes"][0]["who"]["users"], serde_json::json!([1, ["u1"]]));
    assert_eq!(json["left_out"], 0);
}

#[test]
fn a_rollback_goes_one_step_back_until_the_files_change() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    assert_eq!(store.rollback(), None, "there is nothing before the first version");
    folder.write("p.yaml", &policy("b", ""));
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    let b = store.state().version.clone().unwrap();
    folder.events();

    let a = store.rollback().unwrap();
    assert_eq!((live(&store).as_deref(), &*a.name), (Some("a"), "a"));
    assert_eq!((store.state().version.as_ref(), store.state().withdrawn.as_ref()), (Some(&a), Some(&b)));
    assert_eq!(folder.events(), [PolicyEvent::RolledBack(a.clone())]);
    assert_eq!(store.rollback(), None, "and nothing further");
    // The policy files are unchanged: neither polling, SIGHUP nor other cases beside them publish them again.
    assert_eq!(store.refresh(), PolicyRefresh::Unchanged);
    folder.write("p.cases.yaml", "callers: {}\ncases: []\n");
    assert_eq!(store.refresh(), PolicyRefresh::Unchanged);
    // A file that is missing for a moment is not published again either.
    fs::remove_file(folder.path("p.yaml")).unwrap();
    assert_eq!(store.refresh(), PolicyRefresh::Gone);
    folder.write("p.yaml", &policy("b", ""));
    assert_eq!(store.refresh(), PolicyRefresh::Unchanged);
    assert!(store.state().refused.is_none());
    assert_eq!(
        (live(&store).as_deref(), folder.events()),
        (Some("a"), vec![PolicyEvent::Gone, PolicyEvent::Restored(a)])
    );

    folder.write("p.yaml", &policy("c", ""));
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    assert_eq!((live(&store).as_deref(), store.state().withdrawn.clone()), (Some("c"), None));
    // A rollback to the version before, and then the same files as those that were withdrawn before.
    assert_eq!(&*store.rollback().unwrap().name, "a");
    folder.write("p.yaml", &policy("b", ""));
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    assert_eq!(live(&store).as_deref(), Some("b"));
}

#[test]
fn a_rollback_while_a_broken_file_stands_there_keeps_what_is_known_of_it() {
    let folder = PolicyFolder::new();
    folder.write("p.yaml", &policy("a", ""));
    let store = folder.open("p.yaml");
    folder.write("p.yaml", &policy("b", ""));
    store.refresh();
    folder.write("p.yaml", "version: 1\nnome: c\n");
    assert_eq!(store.refresh(), PolicyRefresh::Refused);
    assert_eq!(&*store.rollback().unwrap().name, "a");
    assert!(store.state().refused.is_some());
    assert_eq!(store.refresh(), PolicyRefresh::Unchanged);
    // The files changed, so that the withdrawn version may become live again.
    folder.write("p.yaml", &policy("b", ""));
    assert!(matches!(store.refresh(), PolicyRefresh::Published(_)));
    assert_eq!(live(&store).as_deref(), Some("b"));
}
