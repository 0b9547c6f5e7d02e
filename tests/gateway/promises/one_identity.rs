//! One identity: no credential, header or forwarder lets a caller act as another caller.

mod api_keys;
mod certificates;
mod forwarders;
mod headers;
mod introspection_server;
mod key_sets;
mod opaque;
mod tokens;
