//! Portcullis: a reverse-proxy authorization gateway whose policy is the vendor's permission matrix.
//!
//! > A request is **read** into one spelling, **matched** to a resource, **joined** to a subject, **decided** by a
//! > pure function, and only a **permit** is forwarded.
//!
//! ```text
//!    doors           proxy (Pingora)
//!                          │ Arrival                         ▲ Judgement
//!                          ▼                                 │
//!    guard           choose API ─► read ─► identify ─► match route ─► decide ─► persist (audit)
//!                          │         │         │            │            │
//!    pure                  │   request::read  identity  policy::RouteTable  decision::decide ─► Permit | Refusal
//!                          │                   ▲            ▲
//!    live state      Live<Certificates>   Live<KeySet>   LiveOption<Snapshot>
//!                          ▲                   ▲            ▲
//!    sources         reload: files, JWKS, introspection
//! ```
//!
//! Each layer may name itself and those above it in this list; `tests/architecture/layers.rs` tests the order.

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
