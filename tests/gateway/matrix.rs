//! The published permission matrix, cell by cell: each of the 2,680 decisions is one real request with a real token.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use portcullis::document::Sources;
use portcullis::policy::{self, template::TemplateSegment};
use portcullis::vocabulary::Cells;
use serde_json::{Value, json};

use crate::support::{Client, Gateway, PATIENCE, TestEnvironment, within};

const POLICY: &str = include_str!("../../policies/noah-es.yaml");
const PATIENT: &str = include_str!("../data/noah-patient.csv");
const MANAGEMENT: &str = include_str!("../data/noah-management.csv");

/// The rows that every authenticated caller holds: the vendor's tables state that they need no permission.
const EVERYONE: [&str; 2] = ["Non-connected", "None"];
/// The letters of the tables, with the operation's name in the gateway and the method of a probe.
const OPERATIONS: [(char, &str, &str); 5] = [
    ('C', "create", "POST"),
    ('R', "read", "GET"),
    ('U', "update", "PUT"),
    ('D', "delete", "DELETE"),
    ('M', "merge", "POST"),
];
/// The number of connections that carry the requests.
const CONNECTIONS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn all_decisions_of_the_published_tables_hold_over_http() {
    let env = TestEnvironment::set().await;
    env.write("policy/noah-es.yaml", POLICY);
    let routes = CellRequests::of_the_policy();
    env.write("policy/probe.yaml", &routes.probe_file());
    let gateway = env.serve(&env.settings("policy")).await;

    let tables = [VendorTable::read(PATIENT), VendorTable::read(MANAGEMENT)];
    let entries = entries(&tables, &routes);
    assert_eq!(entries.len(), 16 * 11 * 5 + 18 * 20 * 5);
    assert_eq!(entries.len(), 2680);
    assert_eq!(entries.iter().filter(|entry| entry.in_row).count(), 139, "what the rows themselves give");
    // The seven cells of everyone's rows are permitted to all 18 rows of their table, including their own two.
    let permitted = entries.iter().filter(|entry| entry.permitted).count();
    assert_eq!(permitted, 139 - 7 + 7 * 18);

    let answers = ask_all(&gateway, &entries, |row| env.token(json!({ "permissions": [row] }))).await;

    let records = audit(&env, entries.len()).await;
    for (entry, answer) in entries.iter().zip(&answers) {
        if entry.permitted {
            assert_eq!(answer.reason, None, "{entry:?} got {answer:?}");
        } else {
            assert_eq!((answer.status, answer.reason.as_deref()), (403, Some("not-granted")), "{entry:?}");
        }
        // The decision was about this cell, and not about another one with the same verdict.
        let record = &records[&answer.decision];
        assert_eq!(record["resource"], *entry.resource, "{entry:?}: {record}");
        assert_eq!(record["operation"], *entry.operation, "{entry:?}: {record}");
        assert_eq!(record["verdict"], if entry.permitted { "permit" } else { "refuse" }, "{entry:?}: {record}");
    }

    // The upstream received each permitted request once, under the path that was decided, and no other request.
    let journal = env.upstream.journal();
    assert_eq!(journal.total(), permitted as u64);
    let received: BTreeMap<usize, (String, String)> = journal
        .requests()
        .into_iter()
        .map(|received| (received.header("x-triple").unwrap().parse().unwrap(), (received.method, received.target)))
        .collect();
    let expected: BTreeMap<usize, (String, String)> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.permitted)
        .map(|(at, entry)| (at, (entry.method.clone(), entry.path.clone())))
        .collect();
    assert_eq!(received, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_that_no_route_maps_is_refused_for_want_of_a_route() {
    let env = TestEnvironment::set().await;
    env.write("policy/noah-es.yaml", POLICY);
    let gateway = env.serve(&env.settings("policy")).await;

    let routes = CellRequests::of_the_policy();
    let tables = [VendorTable::read(PATIENT), VendorTable::read(MANAGEMENT)];
    let mut entries = entries(&tables, &routes);
    entries.retain(|entry| routes.probes.contains_key(&(entry.resource.to_string(), entry.operation.to_string())));
    let lines = |resource: &str| if tables[0].columns.iter().any(|column| column == resource) { 16 } else { 18 };
    assert_eq!(entries.len(), routes.probes.keys().map(|(resource, _)| lines(resource)).sum::<usize>());

    let answers = ask_all(&gateway, &entries, |row| env.token(json!({ "permissions": [row] }))).await;

    for (entry, answer) in entries.iter().zip(&answers) {
        assert_eq!((answer.status, answer.reason.as_deref()), (404, Some("no-route")), "{entry:?}");
    }
    assert_eq!(env.upstream.journal().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_not_connected_gets_nothing_but_its_connection_whatever_it_claims() {
    let env = TestEnvironment::set().await;
    env.write("policy/noah-es.yaml", POLICY);
    let routes = CellRequests::of_the_policy();
    env.write("policy/probe.yaml", &routes.probe_file());
    let gateway = env.serve(&env.settings("policy")).await;
    let entries = entries(&[VendorTable::read(PATIENT), VendorTable::read(MANAGEMENT)], &routes);

    let unconnected = |row: &str| env.token(json!({ "permissions": [row], "client_id": "new-app" }));
    let answers = ask_all(&gateway, &entries, unconnected).await;

    let mut reached = 0;
    for (entry, answer) in entries.iter().zip(&answers) {
        // The cells of a connected app are behind the gate; all other cells are not granted, gate or not.
        let expected = match entry {
            MatrixEntry { resource, permitted: true, .. } if &**resource == "App Connection" => None,
            MatrixEntry { permitted: true, .. } => Some("gate:app-connection"),
            MatrixEntry { permitted: false, .. } => Some("not-granted"),
        };
        assert_eq!(answer.reason.as_deref(), expected, "{entry:?}");
        reached += u64::from(expected.is_none());
    }
    assert_eq!(reached, 3 * 18, "read, create and update of its connection, whatever row it claims");
    assert_eq!(env.upstream.journal().total(), reached);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_app_passes_on_every_mapped_cell_of_its_tenant_and_on_no_other() {
    let env = TestEnvironment::set().await;
    env.write("noah-es.yaml", POLICY);
    let gateway = env.serve(&env.settings("noah-es.yaml")).await;
    let token = env.token(json!({ "sub": null, "client_id": "noah-sync" }));
    let routes = CellRequests::of_the_policy();
    let mut client = Client::connect(gateway.address()).await;
    for ((resource, operation), (method, path)) in &routes.mapped {
        let answer = client.send(method, path, &token, &[], "").await;
        assert_eq!(answer.reason(), None, "{operation} {resource}");
        let elsewhere = client.send(method, &path.replacen("/t1/", "/t2/", 1), &token, &[], "").await;
        assert_eq!(elsewhere.reason().as_deref(), Some("not-a-member"), "{operation} {resource}");
    }
    for (method, path) in routes.probes.values() {
        assert_eq!(client.send(method, path, &token, &[], "").await.reason().as_deref(), Some("no-route"), "{path}");
    }
    assert_eq!(env.upstream.journal().total(), routes.mapped.len() as u64);
}

#[test]
fn the_policy_maps_every_cell_that_some_row_gives() {
    let routes = CellRequests::of_the_policy();
    let tables = [VendorTable::read(PATIENT), VendorTable::read(MANAGEMENT)];
    let granted: BTreeSet<(&str, char)> =
        tables.iter().flat_map(VendorTable::granted_letters).map(|(_, column, op)| (column, op)).collect();
    assert_eq!(granted.len(), 92);
    for (resource, letter) in granted {
        let (_, word, _) = OPERATIONS.iter().find(|(known, ..)| *known == letter).unwrap();
        assert!(!routes.probes.contains_key(&(resource.to_owned(), (*word).to_owned())), "{word} {resource}");
    }
    assert_eq!(routes.mapped.len() + routes.probes.len(), 31 * 5);
}

/// MatrixEntry: one row, resource and operation of the tables, with the request that needs it.
#[derive(Debug, Clone)]
struct MatrixEntry {
    row: Arc<str>,
    resource: Arc<str>,
    operation: &'static str,
    method: String,
    path: String,
    /// Whether the row's own field has the letter.
    in_row: bool,
    /// Whether a caller who claims only this row is permitted: the row, or a row of everyone, has the cell.
    permitted: bool,
}

fn entries(tables: &[VendorTable], routes: &CellRequests) -> Vec<MatrixEntry> {
    let granted: BTreeSet<(&str, &str, char)> = tables.iter().flat_map(VendorTable::granted_letters).collect();
    let mut entries = Vec::new();
    for table in tables {
        for (row, _) in &table.rows {
            for column in &table.columns {
                for (letter, operation, _) in OPERATIONS {
                    let has = |row: &str| granted.contains(&(row, column.as_str(), letter));
                    let (method, path) = routes.request(column, operation);
                    entries.push(MatrixEntry {
                        row: row.as_str().into(),
                        resource: column.as_str().into(),
                        operation,
                        method,
                        path,
                        in_row: has(row),
                        permitted: has(row) || EVERYONE.iter().any(|row| has(row)),
                    });
                }
            }
        }
    }
    entries
}

/// VendorTable: one of the vendor's tables, read without the program's code.
struct VendorTable {
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl VendorTable {
    fn read(csv: &str) -> Self {
        let mut lines = csv.lines().map(|line| line.split(',').map(str::trim).map(str::to_owned).collect::<Vec<_>>());
        let columns = lines.next().unwrap().split_off(1);
        let rows: Vec<(String, Vec<String>)> = lines
            .map(|mut fields| (fields.remove(0), fields))
            .inspect(|(row, fields)| {
                assert_eq!(fields.len(), columns.len(), "{row}");
            })
            .collect();
        Self { columns, rows }
    }

    /// Row, column and letter of every cell that the table grants.
    fn granted_letters(&self) -> impl Iterator<Item = (&str, &str, char)> {
        self.rows.iter().flat_map(move |(row, fields)| {
            fields.iter().zip(&self.columns).flat_map(move |(field, column)| {
                let letters = field.trim_end_matches("Requires approval").trim();
                letters.chars().map(move |letter| {
                    assert!(OPERATIONS.iter().any(|(known, ..)| *known == letter), "{row}, {column}: {field}");
                    (row.as_str(), column.as_str(), letter)
                })
            })
        })
    }
}

/// CellRequests: for each cell (resource and operation), a request that needs that cell and no other.
struct CellRequests {
    /// Method and path on a route of the policy.
    mapped: BTreeMap<(String, String), (String, String)>,
    /// Method and path of a probe, for cells that the policy does not map.
    probes: BTreeMap<(String, String), (String, String)>,
}

impl CellRequests {
    fn of_the_policy() -> Self {
        let mut sources = Sources::default();
        sources.add("noah-es.yaml", POLICY);
        let snapshot = policy::load(&sources, None).snapshot.unwrap();
        let mut mapped = BTreeMap::new();
        for route in snapshot.routes.routes() {
            let parts = route.template.segments().iter().map(|segment| match segment {
                TemplateSegment::Literal(text) => text.to_string(),
                TemplateSegment::Parameter(name) if &**name == "tenant" => "t1".to_owned(),
                TemplateSegment::Parameter(name) | TemplateSegment::Rest(name) => format!("{name}-1"),
            });
            let path = parts.fold(String::new(), |path, part| path + "/" + &part);
            for method in &route.methods {
                let Cells::All(cells) = &method.cells else { continue };
                let [cell] = &**cells else { continue };
                let cell = snapshot.cell(*cell).unwrap();
                let key = (cell.resource.to_string(), cell.operation.to_string());
                // A WebSocket route would need a WebSocket handshake.
                if !method.websocket && path.starts_with("/t1/") {
                    mapped.entry(key).or_insert_with(|| (method.name.to_string(), path.clone()));
                }
            }
        }
        let columns = [PATIENT, MANAGEMENT].map(|csv| VendorTable::read(csv).columns).concat();
        let cells = columns.iter().flat_map(|column| OPERATIONS.map(|(_, word, method)| (column, word, method)));
        let probes = cells
            .enumerate()
            .filter(|(_, (column, word, _))| !mapped.contains_key(&((*column).clone(), (*word).to_owned())))
            .map(|(at, (column, word, method))| {
                ((column.clone(), word.to_owned()), (method.to_owned(), format!("/t1/api/probe/{at:03}")))
            })
            .collect();
        Self { mapped, probes }
    }

    fn request(&self, resource: &str, operation: &str) -> (String, String) {
        let key = (resource.to_owned(), operation.to_owned());
        self.mapped.get(&key).or_else(|| self.probes.get(&key)).unwrap().clone()
    }

    /// A policy file that maps the cells that `noah-es.yaml` does not map.
    fn probe_file(&self) -> String {
        let lines = self.probes.iter().map(|((resource, operation), (method, path))| {
            format!("  {}:\n    {method}: {operation} {resource}\n", path.replacen("/t1/", "/{tenant}/", 1))
        });
        lines.fold("routes:\n".to_owned(), |text, line| text + &line)
    }
}

/// EntryResult: the response to the request of one matrix entry.
#[derive(Debug)]
struct EntryResult {
    status: u16,
    reason: Option<String>,
    decision: String,
}

/// The responses to all entries, in their order, over a few persistent connections.
async fn ask_all(gateway: &Gateway, entries: &[MatrixEntry], token: impl Fn(&str) -> String) -> Vec<EntryResult> {
    let rows: BTreeSet<&str> = entries.iter().map(|entry| &*entry.row).collect();
    let tokens: HashMap<String, String> = rows.into_iter().map(|row| (row.to_owned(), token(row))).collect();
    let tokens = Arc::new(tokens);
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|first| {
            let (tokens, address) = (Arc::clone(&tokens), gateway.address());
            let mine: Vec<(usize, MatrixEntry)> =
                entries.iter().cloned().enumerate().skip(first).step_by(CONNECTIONS).collect();
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut results = Vec::new();
                for (at, MatrixEntry { row, method, path, .. }) in mine {
                    let number = at.to_string();
                    let answer = client.send(&method, &path, &tokens[&*row], &[("x-triple", &number)], "").await;
                    // A refusal carries the decision's id; for a permit, the upstream echoes the id that it received.
                    let decision = answer.decision().or_else(|| answer.header("x-seen-decision")).unwrap().to_owned();
                    results.push((at, EntryResult { status: answer.status, reason: answer.reason(), decision }));
                }
                results
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, results)| results).collect()
}

/// All audit records by their id, once there are `count` of them.
async fn audit(env: &TestEnvironment, count: usize) -> HashMap<String, Value> {
    let records = within(PATIENCE, "an audit record of each decision", async || {
        Some(env.audit_records()).filter(|records| records.len() >= count)
    })
    .await;
    assert_eq!(records.len(), count);
    let records = records.into_iter().map(|record| (record["id"].as_str().unwrap().to_owned(), record));
    records.collect()
}
