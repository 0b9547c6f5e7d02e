//! YAML as people write it: a tree that knows its places, read strictly, with every finding kept.
//!
//! Policies, settings and case files are all read through this layer, so that a trap of YAML is refused in all
//! of them alike.

pub mod finding;
pub mod reader;
pub mod report;
pub mod tree;

pub use finding::{Finding, FindingCode, Findings, Severity};
pub use reader::{MapReader, list, text};
pub use tree::{Node, Sources, Span, Value, parse, parse_lenient};
