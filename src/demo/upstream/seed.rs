//! The initial records of the upstream: fictitious persons in two tenants.

use serde_json::{Value, json};

use super::store::Store;

/// A store with the records of tenants `t1` and `t2`.
pub(super) fn store() -> Store {
    let mut store = Store::default();
    for (tenant, records) in [("t1", t1()), ("t2", t2())] {
        for (collection, record) in records.into_iter().chain(settings()) {
            let key: Vec<String> = [tenant].into_iter().chain(collection.split('/')).map(str::to_owned).collect();
            if let Value::Object(record) = record {
                let stored = store.create(&key, record);
                debug_assert!(stored.is_ok(), "`{collection}` of {tenant} is not stored: {stored:?}");
            }
        }
    }
    store
}

type SeedRecord = (&'static str, Value);

fn patient(id: &str, first: &str, last: &str, born: &str) -> SeedRecord {
    ("patients", json!({ "id": id, "firstName": first, "lastName": last, "dateOfBirth": born }))
}

fn t1() -> Vec<SeedRecord> {
    vec![
        patient("p1", "Maren", "Oldenkamp", "1948-03-17"),
        patient("p2", "Maren", "Oldenkamp", "1948-03-17"),
        patient("p3", "Tobias", "Fennhart", "1961-11-02"),
        patient("p4", "Ilse", "Quandtner", "1939-07-29"),
        ("patients/p1/sessions", json!({ "id": "s1", "date": "2025-02-11", "note": "first fitting, both ears" })),
        ("patients/p1/sessions", json!({ "id": "s2", "date": "2025-03-04", "note": "follow-up" })),
        ("patients/p2/sessions", json!({ "id": "s3", "date": "2025-05-20", "note": "entered under a second record" })),
        ("patients/p3/sessions", json!({ "id": "s4", "date": "2025-04-08", "note": "annual check" })),
        ("patients/p1/sessions/s1/actions", json!({ "id": "a1", "type": "Audiogram", "ear": "left" })),
        ("patients/p1/sessions/s1/actions", json!({ "id": "a2", "type": "Audiogram", "ear": "right" })),
        ("patients/p2/sessions/s3/actions", json!({ "id": "a3", "type": "Fitting", "ear": "both" })),
        ("patients/p1/setups", json!({ "id": "x1", "manufacturer": "m1", "device": "Lyra 3" })),
        ("patients/p1/identifications", json!({ "id": "i1", "system": "clinic", "value": "10-4471" })),
        ("patients/p1/metadatas", json!({ "id": "d1", "key": "language", "value": "de" })),
        ("patientgroups", json!({ "id": "g1", "name": "Harbour clinic" })),
        ("patientgroups", json!({ "id": "g2", "name": "Home visits" })),
        ("patientgroups/g1/users", json!({ "id": "u1" })),
        ("patientgroups/g1/patients", json!({ "id": "p2" })),
        ("users", json!({ "id": "u1", "name": "Dr. Henrike Vossling", "level": "Level 2" })),
        ("users", json!({ "id": "u2", "name": "Jannik Terbrack", "level": "Administrative Support" })),
        ("appconnection", json!({ "id": "connected-app", "state": "approved" })),
        ("eventsubscriptions", json!({ "id": "e1", "event": "PatientChanged" })),
    ]
}

fn t2() -> Vec<SeedRecord> {
    vec![
        patient("p1", "Caspian", "Wrenfield", "1972-09-05"),
        patient("p9", "Odile", "Marchbanks", "1955-01-23"),
        ("patients/p1/sessions", json!({ "id": "s1", "date": "2025-01-15", "note": "consultation" })),
        ("patientgroups", json!({ "id": "g1", "name": "Hill practice" })),
        ("users", json!({ "id": "u1", "name": "Petra Lindqvist-Hale", "level": "Level 1" })),
    ]
}

fn settings() -> Vec<SeedRecord> {
    vec![
        ("modules", json!({ "id": "mo1", "name": "Audiometry" })),
        ("manufacturers", json!({ "id": "m1", "name": "Lyra Hearing" })),
        ("manufacturersetups", json!({ "id": "ms1", "manufacturer": "m1" })),
        ("metadata", json!({ "id": "md1", "key": "units", "value": "metric" })),
        ("noahglobalfiles", json!({ "id": "f1", "name": "welcome.txt" })),
        ("noahglobalsettings", json!({ "id": "gs1", "name": "audiogram", "value": "ANSI" })),
        ("unboundactions", json!({ "id": "b1", "type": "Audiogram", "note": "not yet given to a patient" })),
        ("settings", json!({ "id": "language", "value": "en" })),
        ("patientcategories", json!({ "id": "c1", "name": "Adults" })),
        ("patientfieldrequirements", json!({ "id": "r1", "field": "dateOfBirth", "required": true })),
        ("tenantconfiguration", json!({ "id": "current", "timeZone": "Europe/Copenhagen" })),
        ("userrole", json!({ "id": "l2", "name": "Level 2" })),
        ("versioninfo", json!({ "id": "current", "version": "demo" })),
    ]
}
