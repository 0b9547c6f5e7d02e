//! The API's responses: the effect of each method on each resource.

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::resource_path::ResourcePath;
use super::store::{Store, StoreError};

/// The collections that Noah updates without a record's id in the path, as in `PUT EventSubscriptions`.
const UPDATED_WHOLE: [&str; 6] =
    ["appconnection", "eventsubscriptions", "patientfieldrequirements", "preview", "settings", "tenantconfiguration"];
/// The collections that Noah removes without a record's id in the path.
const REMOVED_WHOLE: [&str; 2] = ["preview", "tenantconfiguration"];

/// ApiResponse: a response before its conversion to HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiResponse {
    /// The status.
    pub(super) status: StatusCode,
    /// The supported methods, for a 405.
    pub(super) allow: Option<&'static str>,
    /// The path of a created record.
    pub(super) location: Option<String>,
    /// The content as JSON; `None` for a response without content.
    pub(super) body: Option<String>,
}

impl ApiResponse {
    /// A response that describes an error.
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
        // RFC 9110, section 15.5.6: a 405 lists the supported methods.
        Self { allow: Some(allow), ..Self::error(StatusCode::METHOD_NOT_ALLOWED, "the method is not supported here") }
    }
}

impl From<StoreError> for ApiResponse {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing => Self::error(StatusCode::NOT_FOUND, "no such record"),
            StoreError::Taken => Self::error(StatusCode::CONFLICT, "the id is in use"),
            StoreError::Full => Self::error(StatusCode::INSUFFICIENT_STORAGE, "the demo's memory is full"),
        }
    }
}

/// Responds to `method` on `resource`, whose path in the request is `path`.
pub(super) fn respond(
    store: &mut Store,
    method: &Method,
    resource: &ResourcePath,
    path: &str,
    body: &[u8],
) -> ApiResponse {
    // HEAD is GET without the content, which the server omits (RFC 9110, section 9.3.2).
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let response = match resource {
        ResourcePath::Collection(key) => collection(store, method, key, path, body),
        ResourcePath::Item(key) => item(store, method, key, body),
        ResourcePath::Merge(tenant) if method == Method::POST => merge(store, tenant, body),
        ResourcePath::Merge(_) => Ok(ApiResponse::not_allowed("POST")),
        ResourcePath::DataAccess(tenant) if method == Method::GET => Ok(data_access(tenant)),
        ResourcePath::DataAccess(_) => Ok(ApiResponse::not_allowed("GET, HEAD")),
        ResourcePath::Negotiate if method == Method::POST => Ok(negotiate()),
        ResourcePath::Negotiate => Ok(ApiResponse::not_allowed("POST")),
        ResourcePath::Hub | ResourcePath::Nothing => {
            Ok(ApiResponse::error(StatusCode::NOT_FOUND, "there is nothing at this path"))
        }
    };
    response.unwrap_or_else(|error| error)
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
            let (id, text) = store.create(key, parse_object(body)?)?;
            let location = format!("{}/{}", path.trim_end_matches('/'), encode_segment(&id));
            Ok(ApiResponse { location: Some(location), ..ApiResponse::json(StatusCode::CREATED, text) })
        }
        Method::PUT if is_one_of(key, &UPDATED_WHOLE) => put_collection(store, key, parse_object(body)?),
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

/// Updates one record by a PUT on its collection: the record that the body names, or else the first.
fn put_collection(
    store: &mut Store,
    collection: &[String],
    record: Map<String, Value>,
) -> Result<ApiResponse, ApiResponse> {
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
            let (text, new) = store.put(key, parse_object(body)?)?;
            Ok(ApiResponse::json(if new { StatusCode::CREATED } else { StatusCode::OK }, text))
        }
        Method::DELETE if store.remove(key) => Ok(ApiResponse::empty()),
        Method::DELETE => Err(StoreError::Missing.into()),
        _ => Ok(ApiResponse::not_allowed("GET, HEAD, PUT, DELETE")),
    }
}

fn merge(store: &mut Store, tenant: &str, body: &[u8]) -> Result<ApiResponse, ApiResponse> {
    let body = parse_object(body)?;
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

/// The negotiation of a SignalR hub, version 0 of its handshake: an id, and WebSocket as the only transport.
fn negotiate() -> ApiResponse {
    let transports = json!([{ "transport": "WebSockets", "transferFormats": ["Text", "Binary"] }]);
    let negotiation = json!({ "negotiateVersion": 0, "connectionId": "demo", "availableTransports": transports });
    ApiResponse::json(StatusCode::OK, negotiation.to_string())
}

/// Parses a body as a JSON object; an empty body is an empty object, as clients send it for assignments.
fn parse_object(body: &[u8]) -> Result<Map<String, Value>, ApiResponse> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(ApiResponse::error(StatusCode::BAD_REQUEST, "the body is not a JSON object")),
    }
}

/// Encodes `id` as a path segment: all characters except the unreserved ones (RFC 3986, section 2.3).
fn encode_segment(id: &str) -> String {
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
