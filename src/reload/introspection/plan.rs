//! IntrospectionPlan: the introspection endpoint of one issuer and the limits of using it.

use std::path::PathBuf;
use std::time::Duration;

/// IntrospectionPlan: the endpoint, the gateway's credentials at it, and the limits of calls.
#[derive(Clone)]
pub struct IntrospectionPlan {
    /// The introspection endpoint.
    pub url: Box<str>,
    /// The client id of the gateway.
    pub client_id: Box<str>,
    /// The client secret of the gateway.
    pub client_secret: Box<[u8]>,
    /// How the id and the secret are sent.
    pub auth: ClientAuth,
    /// Authorities for the endpoint's certificate instead of the built-in ones: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Whether tokens may be sent over plain HTTP to another machine.
    pub insecure_http: bool,
    /// How long one answer may take, the wait for a free call included.
    pub timeout: Duration,
    /// The seconds for which an accepted answer is cached, and for which a token without `exp` is valid.
    pub cache: u64,
    /// How long a refused answer is cached.
    pub negative: Duration,
    /// The most concurrent calls.
    pub at_once: usize,
    /// The most calls per second.
    pub per_second: u32,
    /// Whether a token without `aud` is accepted as meant for this gateway.
    pub accept_missing_audience: bool,
}

/// ClientAuth: how the gateway authenticates at the endpoint (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// With HTTP Basic.
    Basic,
    /// With `client_id` and `client_secret` in the form.
    Post,
}
