//! The nouns that every layer shares.

pub mod access;
pub mod audit_mode;
pub mod facts;
pub mod media;
pub mod name;
pub mod operation;
pub mod subject;
pub mod time;

pub use access::{Access, Candidate, Cell, CellId, Cells, RouteId, Scope};
pub use audit_mode::AuditMode;
pub use facts::Facts;
pub use media::MediaRange;
pub use operation::Operation;
pub use subject::{Assignment, Id, Kind, Proof, Subject};
pub use time::Timestamp;
