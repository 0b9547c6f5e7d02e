//! CORS: checks origins and names of headers.

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::model::Cors;
use crate::policy::source::{CorsSource, Spanned};

pub(super) fn resolve_cors(source: &CorsSource, findings: &mut Findings) -> Cors {
    for origin in &source.origins {
        let authority = ["https://", "http://"].iter().find_map(|scheme| origin.text.strip_prefix(scheme));
        let fine = authority.is_some_and(|authority| {
            !authority.is_empty()
                && authority
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte))
        });
        if !fine {
            let finding =
                Finding::error(FindingCode::BadValue, Some(origin.span), format!("`{}` is not an origin", origin.text));
            findings.push(finding.help("an origin is scheme and host in lower case, with a port if it has one, and no trailing slash: `https://portal.example`"));
        }
    }
    for header in source.headers.iter().chain(&source.exposed) {
        if !header.text.bytes().all(crate::request::headers::is_token_byte) {
            findings.push(Finding::error(
                FindingCode::BadValue,
                Some(header.span),
                format!("`{}` is not a header's name", header.text),
            ));
        }
    }
    let texts = |list: &[Spanned]| list.iter().map(|name| name.text.clone()).collect();
    Cors {
        origins: texts(&source.origins),
        headers: texts(&source.headers),
        exposed: texts(&source.exposed),
        credentials: source.credentials,
        max_age: source.max_age.unwrap_or(600),
    }
}
