//! Tests of the suggestions for misspelt names.

use super::nearest;

#[test]
fn a_misspelt_name_finds_its_neighbour() {
    let known = ["Patients", "Patient Sessions", "Users", "update"];
    let table = [
        ("Patiens", Some("Patients")),
        ("patients", Some("Patients")),
        ("Patient  sessions", Some("Patient Sessions")),
        ("Uesrs", Some("Users")),
        ("updtae", Some("update")),
        ("Invoices", None),
        ("", None),
    ];
    for (input, meant) in table {
        assert_eq!(nearest(input, known), meant, "{input}");
    }
}
