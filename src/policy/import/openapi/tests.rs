//! Whole files, from openapi to policy.
