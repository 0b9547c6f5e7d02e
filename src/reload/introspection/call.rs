//! IntrospectionEndpoint: one introspection request, and its response as bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::Full;

use super::plan::{ClientAuth, IntrospectionPlan};
use crate::reload::http::{HttpClient, check_url};
use crate::reload::issuer_error::IssuerError;

/// The most bytes of a response.
const MAX_BYTES: usize = 64 << 10;

/// IntrospectionEndpoint: the endpoint, and the parts that all requests to it share.
pub(super) struct IntrospectionEndpoint {
    http: HttpClient,
    uri: Uri,
    authorization: Option<HeaderValue>,
    /// The fields of every form after the token.
    rest: String,
}

impl IntrospectionEndpoint {
    pub(super) fn new(plan: &IntrospectionPlan) -> Result<Self, IssuerError> {
        let http = HttpClient::new(plan.ca_file.as_deref(), plan.at_once)?;
        let uri = check_url(&plan.url, plan.insecure_http)?;
        let (mut id, mut secret) = (String::new(), String::new());
        form_encode(plan.client_id.as_bytes(), &mut id);
        form_encode(&plan.client_secret, &mut secret);
        let mut rest = "&token_type_hint=access_token".to_owned();
        let mut authorization = None;
        match plan.auth {
            ClientAuth::Basic => {
                let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
                let mut value = value.map_err(|error| IssuerError::Transport(error.to_string()))?;
                value.set_sensitive(true);
                authorization = Some(value);
            }
            ClientAuth::Post => rest.push_str(&format!("&client_id={id}&client_secret={secret}")),
        }
        Ok(Self { http, uri, authorization, rest })
    }

    /// Requests the introspection of `token`; returns the media type and the body of the response.
    pub(super) async fn introspect(&self, token: &str) -> Result<(Option<HeaderValue>, Bytes), IssuerError> {
        let mut form = String::with_capacity("token=".len() + token.len() + 8 + self.rest.len());
        form.push_str("token=");
        form_encode(token.as_bytes(), &mut form);
        form.push_str(&self.rest);
        let mut request =
            Request::post(self.uri.clone()).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(value) = &self.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(Full::from(form)).map_err(|error| IssuerError::Transport(error.to_string()))?;
        let (mut fields, body) = self.http.fetch(request, MAX_BYTES).await?;
        Ok((fields.remove(header::CONTENT_TYPE), body))
    }
}

/// Appends `text` encoded as `application/x-www-form-urlencoded`.
fn form_encode(text: &[u8], to: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |four: u8| DIGITS.get(usize::from(four)).map_or('0', |digit| char::from(*digit));
    for &byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => to.push(char::from(byte)),
            b' ' => to.push('+'),
            _ => to.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_form_gives_a_meaning_is_encoded() {
        let mut form = String::new();
        form_encode(b"a+/=&~ .-\xC3\xBC", &mut form);
        assert_eq!(form, "a%2B%2F%3D%26%7E+.-%C3%BC");
    }
}
