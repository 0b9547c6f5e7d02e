//! What becomes of header fields.

use super::{Fate, HeaderRules};

#[test]
fn a_field_is_forwarded_only_if_no_server_takes_it_for_the_gateways() {
    let rules = HeaderRules::new(["X-Portcullis-Subject"], ["X_Legacy"]);
    let table = [
        ("Accept", Fate::Forward),
        ("X-Api-Version", Fate::Forward),
        ("X-Portcullis-Subject", Fate::Drop),
        ("x_portcullis_subject", Fate::Drop),
        ("X.Portcullis-SUBJECT", Fate::Drop),
        ("X-Portcullis-Subject2", Fate::Forward),
        ("X_Other", Fate::Drop),
        ("x_legacy", Fate::Forward),
        ("X-Original-URL", Fate::Drop),
        ("X_Rewrite_Url", Fate::Drop),
        ("X-Forwarded-For", Fate::Drop),
        ("X_FORWARDED_Anything", Fate::Drop),
        ("True-Client-IP", Fate::Drop),
        ("Forwarded", Fate::Drop),
        ("X-HTTP-Method-Override", Fate::MethodOverride),
        ("X_HTTP_METHOD", Fate::MethodOverride),
        // Some CGI servers fold whatever is no letter.
        ("X!HTTP!Method!Override", Fate::MethodOverride),
        ("X~Original~URL", Fate::Drop),
        ("X|Portcullis|Subject", Fate::Drop),
        ("X-Original-Method", Fate::Drop),
    ];
    for (name, fate) in table {
        assert_eq!(rules.fate(name), fate, "{name}");
    }
}
