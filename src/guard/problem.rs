//! Problem: the gateway's own answers as problem+json (RFC 9457), with a stable type and the decision's id.

use crate::decision::Reason;
use crate::identity::IdentityError;

use super::{Exchange, cors};

/// The beginning of a problem's `type`; the reason's code follows.
pub const TYPE_PREFIX: &str = "urn:portcullis:reason:";

/// The header field with the decision's id, which tells the gateway's refusal from the application's.
pub const DECISION_HEADER: &str = "X-Portcullis-Decision";

/// Problem: an answer of the gateway itself, ready to be sent by any front door.
#[derive(Debug)]
pub struct Problem {
    /// The status code.
    pub status: u16,
    /// The header fields, `Content-Length` apart.
    pub fields: Vec<(Box<str>, String)>,
    /// The JSON body.
    pub body: String,
}

impl Problem {
    /// The answer to a refused request.
    pub fn refusal(exchange: &Exchange, reason: Reason, status: u16) -> Self {
        let mut problem = Self::new(exchange, reason.full_code(exchange.policy()), reason.sentence(), status);
        match reason {
            Reason::Unauthenticated(error) => problem.set("www-authenticate", challenge(exchange, error)),
            Reason::NoMethod => problem.set("allow", &allowed_methods(exchange)),
            Reason::TooManyFailures => problem.set("retry-after", "60"),
            Reason::KeysUnavailable | Reason::NoPolicy | Reason::AuditUnavailable => problem.set("retry-after", "5"),
            _ => {}
        }
        problem
    }

    /// The answer where something failed after the permit: the upstream, a limit, or the time.
    pub fn failure(exchange: &Exchange, code: &str, status: u16) -> Self {
        let sentence = match (status, code) {
            (413, _) => "the request's body is longer than this API allows",
            (502, "upstream-connect") | (503, _) => "the API behind the gateway cannot be reached now",
            (502, _) => "the API behind the gateway did not answer as HTTP should",
            (504, _) => "the API behind the gateway did not answer in time",
            _ => "the request could not be completed",
        };
        Self::new(exchange, code, sentence, status)
    }

    fn new(exchange: &Exchange, code: &str, sentence: &str, status: u16) -> Self {
        let id = exchange.id().to_string();
        let body = serde_json::json!({
            "type": format!("{TYPE_PREFIX}{code}"),
            "title": sentence,
            "status": status,
            "decision": id,
        });
        let mut problem = Self { status, fields: Vec::with_capacity(8), body: body.to_string() };
        problem.set("content-type", "application/problem+json");
        problem.set("cache-control", "no-store");
        problem.set(exchange.api().map_or(DECISION_HEADER, |api| &*api.identity.decision), &id);
        if let (Some(cors), Some(origin)) =
            (exchange.policy().and_then(|policy| policy.model.cors.as_ref()), exchange.origin())
        {
            let fields = cors::response_fields(cors, origin);
            problem.fields.extend(fields.into_iter().map(|(name, value)| (name.into(), value)));
        }
        problem
    }

    fn set(&mut self, name: &str, value: &str) {
        self.fields.push((name.into(), value.to_owned()));
    }
}

/// The challenge of a 401 (RFC 6750, section 3): no error where no credential was presented.
///
/// Where tokens are accepted, the challenge names only them: a browser that reads `Basic` prompts for a password.
fn challenge(exchange: &Exchange, error: Option<IdentityError>) -> &'static str {
    if exchange.api().is_some_and(|api| api.issuers.is_empty() && api.keys.accepts_basic()) {
        return "Basic realm=\"api\", charset=\"UTF-8\"";
    }
    match error {
        None => "Bearer",
        // Another token would not help.
        Some(
            IdentityError::CertificateUntrusted
            | IdentityError::CertificateExpired
            | IdentityError::CertificateRevoked
            | IdentityError::RevocationUnknown
            | IdentityError::AmbiguousId,
        ) => "Bearer",
        Some(
            IdentityError::SeveralCredentials
            | IdentityError::MalformedAuthorization
            | IdentityError::CertificateBesideToken,
        ) => "Bearer error=\"invalid_request\"",
        Some(_) => "Bearer error=\"invalid_token\"",
    }
}

/// The methods of the route, HEAD with GET (RFC 9110, section 10.2.1).
fn allowed_methods(exchange: &Exchange) -> String {
    let governed = exchange.judgement().governed();
    let route = governed.and_then(|governed| governed.policy().routes.route(governed.route()?));
    let methods = route.map(|route| &*route.methods).unwrap_or_default().iter();
    let names = methods.flat_map(|method| match &*method.name {
        "GET" => vec!["GET", "HEAD"],
        other => vec![other],
    });
    names.collect::<Vec<_>>().join(", ")
}
