//! The header fields of a forwarded request: the gateway's own are set, and those in disguise dropped.

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, HeaderName, UPGRADE};
use http::{HeaderMap, HeaderValue};

use crate::guard::api::Api;
use crate::guard::arrival::Arrival;
use crate::guard::exchange::Exchange;
use crate::request::OverrideMode;
use crate::request::headers::HeaderAction;
use crate::settings::{HostHeader, UpstreamCredential};
use crate::vocabulary::Proof;

/// HeaderEditor: the header of the request to the upstream, as a front door holds it.
pub trait HeaderEditor {
    /// Why a value cannot be set.
    type Error;

    /// The fields as they are now.
    fn fields(&self) -> &HeaderMap;

    /// Removes every line of a field.
    fn remove(&mut self, name: &str);

    /// Sets a field to one line, in place of every earlier one.
    ///
    /// # Errors
    /// The value cannot stand in a header field.
    fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Self::Error>;
}

impl Exchange {
    /// Edits the header of the request to the upstream, after the door has removed the hop-by-hop fields.
    ///
    /// `arrival` is what was judged. The exchange must have a permit: without one nothing is edited.
    ///
    /// # Errors
    /// A value cannot stand in a header field.
    pub fn edit_request<E: HeaderEditor>(&self, arrival: &Arrival<'_>, upstream: &mut E) -> Result<(), E::Error> {
        let (Some(api), Some(_)) = (self.api(), self.permit()) else { return Ok(()) };
        drop_fields(upstream, api, self);
        join_cookies(upstream)?;
        set_host(arrival, upstream, api)?;
        set_credential(upstream, api, self)?;
        set_identity(upstream, api, self)?;
        set_forwarded(arrival, upstream, self)
    }
}

/// Whether shadow mode forwards a request without a known caller.
///
/// It is forwarded as if there were no gateway, because the server behind may know the credential.
fn is_unknown_caller(exchange: &Exchange) -> bool {
    exchange.subject().is_none() && exchange.is_shadowed()
}

fn drop_fields<E: HeaderEditor>(upstream: &mut E, api: &Api, exchange: &Exchange) {
    let (unknown, websocket) = (is_unknown_caller(exchange), exchange.is_websocket());
    let dropped = |name: &HeaderName| match api.headers.action(name.as_str()) {
        HeaderAction::Drop if unknown && api.keys.headers().any(|key| name.as_str().eq_ignore_ascii_case(key)) => false,
        // Pingora keeps both for every request that names the WebSocket protocol, which only GET opens.
        HeaderAction::Forward => !websocket && (*name == UPGRADE || *name == CONNECTION),
        HeaderAction::Drop => true,
        HeaderAction::MethodOverride => api.overrides != OverrideMode::Evaluate,
    };
    let names: Vec<HeaderName> = upstream.fields().keys().filter(|name| dropped(name)).cloned().collect();
    for name in names {
        upstream.remove(name.as_str());
    }
}

/// Joins cookies into one line: HTTP/2 may send them one by one (RFC 9113, section 8.2.3).
fn join_cookies<E: HeaderEditor>(upstream: &mut E) -> Result<(), E::Error> {
    let crumbs: Vec<&[u8]> = upstream.fields().get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return Ok(());
    }
    let joined = crumbs.join(&b"; "[..]);
    upstream.set(COOKIE.as_str(), &joined)
}

fn set_host<E: HeaderEditor>(arrival: &Arrival<'_>, upstream: &mut E, api: &Api) -> Result<(), E::Error> {
    let host = match &api.host {
        HostHeader::AsReceived => arrival.host().unwrap_or(api.authority.as_bytes()),
        HostHeader::Upstream => api.authority.as_bytes(),
        HostHeader::Literal(host) => host.as_bytes(),
    };
    upstream.set("Host", host)
}

/// Forwards a bearer token where the settings say so; no other credential, and none from the query, is forwarded.
///
/// The headers of API keys were dropped with the other reserved fields.
fn set_credential<E: HeaderEditor>(upstream: &mut E, api: &Api, exchange: &Exchange) -> Result<(), E::Error> {
    let by_token = exchange.subject().is_some_and(|subject| subject.proof == Proof::Token);
    match &api.credential {
        UpstreamCredential::ForwardBearer if by_token => {}
        // The gateway's own credential is not lent to unknown callers.
        UpstreamCredential::ForwardBearer | UpstreamCredential::Fixed { .. } if is_unknown_caller(exchange) => {}
        UpstreamCredential::ForwardBearer | UpstreamCredential::None => upstream.remove(AUTHORIZATION.as_str()),
        UpstreamCredential::Fixed { header, value } => {
            upstream.remove(AUTHORIZATION.as_str());
            upstream.set(header, value.expose())?;
        }
    }
    Ok(())
}

fn set_identity<E: HeaderEditor>(upstream: &mut E, api: &Api, exchange: &Exchange) -> Result<(), E::Error> {
    for name in api.identity.all() {
        upstream.remove(name);
    }
    upstream.set(&api.identity.decision, exchange.id().to_string().as_bytes())?;
    let Some(subject) = exchange.subject() else { return Ok(()) };
    if let Some(id) = &subject.id {
        upstream.set(&api.identity.subject, visible(&id.to_string(), "").as_bytes())?;
    }
    let roles = exchange.plan().map(|plan| plan.roles()).unwrap_or_default();
    if !roles.is_empty() {
        let roles: Vec<String> = roles.iter().map(|role| visible(role, ",")).collect();
        upstream.set(&api.identity.roles, roles.join(",").as_bytes())?;
    }
    if let Some(tenant) = exchange.tenant() {
        upstream.set(&api.identity.tenant, visible(tenant, "").as_bytes())?;
    }
    Ok(())
}

fn set_forwarded<E: HeaderEditor>(
    arrival: &Arrival<'_>,
    upstream: &mut E,
    exchange: &Exchange,
) -> Result<(), E::Error> {
    let client = exchange.client();
    let peer = client.peer().map(|peer| peer.ip().to_canonical());
    // Several lines are one list (RFC 9110, section 5.3): the last one is the forwarder's own.
    let before = arrival.headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let before = before.collect::<Vec<_>>().join(", ");
    let chain = match (peer, before) {
        (Some(peer), before) if client.is_trusted() && !before.is_empty() => format!("{before}, {peer}"),
        (Some(peer), _) => peer.to_string(),
        (None, _) => "unknown".to_owned(),
    };
    upstream.set("X-Forwarded-For", chain.as_bytes())?;
    let scheme = if client.is_secure() { "https" } else { "http" };
    // Of two values one may be the client's, and nothing tells which.
    let forwarded = |name| arrival.single(name).filter(|_| client.is_trusted());
    upstream.set("X-Forwarded-Proto", forwarded("x-forwarded-proto").unwrap_or(scheme).as_bytes())?;
    let host = arrival.host().unwrap_or_default();
    upstream.set("X-Forwarded-Host", forwarded("x-forwarded-host").map_or(host, str::as_bytes))
}

/// A name as a header field may carry it: visible ASCII as it is, `%`, the characters of `also` and all else
/// percent-encoded.
fn visible(name: &str, also: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        // A space at either end would be trimmed, which could leave another caller's name.
        let trimmed = byte == b' ' && (at == 0 || at + 1 == name.len());
        if (0x20..0x7f).contains(&byte) && !trimmed && byte != b'%' && !also.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
