//! ChainFault: one place where audit files are not what was written, and what to make of it.

use std::ops::Range;

/// ChainFault: what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainFault {
    /// What has happened.
    pub sort: FaultKind,
    /// Where it shows.
    pub place: LineLocation,
    /// What is wrong, in half a sentence.
    pub message: String,
    /// The lines of the chain that are missing here.
    pub(super) missing: Range<u64>,
}

/// LineLocation: a line of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LineLocation {
    /// The file's place in the list.
    pub file: usize,
    /// The line's number, from 1 on.
    pub line: u64,
}

/// FaultKind: what has happened to audit files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A line says something else now.
    Altered,
    /// Lines are gone from the middle.
    Removed,
    /// There are lines that were not written there.
    Inserted,
    /// Lines stand in another order.
    Reordered,
    /// The end of a segment is gone.
    Truncated,
    /// A whole segment is gone.
    Missing,
    /// The end of the last segment is gone.
    CutOff,
    /// The files are those of two chains.
    TwoChains,
}

impl FaultKind {
    /// The word that reports use.
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

    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Altered | Self::Removed | Self::Inserted | Self::Reordered => {
                "somebody has edited the file: keep it as it is, find out who could, and compare with a copy"
            }
            Self::Truncated => {
                "if a segment says that its disk failed they were lost there; if not, somebody has cut them off"
            }
            Self::Missing => {
                "name the missing file too; where older ones were deleted on purpose, begin with `--since`"
            }
            Self::TwoChains => "two chains in one folder: verify them one by one by naming files",
            Self::CutOff => "name the later files too; if there are none, the end was cut off since the value was kept",
        }
    }
}
