//! A stub of ProKnow's API with a small invented data set, in the shapes that its SDK reads.

use serde_json::{Value, json};

use crate::wire::origin::{Origin, ReceivedRequest};

/// The id of the role that `policies/proknow.yaml` calls Admin.
pub(super) const ADMIN: &str = "5c463a6c040068100c7f665acad17ac4";

/// Data that requires View PHI: each value is in some response of [`organization`].
pub(super) const PHI: [&str; 4] = ["MRN-1", "Doe^Jane", "MRN-2", "Roe^Richard"];

/// An upstream that responds as ProKnow would; requests never change its data.
pub(super) fn organization() -> Origin {
    Origin::with_responder(|received| {
        let target = received.target();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let steps: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let ["api", steps @ ..] = steps.as_slice() else { return missing() };
        match (received.method().as_str(), steps) {
            ("GET", [.., "dicom"]) => file("application/dicom", b"DICM of Doe^Jane"),
            ("GET", ["collections", _, "patients"]) => page(query),
            ("GET", _) => read(steps).map_or_else(missing, |found| json_answer(&found)),
            ("DELETE", _) => file("text/plain", b""),
            (_, [.., "lookup"]) => json_answer(&json!([person("w1")])),
            (_, [.., "search"]) if steps.first() == Some(&"audit") => {
                json_answer(&json!({ "total": 1, "items": [{ "id": "e1", "patient_name": "Doe^Jane" }] }))
            }
            (_, [.., "draft"]) => json_answer(&json!({ "id": "lock-1", "expires_at": "2100-01-01T00:00:00.000Z" })),
            _ => json_answer(&write_answer(steps, received)),
        }
    })
}

/// The response to a GET.
fn read(steps: &[&str]) -> Option<Value> {
    Some(match *steps {
        ["user"] => json!({ "id": "u1", "name": "The gateway" }),
        ["workspaces"] => json!([
            { "id": "w1", "slug": "clinic", "name": "Clinic", "protected": true },
            { "id": "w2", "slug": "research", "name": "Research", "protected": false },
        ]),
        ["workspaces", workspace, "patients", _] => person(workspace),
        ["workspaces", _, "structuresets", _] => {
            json!({
                "id": "rs1", "status": "completed", "description": "Contours", "metadata": {}, "uid": "1.2.2", "key": "key-1",
                "data": { "version": "v1", "rois": [] },
            })
        }
        ["workspaces", _, "plans", _] => json!({
            "id": "rp1", "status": "completed", "description": "Boost", "metadata": {}, "uid": "1.2.3", "data": {},
        }),
        ["workspaces", _, "doses", _] => json!({
            "id": "rd1", "status": "completed", "description": "Dose", "metadata": {}, "uid": "1.2.4", "key": "key-1",
            "data": { "analysis": { "status": "current", "tag": "a1" } },
        }),
        ["doses", _, "analysis", _] => json!({ "max": 61.5 }),
        ["collections"] => json!([collection()]),
        ["collections", _] => collection(),
        ["collections", _, "metrics", "sets"] => json!([{ "id": "sc1", "name": "Constraints" }]),
        ["metrics", "custom"] => {
            json!([{ "id": "m1", "name": "Stage", "context": "patient", "type": { "string": {} } }])
        }
        ["users"] => json!([{ "id": "u2", "name": "Jo", "email": "jo@clinic.example", "active": true }]),
        ["roles", id] => {
            json!({ "id": id, "name": "Readers", "description": "", "system": id == ADMIN, "permissions": {} })
        }
        _ => return None,
    })
}

/// The response to a POST, PUT or PATCH: the body, completed from existing data or with a new id.
fn write_answer(steps: &[&str], received: &ReceivedRequest) -> Value {
    let mut whole = match steps {
        [.., "patients"] => person("w1"),
        [.., "rois"] => json!({ "id": "new", "tag": "t1" }),
        ["users"] => json!({ "id": "new", "active": true }),
        _ => read(steps).filter(Value::is_object).unwrap_or_else(|| json!({ "id": "new" })),
    };
    if let Ok(Value::Object(body)) = serde_json::from_slice(&received.body) {
        whole.as_object_mut().unwrap().extend(body);
    }
    whole
}

/// The one patient of a workspace, with a study in which each entity is based on the one before.
fn person(workspace: &str) -> Value {
    let (mrn, name) = if workspace == "w1" { (PHI[0], PHI[1]) } else { (PHI[2], PHI[3]) };
    let mut entities = json!([]);
    for (id, kind) in [("rd1", "dose"), ("rp1", "plan"), ("rs1", "structure_set"), ("ct1", "image_set")] {
        entities = json!([{ "id": id, "type": kind, "entities": entities }]);
    }
    json!({
        "id": "p1", "mrn": mrn, "name": name, "birth_date": "1970-01-01", "sex": "F", "metadata": {},
        "studies": [{ "id": "s1", "entities": entities, "sros": [] }],
    })
}

fn collection() -> Value {
    json!({ "id": "c1", "name": "Prostate", "description": "", "type": "workspace", "workspaces": ["w2"] })
}

/// The members of a collection, one per page.
fn page(query: &str) -> Vec<u8> {
    let is_last = query.contains("next=");
    let id = if is_last { "p2" } else { "p1" };
    let members = json!([{ "patient": { "id": id, "name": PHI[3] }, "entity": null, "workspace": { "id": "w2" } }]);
    answer(
        "200 OK",
        &format!("Content-Type: application/json\r\nproknow-has-more: {}\r\nproknow-next: 2", !is_last),
        members.to_string().as_bytes(),
    )
}

fn json_answer(value: &Value) -> Vec<u8> {
    file("application/json", value.to_string().as_bytes())
}

fn file(kind: &str, bytes: &[u8]) -> Vec<u8> {
    answer("200 OK", &format!("Content-Type: {kind}"), bytes)
}

fn missing() -> Vec<u8> {
    answer("404 Not Found", "Content-Type: text/plain", b"the stub has no such thing")
}

fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\n{fields}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    bytes
}
