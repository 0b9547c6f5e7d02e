//! Real clients and servers, installed by `tests/run`.

mod process;

mod curl;
mod demo;
mod jwt_attacks;
mod oidc;
mod orthanc;
mod overload;
mod proknow;
mod schema;
mod servers;
mod tls;
mod websocket;
