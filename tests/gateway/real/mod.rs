//! Real clients and servers, installed by `tests/run`.

mod process;

mod curl;
mod oidc;
mod orthanc;
mod websocket;
