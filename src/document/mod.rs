//! Strict reading of YAML: a tree whose nodes have spans, and all findings of one run.
//!
//! Policies, settings and case files are read through this layer, so that all of them refuse the same pitfalls of
//! YAML.

pub mod finding;
pub mod node;
pub mod reader;
pub mod report;
pub mod sources;
pub mod tree;

pub use finding::{Finding, FindingCode, Findings, Severity};
pub use node::{Node, Value};
pub use reader::{MapReader, list, text};
pub use sources::{Sources, Span};
pub use tree::{parse, parse_lenient};
