//! CORS: preflights answered by origin alone, and what scripts may read of answers (Fetch standard, section 3.2).

use http::HeaderMap;
use pingora::http::ResponseHeader;

use crate::policy::model::Cors;

/// Whether a request is a CORS preflight.
pub(super) fn is_preflight(method: &str, headers: &HeaderMap) -> bool {
    method == "OPTIONS"
        && headers.contains_key(http::header::ORIGIN)
        && headers.contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The request's origin, where the policy allows it.
pub(super) fn allowed<'a>(cors: &Cors, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut origins = headers.get_all(http::header::ORIGIN).iter();
    let origin = origins.next()?.to_str().ok()?;
    (origins.next().is_none() && cors.origins.iter().any(|known| **known == *origin)).then_some(origin)
}

/// The answer to a preflight from an allowed origin; alike for every path, so that it tells nothing about routes.
pub(super) fn preflight(cors: &Cors, origin: &str) -> pingora::Result<ResponseHeader> {
    let mut answer = ResponseHeader::build(204, Some(8))?;
    mark(&mut answer, cors, origin)?;
    answer.insert_header("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")?;
    let headers = cors.headers.iter().map(|name| &**name).chain(["authorization", "content-type"]);
    answer.insert_header("access-control-allow-headers", headers.collect::<Vec<_>>().join(", "))?;
    answer.insert_header("access-control-max-age", cors.max_age.to_string())?;
    Ok(answer)
}

/// Marks an answer to a request from an allowed origin; what the upstream said about it is replaced.
pub(super) fn mark(answer: &mut ResponseHeader, cors: &Cors, origin: &str) -> pingora::Result<()> {
    clear(answer);
    answer.insert_header("access-control-allow-origin", origin)?;
    answer.append_header("vary", "origin")?;
    if cors.credentials {
        answer.insert_header("access-control-allow-credentials", "true")?;
    }
    if !cors.exposed.is_empty() {
        answer.insert_header("access-control-expose-headers", cors.exposed.join(", "))?;
    }
    Ok(())
}

/// Takes away what the upstream said: where the policy has `cors`, it alone counts.
pub(super) fn clear(answer: &mut ResponseHeader) {
    for name in [
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-expose-headers",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-max-age",
    ] {
        answer.remove_header(name);
    }
}
