//! The types that every layer shares.

pub mod access;
pub mod audit_mode;
pub mod facts;
pub mod media;
pub mod name;
pub mod operation;
pub mod subject;
pub mod time;

pub use access::{Access, Cell, CellId, Cells, MediaTypeCells, RouteId, Scope};
pub use audit_mode::AuditMode;
pub use facts::RequestFacts;
pub use media::MediaRange;
pub use operation::Operation;
pub use subject::{Assignment, Proof, Subject, SubjectId, SubjectKind};
pub use time::Timestamp;
