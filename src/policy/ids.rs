//! Ids: permissions and conditions by their index in one snapshot.

/// RowId: a permission by its index in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub u32);

/// ConditionId: a condition by its index in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConditionId(pub u32);
