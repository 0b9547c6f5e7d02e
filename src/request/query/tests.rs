//! Which parameters the gateway sees.

use super::{scope, single, without};
use crate::request::{Reading, RejectedRequest};

#[test]
fn a_parameter_that_counts_stands_there_once() {
    let table: [(&str, Result<Option<&str>, RejectedRequest>); 6] = [
        ("access_token=a%2Eb", Ok(Some("a.b"))),
        ("x=1", Ok(None)),
        ("access_token=a&access_token=b", Err(RejectedRequest::RepeatedParameter)),
        ("access_token=a&ACCESS_TOKEN=b", Err(RejectedRequest::RepeatedParameter)),
        ("access_token=a&access%5ftoken=b", Err(RejectedRequest::RepeatedParameter)),
        ("access_token=a&access.token=b", Err(RejectedRequest::RepeatedParameter)),
    ];
    for (query, expected) in table {
        let found = single(query, "access_token").map(|value| value.map(|value| value.into_owned()));
        assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{query}");
    }
}

#[test]
fn an_unwanted_parameter_leaves_under_every_spelling() {
    let unwanted = |name: &str| name == "t";
    assert_eq!(without("a=1&t=2&b=3", unwanted), "a=1&b=3");
    assert_eq!(without("%74=2", unwanted), "");
    assert_eq!(without("x=a;b&t=2", unwanted), "x=a;b");
    assert_eq!(without("t=2&x=a;b", unwanted), "x=a;b");
    assert_eq!(without("x=a;t=2;b", unwanted), "x=a;b");
    assert_eq!(without("q=1;t=2&role=user", unwanted), "q=1&role=user");
    assert_eq!(without("q=1&t=2;role=user", unwanted), "q=1&role=user");
    assert!(matches!(without("a=1;b=2", unwanted), std::borrow::Cow::Borrowed("a=1;b=2")));
}

#[test]
fn a_scope_is_what_every_server_reads() {
    let ambiguous = Err(RejectedRequest::AmbiguousScope);
    type Found<'a> = Result<Option<&'a str>, RejectedRequest>;
    let table: [(&str, bool, Found<'_>); 19] = [
        ("workspace=w1", false, Ok(Some("w1"))),
        ("a=b&work%73pace=w%31", false, Ok(Some("w1"))),
        ("workspace=", false, Ok(Some(""))),
        ("other=1", false, Ok(None)),
        ("", false, Ok(None)),
        ("workspaces=w3", false, Ok(None)),
        ("workspace=w1&workspace=w3", false, ambiguous),
        ("workspace=w1&WORKSPACE=w3", false, ambiguous),
        ("Workspace=w1", false, ambiguous),
        ("Workspace=w1", true, Ok(Some("w1"))),
        ("workspace=w1&Workspace=w1", true, ambiguous),
        ("workspace[]=w1", false, ambiguous),
        ("workspace=w1&workspace[0]=w3", false, ambiguous),
        ("[workspace]=w1", false, ambiguous),
        ("+workspace+=w1", false, ambiguous),
        ("workspace%00x=w1", false, ambiguous),
        ("workspace=w1;x=1", false, ambiguous),
        ("workspace=w1%2531", false, ambiguous),
        ("workspace=w1%00", false, ambiguous),
    ];
    for (query, folds, expected) in table {
        let found = scope(query, "workspace", if folds { Reading::Folded } else { Reading::Exact })
            .map(|value| value.map(|value| value.into_owned()));
        assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{query}");
    }
}
