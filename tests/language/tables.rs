//! Compares the lists that vendors publish with the policies.

use std::collections::{BTreeMap, BTreeSet};

use portcullis::document::Sources;
use portcullis::policy;

#[test]
fn each_role_of_hid_holds_exactly_what_its_table_lists() {
    let lines = include_str!("../data/hid-roles.csv").lines().skip(1);
    let mut listed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in lines {
        let [role, permission, _] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        listed.entry(role).or_default().insert(permission);
    }
    let mut sources = Sources::default();
    sources.add("hid.yaml", include_str!("../../policies/hid-integration-service.yaml"));
    let hid = policy::load(&sources, None).snapshot.unwrap();
    let sizes: Vec<usize> = listed.values().map(BTreeSet::len).collect();
    assert_eq!(sizes, [5, 39, 54, 3], "AgentInstance, PacsAdministrator, TenantAdministrator, TenantRegistrator");
    for (name, permissions) in listed {
        let role = hid.model.roles.iter().find(|role| *role.name == *name).unwrap();
        let held: BTreeSet<&str> = role.rows().map(|row| &*hid.row(row).unwrap().name).collect();
        assert_eq!(held, permissions, "{name}");
    }
}
