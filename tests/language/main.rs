//! Tests the policy language against an independent reference evaluator, on generated policies.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends with a panic, wherever the line stands that notices"
)]

#[expect(unreachable_pub, reason = "what is private here is what the package of the fuzz targets exports")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

#[path = "../random/seed.rs"]
mod seed;

mod questions;
mod seeded_random;
mod generator;
mod route_match;
mod reference;
mod printing;
mod program;
mod model;

mod agreement;
mod cases;
mod corpora;
mod policy_diff;
mod golden;
mod properties;
mod tables;
