//! The policy language, held against a second, naive reading of its page on generated policies.

#![expect(clippy::panic, reason = "a test ends with a panic, wherever the line stands that notices")]

mod cases;
