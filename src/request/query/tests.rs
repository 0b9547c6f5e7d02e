//! Tests of the parameters that the gateway reads.

use super::{
    cookie_has_parameter, decode, form_has_parameter, form_method_overrides, read, remove_parameters, scope_value,
    single_value,
};
use crate::request::{RejectedRequest, Treatment};

#[test]
fn a_single_parameter_is_not_repeated() {
    let table: [(&str, Result<Option<&str>, RejectedRequest>); 8] = [
        ("access_token=a%2Eb", Ok(Some("a.b"))),
        ("x=1", Ok(None)),
        ("access_token=a&access_token=b", Err(RejectedRequest::RepeatedParameter)),
        ("access_token=a&ACCESS_TOKEN=b", Err(RejectedRequest::RepeatedParameter)),
        ("access_token=a&access%5ftoken=b", Err(RejectedRequest::RepeatedParameter)),
        ("access_token=a&access.token=b", Err(RejectedRequest::RepeatedParameter)),
        ("access_token=a&access_token[]=b", Err(RejectedRequest::RepeatedParameter)),
        ("[access_token]=a&access_token=b", Err(RejectedRequest::RepeatedParameter)),
    ];
    for (query, expected) in table {
        let found = single_value(query, "access_token").map(|value| value.map(|value| value.into_owned()));
        assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{query}");
    }
}

#[test]
fn an_unwanted_parameter_is_removed_under_every_spelling() {
    let unwanted = |name: &str| name == "t";
    assert_eq!(remove_parameters("a=1&t=2&b=3", unwanted), "a=1&b=3");
    assert_eq!(remove_parameters("%74=2", unwanted), "");
    assert_eq!(remove_parameters("x=a;b&t=2", unwanted), "x=a;b");
    assert_eq!(remove_parameters("t=2&x=a;b", unwanted), "x=a;b");
    assert_eq!(remove_parameters("x=a;t=2;b", unwanted), "x=a;b");
    assert_eq!(remove_parameters("q=1;t=2&role=user", unwanted), "q=1&role=user");
    assert_eq!(remove_parameters("q=1&t=2;role=user", unwanted), "q=1&role=user");
    assert!(matches!(remove_parameters("a=1;b=2", unwanted), std::borrow::Cow::Borrowed("a=1;b=2")));
}

#[test]
fn a_scope_is_what_every_server_reads() {
    let ambiguous = Err(RejectedRequest::AmbiguousScope);
    type Found<'a> = Result<Option<&'a str>, RejectedRequest>;
    let table: [(&str, bool, Found<'_>); 20] = [
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
        ("[+]+[workspace+[=w1", false, ambiguous),
        ("+workspace+=w1", false, ambiguous),
        ("workspace%00x=w1", false, ambiguous),
        ("workspace=w1;x=1", false, ambiguous),
        ("workspace=w1%2531", false, ambiguous),
        ("workspace=w1%00", false, ambiguous),
    ];
    for (query, folds, expected) in table {
        let found = scope_value(query, "workspace", if folds { Treatment::Folded } else { Treatment::Exact })
            .map(|value| value.map(|value| value.into_owned()));
        assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{query}");
    }
}

#[test]
fn an_open_bracket_is_a_letter_of_the_name_to_php() {
    let ambiguous = Err(RejectedRequest::AmbiguousScope);
    for query in ["ward_id=w1&ward[id=w2", "ward[id=w1", "ward_id=w1&+ward%5Bid=w2"] {
        assert_eq!(scope_value(query, "ward_id", Treatment::Exact), ambiguous, "{query}");
    }
    assert!(scope_value("ward_id=w1&ward[id]=w2", "ward_id", Treatment::Exact).is_ok());
}

#[test]
fn a_parameter_that_counts_is_not_one_of_too_many() {
    for piece in ["a&", "&", ";", "a=b&"] {
        let most = piece.repeat(255) + "ws=w1";
        let more = piece.repeat(256) + "ws=w1";
        assert_eq!(scope_value(&more, "ws", Treatment::Exact), Err(RejectedRequest::AmbiguousScope), "{piece}");
        assert_eq!(single_value(&more, "ws"), Err(RejectedRequest::RepeatedParameter), "{piece}");
        assert!(form_has_parameter(more.as_bytes(), "other"), "{piece}");
        assert!(single_value(&most, "ws").is_ok_and(|found| found.as_deref() == Some("w1")), "{piece}");
        assert!(!form_has_parameter(most.as_bytes(), "other"), "{piece}");
    }
}

#[test]
fn a_name_has_no_escape_that_only_some_servers_know() {
    for query in ["%u0058-HTTP-Method-Override=DELETE", "a=1&%u0074enant=w1", "a;%U0074enant", "10%=1", "x=1&%4", "%g1"]
    {
        assert_eq!(read(query.as_bytes()), Err(RejectedRequest::Query), "{query}");
        let refused = form_method_overrides(query.as_bytes(), &mut Vec::new());
        assert_eq!(refused, Err(RejectedRequest::MethodOverride), "{query}");
        assert!(form_has_parameter(query.as_bytes(), "other"), "{query}");
    }
    for query in ["a=10%", "a=%u0058&b=2", "%41=1", "a=1=%"] {
        assert_eq!(read(query.as_bytes()), Ok(query));
    }
}

#[test]
fn an_incomplete_escape_is_literal() {
    for (input, expected) in
        [("a%2Eb+c", "a.b c"), ("%u0041", "%u0041"), ("%zz%41", "%zzA"), ("%4%41", "%4A"), ("%%41", "%A"), ("%", "%")]
    {
        assert_eq!(decode(input), expected, "{input}");
    }
}

#[test]
fn a_cookie_may_be_taken_for_a_parameter() {
    for cookies in ["ws=w2", "a=b; ws=w2", "a=b;WS=w2", "a=b; ws[0]=w2", "a=b; %77s=w2", "a=b, ws=w2", "ws"] {
        assert!(cookie_has_parameter(cookies.as_bytes(), "ws"), "{cookies}");
    }
    for cookies in ["", "a=ws", "wsx=1; xws=2", "a=b=ws"] {
        assert!(!cookie_has_parameter(cookies.as_bytes(), "ws"), "{cookies}");
    }
}
