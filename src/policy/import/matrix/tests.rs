//! Whole files, from matrix to policy.
