//! Tests of watching: a policy becomes live soon after any kind of save, and no change of its folder ends the watching.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::reload::{PolicyEvent, PolicyStore};

const POLL: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(5);

fn policy(name: &str) -> String {
    format!(
        "version: 1\nname: {name}\nresources: [Patients]\nroutes:\n  /patients:\n    GET: read Patients\n\
         permissions:\n  Read: {{ Patients: R }}\n"
    )
}

/// WatchedPolicy: a policy that is watched as in the gateway.
struct WatchedPolicy {
    store: Arc<PolicyStore>,
    events: Arc<Mutex<Vec<PolicyEvent>>>,
    _watcher: Watcher,
}

impl WatchedPolicy {
    fn new(path: &Path) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let note = {
            let events = Arc::clone(&events);
            move |event: &PolicyEvent, _: Option<&Arc<crate::policy::Snapshot>>| {
                events.lock().unwrap().push(event.clone())
            }
        };
        let store = Arc::new(PolicyStore::open(
            "noah",
            path,
            [].into(),
            crate::reload::policy::PolicyRole::Live,
            Box::new(note),
        ));
        let watched = {
            let store = Arc::clone(&store);
            WatchedPath::new(path, move || {
                store.refresh();
            })
        };
        Self { store, events, _watcher: Watcher::start(vec![watched], POLL).unwrap() }
    }

    fn name(&self) -> Option<String> {
        self.store.load().map(|snapshot| snapshot.version.name.to_string())
    }

    /// Waits until the policy of that name is live.
    fn wait_for(&self, name: &str) {
        wait(|| self.name().as_deref() == Some(name), &format!("`{name}` to be live"));
    }

    fn wait_for_refusal(&self) {
        wait(|| self.store.state().refused.is_some(), "a refusal");
    }
}

fn wait(done: impl Fn() -> bool, what: &str) {
    let end = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_file_is_followed_through_every_way_of_saving_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let path = at("p.yaml");
    fs::write(&path, policy("a")).unwrap();
    let watched_policy = WatchedPolicy::new(&path);
    watched_policy.wait_for("a");
    // Written in place, as by `cat >` and nano.
    fs::write(&path, policy("b")).unwrap();
    watched_policy.wait_for("b");
    // Written beside it and renamed over it, as by `sed -i`.
    fs::write(at("sedXyZ"), policy("c")).unwrap();
    fs::rename(at("sedXyZ"), &path).unwrap();
    watched_policy.wait_for("c");
    // The old file moved away and a new one written, as by vim.
    fs::rename(&path, at("p.yaml~")).unwrap();
    fs::write(&path, policy("d")).unwrap();
    fs::remove_file(at("p.yaml~")).unwrap();
    watched_policy.wait_for("d");
    // Deleted, reported as missing, and written again.
    fs::remove_file(&path).unwrap();
    watched_policy.wait_for_refusal();
    assert_eq!(watched_policy.name().as_deref(), Some("d"));
    fs::write(&path, policy("e")).unwrap();
    watched_policy.wait_for("e");
    // A broken file, then a valid one.
    fs::write(&path, "version: 1\nnome: f\n").unwrap();
    watched_policy.wait_for_refusal();
    assert_eq!(watched_policy.name().as_deref(), Some("e"));
    fs::write(&path, policy("g")).unwrap();
    watched_policy.wait_for("g");
}

#[test]
fn a_writer_that_pauses_with_its_file_open_is_waited_for() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    fs::write(&path, policy("a")).unwrap();
    let watched_policy = WatchedPolicy::new(&path);
    watched_policy.wait_for("a");
    // A detected change proves that the watches are set.
    fs::write(&path, policy("b")).unwrap();
    watched_policy.wait_for("b");
    // The first half is a valid policy by itself. On a machine so busy that a short wait becomes a long pause, the
    // attempt is repeated.
    let shown = (0..20).any(|attempt| {
        let half = format!("half{attempt}");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(policy(&half).as_bytes()).unwrap();
        let written = Instant::now();
        std::thread::sleep(Duration::from_millis(300));
        let live = watched_policy.name();
        let in_time = written.elapsed() < Duration::from_millis(700);
        assert!(!in_time || live.as_deref() != Some(&half), "half a file is live");
        file.write_all(b"users:\n  anna: { permissions: [Read] }\n").unwrap();
        drop(file);
        watched_policy.wait_for(&half);
        in_time
    });
    assert!(shown, "this machine never waits for less than 700 ms");
    // A writer that never closes the file is not waited for indefinitely.
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(policy("open").as_bytes()).unwrap();
    watched_policy.wait_for("open");
    drop(file);
}

#[test]
fn a_folder_is_followed_through_deletion_with_its_parent_and_re_creation() {
    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path().join("policies");
    let path = parent.join("noah");
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("1.yaml"), policy("a")).unwrap();
    let watched_policy = WatchedPolicy::new(&path);
    watched_policy.wait_for("a");
    fs::remove_dir_all(&parent).unwrap();
    watched_policy.wait_for_refusal();
    assert_eq!(watched_policy.name().as_deref(), Some("a"));
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("1.yaml"), policy("b")).unwrap();
    watched_policy.wait_for("b");
    fs::write(path.join("1.yaml"), policy("c")).unwrap();
    watched_policy.wait_for("c");
}

#[test]
fn a_folder_that_is_a_symlink_may_be_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["v1", "v2", "v3"] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("p.yaml"), policy(name)).unwrap();
    }
    symlink("v1", at("live")).unwrap();
    let watched_policy = WatchedPolicy::new(&at("live"));
    watched_policy.wait_for("v1");
    // `ln -sfn` on old systems: the link is gone for a moment.
    fs::remove_file(at("live")).unwrap();
    symlink("v2", at("live")).unwrap();
    watched_policy.wait_for("v2");
    // `ln -sfn` on newer ones, and every careful deployment: renamed over it.
    symlink("v3", at("next")).unwrap();
    fs::rename(at("next"), at("live")).unwrap();
    watched_policy.wait_for("v3");
    fs::write(at("v3").join("p.yaml"), policy("v3-edited")).unwrap();
    watched_policy.wait_for("v3-edited");
}

#[test]
fn a_config_map_may_be_swapped_below_a_folder_and_below_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let version = |name: &str| {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("p.yaml"), policy(&name[2..])).unwrap();
        symlink(name, at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
    };
    version("..v1");
    symlink("..data/p.yaml", at("p.yaml")).unwrap();
    let (whole, single) = (WatchedPolicy::new(folder.path()), WatchedPolicy::new(&at("p.yaml")));
    for watched_policy in [&whole, &single] {
        watched_policy.wait_for("v1");
    }
    version("..v2");
    fs::remove_dir_all(at("..v1")).unwrap();
    for watched_policy in [&whole, &single] {
        watched_policy.wait_for("v2");
        assert!(!watched_policy.events.lock().unwrap().contains(&PolicyEvent::Gone));
    }
}

#[test]
fn a_burst_of_rewrites_half_of_them_broken_ends_with_the_last_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    fs::write(&path, policy("v0")).unwrap();
    let watched_policy = WatchedPolicy::new(&path);
    for at in 1..=50 {
        let text = if at % 2 == 0 { policy(&format!("v{at}")) } else { format!("{}everyone: [Nope]\n", policy("bad")) };
        fs::write(&path, text).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    watched_policy.wait_for("v50");
    wait(|| watched_policy.store.state().refused.is_none(), "nothing to be refused");
    for event in &*watched_policy.events.lock().unwrap() {
        if let PolicyEvent::Published(version) | PolicyEvent::Restored(version) = event {
            assert!(version.name.starts_with('v'), "{version:?}");
        }
    }
}

#[test]
fn a_policy_of_a_megabyte_is_live_soon_after_its_save() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let users: String = (0..30_000).map(|at| format!("  u{at}: {{ permissions: [Read] }}\n")).collect();
    fs::write(&path, policy("small")).unwrap();
    let watched_policy = WatchedPolicy::new(&path);
    watched_policy.wait_for("small");
    let text = format!("{}users:\n{users}", policy("large"));
    assert!(text.len() > 1_000_000);
    let began = Instant::now();
    fs::write(&path, text).unwrap();
    watched_policy.wait_for("large");
    eprintln!("a policy of 1 MB was live {} ms after its save", began.elapsed().as_millis());
}

#[test]
fn what_inotify_does_not_see_is_found_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["path", "between", "end"] {
        fs::create_dir(at(name)).unwrap();
    }
    // The link in the middle of the chain is in a folder without a watch.
    fs::write(at("end/1.yaml"), policy("a")).unwrap();
    fs::write(at("end/2.yaml"), policy("b")).unwrap();
    symlink("../end/1.yaml", at("between/link")).unwrap();
    symlink("../between/link", at("path/p.yaml")).unwrap();
    let path = at("path/p.yaml");
    assert!(!folders_of(&path).contains(&at("between").canonicalize().unwrap()));
    let watched_policy = WatchedPolicy::new(&path);
    watched_policy.wait_for("a");
    symlink("../end/2.yaml", at("between/next")).unwrap();
    fs::rename(at("between/next"), at("between/link")).unwrap();
    watched_policy.wait_for("b");
}

#[test]
fn a_trigger_calls_every_callback_and_a_panic_does_not_end_the_watching() {
    let folder = tempfile::tempdir().unwrap();
    let calls = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let count = |at: usize| calls[at].load(Ordering::SeqCst);
    let first = {
        let calls = Arc::clone(&calls);
        WatchedPath::new(folder.path().join("cert.pem"), move || {
            calls[0].fetch_add(1, Ordering::SeqCst);
            panic!("a closure that panics in a test");
        })
    };
    let second = {
        let calls = Arc::clone(&calls);
        WatchedPath::new(folder.path().join("key.pem"), move || {
            calls[1].fetch_add(1, Ordering::SeqCst);
        })
    };
    let watcher = Watcher::start(vec![first, second], POLL).unwrap();
    wait(|| count(0) == 1 && count(1) == 1, "the first look");
    watcher.trigger().trigger_reload();
    wait(|| count(0) == 2 && count(1) == 2, "the trigger");
    fs::write(folder.path().join("key.pem"), "key").unwrap();
    wait(|| count(1) >= 3, "the change");
    assert_eq!(count(0), 2, "the other path did not change");
    drop(watcher);
    let last = count(1);
    fs::write(folder.path().join("key.pem"), "another").unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(count(1), last, "a dropped watcher is silent");
    assert_eq!(Arc::strong_count(&calls), 1, "its thread has ended and its closures are gone");
}

#[test]
fn a_path_that_does_not_exist_is_watched_at_the_nearest_folder_that_exists() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    assert_eq!(folders_of(&folder.path().join("a/b/p.yaml")), BTreeSet::from([real.clone()]));
    symlink("..", real.join("up")).unwrap();
    let parent = real.parent().unwrap().to_owned();
    assert_eq!(folders_of(&real.join("up/p.yaml")), BTreeSet::from([parent, real]));
    assert_eq!(folders_of(Path::new("p.yaml")), BTreeSet::from([Path::new(".").canonicalize().unwrap()]));
}
