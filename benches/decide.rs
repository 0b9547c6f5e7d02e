//! Measures the decision alone: its time, its allocations, and the memory that a very large policy takes.
//!
//! `cargo bench --bench decide` takes the large policy's size from `PORTCULLIS_ROUTES`, `PORTCULLIS_ROLES` and
//! `PORTCULLIS_USERS` (10,000 × 1,000 × 100,000; at most a million users); `-- --quick` and `-- --test` take a small
//! one. Without `--no-default-features` cargo first builds the whole gateway, which the decision does not need.

#![expect(unsafe_code, reason = "a global allocator that counts is unsafe by its trait")]
#![expect(clippy::panic, reason = "a bench whose policy does not load has nothing to measure")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use portcullis::decision::{ApprovalSet, Decision, Phase, Question, decide};
use portcullis::document::{Sources, report};
use portcullis::policy::{self, RouteMatch, Snapshot};
use portcullis::request::{CanonicalPath, OverrideMode, RawRequest, read};
use portcullis::vocabulary::{RequestFacts, Subject, Timestamp};

const NOAH: &str = include_str!("../policies/noah-es.yaml");

const NOW: Timestamp = Timestamp(1_767_225_600);

/// The header fields of an ordinary request, so that reading them is part of the measured work.
const HEADERS: [(&str, &str); 5] = [
    ("host", "noah.example"),
    ("user-agent", "fitting/4.2"),
    ("accept", "application/json"),
    ("authorization", "Bearer e30.e30.c2ln"),
    ("content-type", "application/json"),
];

/// Case: one caller and one request against Noah's policy, with the expected reason.
struct Case {
    reason: &'static str,
    subject: &'static str,
    method: &'static str,
    target: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        reason: "granted",
        subject: r#"{"id":"u1","client":"app-1","tenant":"t1","permissions":["Use Patient and Session Features"]}"#,
        method: "GET",
        target: "/t1/api/Patients/p1",
    },
    Case {
        reason: "not-granted",
        subject: r#"{"id":"u1","client":"app-1","tenant":"t1","permissions":["Use Patient and Session Features"]}"#,
        method: "DELETE",
        target: "/t1/api/Patients/p1",
    },
    Case {
        reason: "gate",
        subject: r#"{"id":"u1","client":"app-9","tenant":"t1","permissions":["Use Patient and Session Features"]}"#,
        method: "GET",
        target: "/t1/api/Patients/p1",
    },
    Case {
        reason: "service-app",
        subject: r#"{"kind":"service","client":"app-9","tenant":"t1"}"#,
        method: "GET",
        target: "/t1/api/Patients/p1",
    },
];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
        .without_plots()
        .configure_from_args();
    let noah = load("noah-es.yaml", NOAH);
    println!("allocations a request on noah-es: reading, placing, deciding");
    for case in &CASES {
        noah_case(&mut criterion, &noah, case);
    }
    large(&mut criterion, Size::from_environment());
    criterion.final_summary();
}

fn noah_case(criterion: &mut Criterion, noah: &Snapshot, case: &Case) {
    let Case { reason, method, target, .. } = *case;
    let subject = subject(case.subject);
    let raw = RawRequest { method, target: target.as_bytes(), host: Some(b"noah.example"), headers: &HEADERS };
    let path = path(target, noah);
    let placed = place(noah, method, &path);
    let decision = judge(noah, &placed, &subject);
    assert_eq!(decision.reason.code(), reason, "{method} {target}");

    println!(
        "  {reason}: {}, {}, {}",
        allocations(|| read(&raw, noah.model.dialect, OverrideMode::Reject)),
        allocations(|| place(noah, method, &path)),
        allocations(|| judge(noah, &placed, &subject)),
    );
    let mut group = criterion.benchmark_group("noah");
    group.bench_function(BenchmarkId::new("place", reason), |bench| {
        bench.iter(|| place(black_box(noah), black_box(method), black_box(&path)).access.route);
    });
    group.bench_function(BenchmarkId::new("decide", reason), |bench| {
        bench.iter(|| judge(black_box(noah), black_box(&placed), black_box(&subject)));
    });
    group.bench_function(BenchmarkId::new("read+place+decide", reason), |bench| {
        bench.iter(|| {
            let request = read(black_box(&raw), noah.model.dialect, OverrideMode::Reject);
            let Ok(request) = request else { panic!("{target} cannot be read") };
            let placed = place(noah, request.method, &request.path);
            judge(noah, &placed, black_box(&subject))
        });
    });
    group.finish();
}

/// Size: the number of routes, roles and users in the large policy.
#[derive(Clone, Copy)]
struct Size {
    routes: usize,
    roles: usize,
    users: usize,
}

impl Size {
    fn from_environment() -> Self {
        let small = std::env::args().any(|argument| argument == "--quick" || argument == "--test");
        let count = |name: &str, small_count: usize, full: usize, most: usize| {
            let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
            set.unwrap_or(if small { small_count } else { full }).clamp(10, most)
        };
        Self {
            routes: count("PORTCULLIS_ROUTES", 100, 10_000, 100_000),
            roles: count("PORTCULLIS_ROLES", 100, 1_000, 10_000),
            users: count("PORTCULLIS_USERS", 1_000, 100_000, 1_000_000),
        }
    }
}

fn large(criterion: &mut Criterion, size: Size) {
    let Size { routes, roles, users } = size;
    let name = format!("{routes} routes, {roles} roles, {users} users");
    let without_users = live_bytes_of(|| load("large.yaml", &generated(Size { users: 0, ..size }))).1;
    let text = generated(size);
    let before = resident();
    let began = Instant::now();
    let (policy, bytes) = live_bytes_of(|| load("large.yaml", &text));
    let seconds = began.elapsed().as_secs_f64();
    println!("{name}: {:.1} MB of YAML loaded in {seconds:.2} s", megabytes(length(&text)));
    println!(
        "  snapshot {:.1} MB, of which {} bytes a user; resident {:.1} MB more after the load, peak {:.1} MB",
        megabytes(bytes),
        bytes.saturating_sub(without_users) / u64::try_from(users).unwrap_or(u64::MAX),
        megabytes(resident().saturating_sub(before)),
        megabytes(status("VmHWM:")),
    );

    // Callers and routes in random order, so that the processor's cache does not already hold the answer.
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut pick = |count: usize| random.below(count);
    let questions: Vec<(Subject, String)> = (0..4096)
        .map(|_| {
            let id = pick(users);
            let caller = subject(&format!(r#"{{"id":"user-{id}","client":"app-1","tenant":"t1"}}"#));
            // Every second question is about a route that a role of that user grants.
            let route = if pick(2) == 0 { (id * 7 + 3) % roles % routes } else { pick(routes) };
            (caller, format!("/t1/api/things-{route}/x1"))
        })
        .collect();
    let paths: Vec<(&Subject, CanonicalPath<'_>)> =
        questions.iter().map(|(subject, target)| (subject, path(target, &policy))).collect();
    let placed: Vec<(&Subject, RouteMatch<'_>)> =
        paths.iter().map(|(subject, path)| (*subject, place(&policy, "GET", path))).collect();
    let permits = placed.iter().filter(|(subject, placed)| judge(&policy, placed, subject).is_permit()).count();
    assert!((1..placed.len()).contains(&permits), "the questions are all answered alike");
    let mut turn = placed.iter().cycle();
    let mut next = || turn.next().map(|(subject, placed)| judge(&policy, placed, subject));
    println!(
        "  {permits} of {} questions are permitted; allocations a decision: {}",
        placed.len(),
        allocations(&mut next)
    );

    let mut group = criterion.benchmark_group("large");
    group.bench_function(BenchmarkId::new("place", &name), |bench| {
        let mut turn = paths.iter().cycle();
        bench.iter(|| turn.next().map(|(_, path)| place(&policy, "GET", black_box(path)).access.route));
    });
    group.bench_function(BenchmarkId::new("decide", &name), |bench| bench.iter(&mut next));
    if let Some((subject, placed)) = placed.first() {
        group.bench_function(BenchmarkId::new("decide for one caller", &name), |bench| {
            bench.iter(|| judge(black_box(&policy), black_box(placed), black_box(subject)));
        });
    }
    group.finish();
}

/// A policy of that size: one resource and one permission per role, two permissions per role, two roles per user.
fn generated(size: Size) -> String {
    let Size { routes, roles, users } = size;
    let mut text = String::from("version: 1\nname: large\nscopes: { tenant: caller }\nroutes:\n");
    let mut line = |args: std::fmt::Arguments<'_>| {
        // Writing to a `String` does not fail.
        let _ = text.write_fmt(args);
    };
    for at in 0..routes {
        let resource = at % roles;
        line(format_args!(
            "  /{{tenant}}/api/things-{at}/{{thing}}: {{ GET: read Thing {resource}, PUT: update Thing {resource} }}\n"
        ));
    }
    line(format_args!("resources:\n"));
    (0..roles).for_each(|at| line(format_args!("  - Thing {at}\n")));
    line(format_args!("permissions:\n"));
    (0..roles)
        .for_each(|at| line(format_args!("  Use Thing {at}: {{ Thing {at}: RU, Thing {}: R }}\n", (at + 1) % roles)));
    line(format_args!("roles:\n"));
    (0..roles).for_each(|at| {
        line(format_args!("  Role {at}: {{ permissions: [Use Thing {at}, Use Thing {}] }}\n", (at + 5) % roles))
    });
    if users > 0 {
        line(format_args!("users:\n"));
    }
    for at in 0..users {
        line(format_args!(
            "  user-{at}: {{ roles: [Role {}, Role {}] }}\n",
            (at * 7 + 3) % roles,
            (at * 13 + 4) % roles
        ));
    }
    text
}

fn load(name: &str, text: &str) -> Snapshot {
    let mut sources = Sources::default();
    sources.add(name, text);
    let loaded = policy::load(&sources, None);
    loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)))
}

fn subject(json: &str) -> Subject {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn path<'t>(target: &'t str, policy: &Snapshot) -> CanonicalPath<'t> {
    CanonicalPath::read(target.as_bytes(), policy.model.dialect).unwrap_or_else(|error| panic!("{target}: {error:?}"))
}

fn place<'r>(policy: &'r Snapshot, method: &str, path: &'r CanonicalPath<'_>) -> RouteMatch<'r> {
    policy.routes.match_route(method, path, None).unwrap_or_else(|error| panic!("{}: {error:?}", path.as_str()))
}

fn judge(policy: &Snapshot, placed: &RouteMatch<'_>, subject: &Subject) -> Decision {
    // No approval is stored for the policy; an empty set owns no memory.
    let approvals = ApprovalSet::default();
    let facts = RequestFacts { method: "GET", path: "/", address: None };
    let question = Question { access: Ok(&placed.access), subject: Ok(subject), facts, phase: Phase::Request };
    decide(question, policy, &approvals, NOW)
}

/// CountingAllocator: the system's allocator, which also counts calls and live bytes.
struct CountingAllocator;

static CALLS: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

// SAFETY: every call goes to the system's allocator unchanged; the counters do not touch the memory.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        HELD.fetch_add(size(layout), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(size(layout), Ordering::Relaxed);
        // SAFETY: `at` came from `alloc` above with this layout.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, length: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        HELD.fetch_sub(size(layout), Ordering::Relaxed);
        HELD.fetch_add(u64::try_from(length).unwrap_or(u64::MAX), Ordering::Relaxed);
        // SAFETY: `at` came from `alloc` above with this layout, and the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, length) }
    }
}

fn size(layout: Layout) -> u64 {
    u64::try_from(layout.size()).unwrap_or(u64::MAX)
}

/// The mean number of allocations of one call of `work`, over a thousand calls.
fn allocations<T>(mut work: impl FnMut() -> T) -> f64 {
    black_box(work());
    let before = CALLS.load(Ordering::Relaxed);
    for _ in 0..1_000 {
        drop(black_box(work()));
    }
    let calls = CALLS.load(Ordering::Relaxed) - before;
    f64::from(u32::try_from(calls).unwrap_or(u32::MAX)) / 1_000.0
}

/// The result of `make`, and the heap bytes that it holds.
fn live_bytes_of<T>(make: impl FnOnce() -> T) -> (T, u64) {
    let before = HELD.load(Ordering::Relaxed);
    let made = make();
    (made, HELD.load(Ordering::Relaxed).saturating_sub(before))
}

fn resident() -> u64 {
    status("VmRSS:")
}

/// A value of this process from `/proc/self/status`, in bytes.
fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// Random: a deterministic pseudo-random generator (xorshift64); every run gets the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 1).unwrap_or(0) % count.max(1)
    }
}
