//! YAML as people write it: a tree that knows its places, read strictly, with every finding kept.
//!
//! Policies, settings and case files are all read through this layer, so that a trap of YAML is refused in all
//! of them alike.

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
