//! Real clients and servers, installed by `tests/run`.
