//! Real clients and servers, installed by `tests/run`.

mod process;

mod curl;
mod demo;
mod oidc;
mod orthanc;
mod proknow;
mod schema;
mod tls;
mod websocket;
