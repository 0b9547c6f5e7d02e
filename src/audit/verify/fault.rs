//! ChainFault: a location at which audit files differ from what was written, with advice.

use std::ops::Range;

/// ChainFault: one difference between audit files and what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainFault {
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The line at which the fault was found.
    pub location: LineLocation,
    /// A description of the fault, without a full stop.
    pub message: String,
    /// The numbers of the lines that are missing here.
    pub(super) missing: Range<u64>,
}

/// LineLocation: a line of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LineLocation {
    /// The file's position in the list.
    pub file: usize,
    /// The line's number, counted from 1.
    pub line: u64,
}

/// FaultKind: what has happened to audit files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A line was changed.
    Altered,
    /// Lines in the middle were removed.
    Removed,
    /// Lines were inserted that were not written there.
    Inserted,
    /// Lines are in a different order.
    Reordered,
    /// The end of a segment is missing.
    Truncated,
    /// A whole segment is missing.
    Missing,
    /// The end of the last segment is missing.
    CutOff,
    /// The files belong to two chains.
    TwoChains,
}

impl FaultKind {
    /// The name of the kind in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::Removed => "removed",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::Truncated => "truncated",
            Self::Missing => "segment-missing",
            Self::CutOff => "cut-off",
            Self::TwoChains => "two-chains",
        }
    }

    /// Advice about the fault.
    pub fn help(self) -> &'static str {
        match self {
            Self::Altered | Self::Removed | Self::Inserted | Self::Reordered => {
                "the file was edited: keep it unchanged, find out who has access to it, and compare it with a copy"
            }
            Self::Truncated => {
                "if a segment reports that the disk failed, the lines were lost then; otherwise they were cut off"
            }
            Self::Missing => {
                "name the missing file too; where older ones were deleted on purpose, begin with `--since`"
            }
            Self::TwoChains => "there are two chains in one folder: verify each separately by naming its files",
            Self::CutOff => {
                "name the later files too; if there are none, the end was cut off after the value was noted"
            }
        }
    }
}
