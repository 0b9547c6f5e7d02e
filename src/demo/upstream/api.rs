//! The API's answers: what each method does to a place.

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::place::ResourcePath;
use super::store::{Store, StoreError};

/// What Noah updates without naming a record in the path, as in `PUT EventSubscriptions`.
const UPDATED_WHOLE: [&str; 6] =
    ["appconnection", "eventsubscriptions", "patientfieldrequirements", "preview", "settings", "tenantconfiguration"];
/// What is removed so.
const REMOVED_WHOLE: [&str; 2] = ["preview", "tenantconfiguration"];

/// ApiResponse: a response before it is HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiResponse {
    /// The status.
    pub(super) status: StatusCode,
    /// The methods that would have been answered.
    pub(super) allow: Option<&'static str>,
    /// Where a created record stands.
    pub(super) location: Option<String>,
    /// JSON; `None` for an answer without content.
    pub(super) body: Option<String>,
}

impl ApiResponse {
    /// An answer that says what was wrong.
    pub(super) fn error(status: StatusCode, text: &str) -> Self {
        Self::json(status, json!({ "error": text }).to_string())
    }

    fn json(status: StatusCode, body: String) -> Self {
        Self { status, allow: None, location: None, body: Some(body) }
    }

    fn empty() -> Self {
        Self { status: StatusCode::NO_CONTENT, allow: None, location: None, body: None }
    }

    fn not_allowed(allow: &'static str) -> Self {
        // RFC 9110, section 15.5.6: a 405 names the methods that are supported.
        Self { allow: Some(allow), ..Self::error(StatusCode::METHOD_NOT_ALLOWED, "this place has no such method") }
    }
}

impl From<StoreError> for ApiResponse {
    fn from(unstored: StoreError) -> Self {
        match unstored {
            StoreError::Missing => Self::error(StatusCode::NOT_FOUND, "no such record"),
            StoreError::Taken => Self::error(StatusCode::CONFLICT, "the id is in use"),
            StoreError::Full => Self::error(StatusCode::INSUFFICIENT_STORAGE, "the demo's memory is full"),
        }
    }
}

/// The answer to `method` at `place`, which was spelled `path`.
pub(super) fn answer(store: &mut Store, method: &Method, place: &ResourcePath, path: &str, body: &[u8]) -> ApiResponse {
    // HEAD is GET without the content, which the server leaves out (RFC 9110, section 9.3.2).
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let answered = match place {
        ResourcePath::Collection(key) => collection(store, method, key, path, body),
        ResourcePath::Item(key) => item(store, method, key, body),
        ResourcePath::Merge(tenant) if method == Method::POST => merge(store, tenant, body),
        ResourcePath::Merge(_) => Ok(ApiResponse::not_allowed("POST")),
        ResourcePath::DataAccess(tenant) if method == Method::GET => Ok(data_access(tenant)),
        ResourcePath::DataAccess(_) => Ok(ApiResponse::not_allowed("GET, HEAD")),
        ResourcePath::Negotiate if method == Method::POST => Ok(negotiated()),
        ResourcePath::Negotiate => Ok(ApiResponse::not_allowed("POST")),
        ResourcePath::Hub | ResourcePath::Nothing => {
            Ok(ApiResponse::error(StatusCode::NOT_FOUND, "there is nothing at this path"))
        }
    };
    answered.unwrap_or_else(|refused| refused)
}

fn collection(
    store: &mut Store,
    method: &Method,
    key: &[String],
    path: &str,
    body: &[u8],
) -> Result<ApiResponse, ApiResponse> {
    match *method {
        Method::GET => {
            let records = store.list(key).ok_or(StoreError::Missing)?;
            Ok(ApiResponse::json(StatusCode::OK, format!("[{}]", records.join(","))))
        }
        Method::POST => {
            let (id, text) = store.create(key, object(body)?)?;
            let location = format!("{}/{}", path.trim_end_matches('/'), encoded(&id));
            Ok(ApiResponse { location: Some(location), ..ApiResponse::json(StatusCode::CREATED, text) })
        }
        Method::PUT if is_one_of(key, &UPDATED_WHOLE) => whole(store, key, object(body)?),
        Method::DELETE if is_one_of(key, &REMOVED_WHOLE) => match store.clear(key) {
            true => Ok(ApiResponse::empty()),
            false => Err(StoreError::Missing.into()),
        },
        _ if is_one_of(key, &REMOVED_WHOLE) => Ok(ApiResponse::not_allowed("GET, HEAD, POST, PUT, DELETE")),
        _ if is_one_of(key, &UPDATED_WHOLE) => Ok(ApiResponse::not_allowed("GET, HEAD, POST, PUT")),
        _ => Ok(ApiResponse::not_allowed("GET, HEAD, POST")),
    }
}

fn is_one_of(key: &[String], names: &[&str]) -> bool {
    key.last().is_some_and(|name| names.contains(&name.as_str()))
}

/// The record that a PUT on a whole collection means: the one that the body names, else the first.
fn whole(store: &mut Store, collection: &[String], record: Map<String, Value>) -> Result<ApiResponse, ApiResponse> {
    let first = || {
        let text = store.list(collection)?.first().copied()?;
        serde_json::from_str::<Value>(text).ok()?.get("id")?.as_str().map(str::to_owned)
    };
    let named = record.get("id").and_then(Value::as_str).map(str::to_owned);
    let id = named.or_else(first).unwrap_or_else(|| "current".to_owned());
    let key: Vec<_> = collection.iter().cloned().chain([id]).collect();
    let text =
        if store.record(&key).is_some() { store.put(&key, record)?.0 } else { store.create(collection, record)?.1 };
    Ok(ApiResponse::json(StatusCode::OK, text))
}

fn item(store: &mut Store, method: &Method, key: &[String], body: &[u8]) -> Result<ApiResponse, ApiResponse> {
    match *method {
        Method::GET => {
            let text = store.record(key).ok_or(StoreError::Missing)?;
            Ok(ApiResponse::json(StatusCode::OK, text.to_owned()))
        }
        Method::PUT => {
            let (text, new) = store.put(key, object(body)?)?;
            Ok(ApiResponse::json(if new { StatusCode::CREATED } else { StatusCode::OK }, text))
        }
        Method::DELETE if store.remove(key) => Ok(ApiResponse::empty()),
        Method::DELETE => Err(StoreError::Missing.into()),
        _ => Ok(ApiResponse::not_allowed("GET, HEAD, PUT, DELETE")),
    }
}

fn merge(store: &mut Store, tenant: &str, body: &[u8]) -> Result<ApiResponse, ApiResponse> {
    let body = object(body)?;
    let named = |name: &str| body.get(name).and_then(Value::as_str);
    let (Some(from), Some(into)) = (named("from"), named("into")) else {
        return Err(ApiResponse::error(StatusCode::BAD_REQUEST, "a merge names two patients: `from` and `into`"));
    };
    Ok(ApiResponse::json(StatusCode::OK, store.merge(tenant, from, into)?))
}

fn data_access(tenant: &str) -> ApiResponse {
    let access = json!({ "tenant": tenant, "dataAccess": ["Patients", "Sessions", "Actions"] });
    ApiResponse::json(StatusCode::OK, access.to_string())
}

/// What a SignalR hub answers, version 0 of its handshake: an id, and WebSocket as the only transport.
fn negotiated() -> ApiResponse {
    let transports = json!([{ "transport": "WebSockets", "transferFormats": ["Text", "Binary"] }]);
    let answer = json!({ "negotiateVersion": 0, "connectionId": "demo", "availableTransports": transports });
    ApiResponse::json(StatusCode::OK, answer.to_string())
}

/// The object that a body holds; an empty body is an empty object, as clients send it with assignments.
fn object(body: &[u8]) -> Result<Map<String, Value>, ApiResponse> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(ApiResponse::error(StatusCode::BAD_REQUEST, "the body is not a JSON object")),
    }
}

/// A path segment that spells `id`: all but the unreserved characters encoded (RFC 3986, section 2.3).
fn encoded(id: &str) -> String {
    let mut segment = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}
