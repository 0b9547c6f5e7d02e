//! Nothing lost, nothing leaked: audit, reload, drain, limits and answers.

mod audit;
mod drain;
mod faults;
mod limits;
mod secrets;
mod upgrade;
mod waits;
