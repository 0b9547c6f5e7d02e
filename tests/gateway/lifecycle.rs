//! From the first bind to the last answer.
