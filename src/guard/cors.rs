//! CORS: which origins a policy allows, and the header fields of answers to them (Fetch standard, section 3.2).

use http::HeaderMap;

use crate::policy::model::Cors;

/// The fields of a response that only the policy's `cors` sets.
pub const RESPONSE_FIELDS: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-max-age",
];

/// Whether a request is a CORS preflight.
pub(super) fn is_preflight(method: &str, headers: &HeaderMap) -> bool {
    method == "OPTIONS"
        && headers.contains_key(http::header::ORIGIN)
        && headers.contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The request's origin, where the policy allows it.
pub(super) fn allowed_origin<'a>(cors: &Cors, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut origins = headers.get_all(http::header::ORIGIN).iter();
    let origin = origins.next()?.to_str().ok()?;
    (origins.next().is_none() && cors.origins.iter().any(|known| **known == *origin)).then_some(origin)
}

/// The fields of every response to an allowed origin; `vary` is added to what the response says already.
pub fn response_fields(cors: &Cors, origin: &str) -> Vec<(&'static str, String)> {
    let mut fields = vec![("access-control-allow-origin", origin.to_owned()), ("vary", "origin".to_owned())];
    if cors.credentials {
        fields.push(("access-control-allow-credentials", "true".to_owned()));
    }
    if !cors.exposed.is_empty() {
        fields.push(("access-control-expose-headers", cors.exposed.join(", ")));
    }
    fields
}

/// The fields of the answer to a preflight from an allowed origin.
///
/// They are the same for every path, so that they tell nothing about routes.
pub fn preflight_fields(cors: &Cors, origin: &str) -> Vec<(&'static str, String)> {
    let mut fields = response_fields(cors, origin);
    let headers = cors.headers.iter().map(|name| &**name).chain(["authorization", "content-type"]);
    fields.push(("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned()));
    fields.push(("access-control-allow-headers", headers.collect::<Vec<_>>().join(", ")));
    fields.push(("access-control-max-age", cors.max_age.to_string()));
    fields
}
