//! One identity: nobody speaks for somebody else, by no credential, header or forwarder.

mod api_keys;
mod certificates;
mod forwarders;
mod headers;
mod key_sets;
mod opaque;
mod tokens;
