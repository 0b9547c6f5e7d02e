//! Nothing lost, nothing leaked: audit, reload, drain, limits and answers.

mod audit;
mod secrets;
