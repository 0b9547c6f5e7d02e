//! Reports: coverage as the admin listener shows it.

use serde::Serialize;

use crate::audit::Rfc3339Time;

/// CoverageReport: the coverage of one API's policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoverageReport {
    /// The policy's name; `None` where none is live.
    pub policy: Option<Box<str>>,
    /// The hash of its texts.
    pub hash: Option<Box<str>>,
    /// Requests that no route covers, the most frequent first.
    pub unmapped: Vec<UnmappedTemplate>,
    /// How many such requests came when the list was full.
    pub unmapped_left_out: u64,
    /// How many grants the policy has, a row and a cell each.
    pub grants: usize,
    /// The grants that no permit has used.
    pub never_used: Vec<UnusedGrant>,
    /// The cells that were refused most.
    pub refused: Vec<RefusedCell>,
}

/// UnmappedTemplate: requests that no route covers, by the template that their paths seem to have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnmappedTemplate {
    /// The method.
    pub method: Box<str>,
    /// The template, guessed.
    pub template: Box<str>,
    /// How many there were.
    pub count: u64,
    /// When the last one came.
    pub last_seen: Rfc3339Time,
}

/// UnusedGrant: a cell of a row that no permit has used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnusedGrant {
    /// The row.
    pub permission: Box<str>,
    /// The cell's operation.
    pub operation: Box<str>,
    /// The cell's resource.
    pub resource: Box<str>,
    /// Since when it is watched: the process's start, or the reload that brought it.
    pub since: Rfc3339Time,
}

/// RefusedCell: a cell, and how often it was refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedCell {
    /// The cell's operation.
    pub operation: Box<str>,
    /// The cell's resource.
    pub resource: Box<str>,
    /// How often.
    pub count: u64,
}
