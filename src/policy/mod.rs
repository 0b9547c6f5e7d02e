//! Policies: policy files become a snapshot, or findings.

mod compile;
mod load;
mod source;
mod template_tree;
mod validate;

pub mod amend;
pub mod condition;
pub mod condition_context;
pub mod entitlements;
pub mod grants;
pub mod ids;
pub mod import;
pub mod locked;
pub mod matrix;
pub mod model;
pub mod outline;
pub mod route;
pub mod routes;
pub mod snapshot;
pub mod template;
pub mod users;

pub use ids::{ConditionId, RowId};
pub use load::{LoadResult, load, load_trees};
pub use model::Model;
pub use routes::{NoMatch, RouteMatch, RouteTable, access_of};
pub use snapshot::{PolicyVersion, Snapshot};
pub use source::ServiceApps;
pub use template::Template;

#[cfg(test)]
mod tests;
