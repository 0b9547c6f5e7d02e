//! Portcullis: a reverse-proxy authorization gateway whose policy is the vendor's permission matrix.
//!
//! > A request is **read** into one spelling, **placed** on a resource, **joined** to a subject, **decided** by a
//! > pure function, and only a **permit** leaves the building.
//!
//! Each layer may name itself and those above it in this list; `tests/architecture.rs` holds the order.

#[cfg(test)]
#[path = "../tests/random/property.rs"]
mod property;

// ── pure: no clock, no files, no network, no async, no globals ──
pub mod vocabulary;
pub mod document;
pub mod request;
pub mod policy;
pub mod identity;
pub mod decision;

// ── effects ──
#[cfg(feature = "gateway")]
pub mod settings;
#[cfg(feature = "gateway")]
pub mod reload;
#[cfg(feature = "gateway")]
pub mod audit;
#[cfg(feature = "gateway")]
pub mod metrics;
#[cfg(feature = "gateway")]
pub mod guard;
#[cfg(feature = "gateway")]
pub mod proxy;
#[cfg(feature = "gateway")]
pub mod admin;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "demo")]
pub mod demo;
#[cfg(feature = "gateway")]
pub mod cli;
