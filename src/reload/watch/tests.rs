//! However a policy is saved, it is live soon after; and nothing that happens to its folder ends the watching.

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

/// Guarded: a policy that is watched, as the gateway does it.
struct Guarded {
    store: Arc<PolicyStore>,
    events: Arc<Mutex<Vec<PolicyEvent>>>,
    _watcher: Watcher,
}

impl Guarded {
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
            crate::reload::policy::PolicyRole::Decides,
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
    let guarded = Guarded::new(&path);
    guarded.wait_for("a");
    // In place, as `cat >` and nano do.
    fs::write(&path, policy("b")).unwrap();
    guarded.wait_for("b");
    // Beside and renamed over it, as `sed -i` does.
    fs::write(at("sedXyZ"), policy("c")).unwrap();
    fs::rename(at("sedXyZ"), &path).unwrap();
    guarded.wait_for("c");
    // The old one moved away and a new one written, as vim does.
    fs::rename(&path, at("p.yaml~")).unwrap();
    fs::write(&path, policy("d")).unwrap();
    fs::remove_file(at("p.yaml~")).unwrap();
    guarded.wait_for("d");
    // Deleted, missed, and written again.
    fs::remove_file(&path).unwrap();
    guarded.wait_for_refusal();
    assert_eq!(guarded.name().as_deref(), Some("d"));
    fs::write(&path, policy("e")).unwrap();
    guarded.wait_for("e");
    // A broken one, then a good one.
    fs::write(&path, "version: 1\nnome: f\n").unwrap();
    guarded.wait_for_refusal();
    assert_eq!(guarded.name().as_deref(), Some("e"));
    fs::write(&path, policy("g")).unwrap();
    guarded.wait_for("g");
}

#[test]
fn a_writer_that_pauses_with_its_file_open_is_waited_for() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    fs::write(&path, policy("a")).unwrap();
    let guarded = Guarded::new(&path);
    guarded.wait_for("a");
    // What is noticed has been listened for.
    fs::write(&path, policy("b")).unwrap();
    guarded.wait_for("b");
    // The first half is a policy by itself. A machine that is so busy that a short wait becomes a long pause shows
    // nothing: then again.
    let shown = (0..20).any(|attempt| {
        let half = format!("half{attempt}");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(policy(&half).as_bytes()).unwrap();
        let written = Instant::now();
        std::thread::sleep(Duration::from_millis(300));
        let live = guarded.name();
        let in_time = written.elapsed() < Duration::from_millis(700);
        assert!(!in_time || live.as_deref() != Some(&half), "half a file is live");
        file.write_all(b"users:\n  anna: { permissions: [Read] }\n").unwrap();
        drop(file);
        guarded.wait_for(&half);
        in_time
    });
    assert!(shown, "this machine never waits for less than 700 ms");
    // Who never closes is not waited for without end.
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(policy("open").as_bytes()).unwrap();
    guarded.wait_for("open");
    drop(file);
}

#[test]
fn a_folder_is_followed_through_deletion_with_its_parent_and_re_creation() {
    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path().join("policies");
    let path = parent.join("noah");
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("1.yaml"), policy("a")).unwrap();
    let guarded = Guarded::new(&path);
    guarded.wait_for("a");
    fs::remove_dir_all(&parent).unwrap();
    guarded.wait_for_refusal();
    assert_eq!(guarded.name().as_deref(), Some("a"));
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("1.yaml"), policy("b")).unwrap();
    guarded.wait_for("b");
    fs::write(path.join("1.yaml"), policy("c")).unwrap();
    guarded.wait_for("c");
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
    let guarded = Guarded::new(&at("live"));
    guarded.wait_for("v1");
    // `ln -sfn` on old systems: the link is gone for a moment.
    fs::remove_file(at("live")).unwrap();
    symlink("v2", at("live")).unwrap();
    guarded.wait_for("v2");
    // `ln -sfn` on newer ones, and every careful deployment: renamed over it.
    symlink("v3", at("next")).unwrap();
    fs::rename(at("next"), at("live")).unwrap();
    guarded.wait_for("v3");
    fs::write(at("v3").join("p.yaml"), policy("v3-edited")).unwrap();
    guarded.wait_for("v3-edited");
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
    let (whole, single) = (Guarded::new(folder.path()), Guarded::new(&at("p.yaml")));
    for guarded in [&whole, &single] {
        guarded.wait_for("v1");
    }
    version("..v2");
    fs::remove_dir_all(at("..v1")).unwrap();
    for guarded in [&whole, &single] {
        guarded.wait_for("v2");
        assert!(!guarded.events.lock().unwrap().contains(&PolicyEvent::Gone));
    }
}

#[test]
fn a_burst_of_rewrites_half_of_them_broken_ends_with_the_last_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    fs::write(&path, policy("v0")).unwrap();
    let guarded = Guarded::new(&path);
    for at in 1..=50 {
        let text = if at % 2 == 0 { policy(&format!("v{at}")) } else { format!("{}everyone: [Nope]\n", policy("bad")) };
        fs::write(&path, text).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    guarded.wait_for("v50");
    wait(|| guarded.store.state().refused.is_none(), "nothing to be refused");
    for event in &*guarded.events.lock().unwrap() {
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
    let guarded = Guarded::new(&path);
    guarded.wait_for("small");
    let text = format!("{}users:\n{users}", policy("large"));
    assert!(text.len() > 1_000_000);
    let began = Instant::now();
    fs::write(&path, text).unwrap();
    guarded.wait_for("large");
    eprintln!("a policy of 1 MB was live {} ms after its save", began.elapsed().as_millis());
}

#[test]
fn what_inotify_does_not_see_is_found_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["path", "between", "end"] {
        fs::create_dir(at(name)).unwrap();
    }
    // The link in the middle of the chain stands in a folder that has no watch.
    fs::write(at("end/1.yaml"), policy("a")).unwrap();
    fs::write(at("end/2.yaml"), policy("b")).unwrap();
    symlink("../end/1.yaml", at("between/link")).unwrap();
    symlink("../between/link", at("path/p.yaml")).unwrap();
    let path = at("path/p.yaml");
    assert!(!folders_of(&path).contains(&at("between").canonicalize().unwrap()));
    let guarded = Guarded::new(&path);
    guarded.wait_for("a");
    symlink("../end/2.yaml", at("between/next")).unwrap();
    fs::rename(at("between/next"), at("between/link")).unwrap();
    guarded.wait_for("b");
}

#[test]
fn a_poke_tells_everybody_and_a_panic_does_not_end_the_watching() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let count = |at: usize| told[at].load(Ordering::SeqCst);
    let first = {
        let told = Arc::clone(&told);
        WatchedPath::new(folder.path().join("cert.pem"), move || {
            told[0].fetch_add(1, Ordering::SeqCst);
            panic!("a closure that panics in a test");
        })
    };
    let second = {
        let told = Arc::clone(&told);
        WatchedPath::new(folder.path().join("key.pem"), move || {
            told[1].fetch_add(1, Ordering::SeqCst);
        })
    };
    let watcher = Watcher::start(vec![first, second], POLL).unwrap();
    wait(|| count(0) == 1 && count(1) == 1, "the first look");
    watcher.poker().poke();
    wait(|| count(0) == 2 && count(1) == 2, "the poke");
    fs::write(folder.path().join("key.pem"), "key").unwrap();
    wait(|| count(1) >= 3, "the change");
    assert_eq!(count(0), 2, "the other path did not change");
    drop(watcher);
    let last = count(1);
    fs::write(folder.path().join("key.pem"), "another").unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(count(1), last, "a dropped watcher is silent");
    assert_eq!(Arc::strong_count(&told), 1, "its thread has ended and its closures are gone");
}

#[test]
fn a_path_below_nothing_is_heard_at_the_nearest_folder_that_exists() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    assert_eq!(folders_of(&folder.path().join("a/b/p.yaml")), BTreeSet::from([real.clone()]));
    symlink("..", real.join("up")).unwrap();
    let parent = real.parent().unwrap().to_owned();
    assert_eq!(folders_of(&real.join("up/p.yaml")), BTreeSet::from([parent, real]));
    assert_eq!(folders_of(Path::new("p.yaml")), BTreeSet::from([Path::new(".").canonicalize().unwrap()]));
}
