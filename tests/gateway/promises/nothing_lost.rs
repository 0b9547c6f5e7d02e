//! Nothing lost, nothing leaked: audit, reload, drain, limits and answers.

mod drain;
mod faults;
mod limits;
mod upgrade;
