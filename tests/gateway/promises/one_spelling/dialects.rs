//! Dialects over sockets: the paths that each dialect folds, refuses and forwards.

use std::collections::BTreeSet;

use super::path_variants::{detours, is_below, spellings_of};
use super::{send, try_all};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;

/// All dialects but `strict` and `aspnet`, which have tests of their own.
const WORDS: [&str; 7] = ["iis", "tomcat", "spring", "php", "wsgi", "express", "nginx"];

fn testbed(word: &str) -> Testbed {
    Testbed::strict(Origin::start()).policy("dialect: strict", &format!("dialect: {word}")).start()
}

#[test]
fn under_every_dialect_no_spelling_of_a_refused_resource_arrives() {
    let refused = ["/t1/Secrets", "/t1/Secrets/s", "/t2/things", "/closed"];
    let mut spellings: BTreeSet<String> = refused.iter().flat_map(|path| spellings_of(path)).collect();
    spellings.extend(detours("/t1/things", "Secrets", 1));
    spellings.extend(detours("/t1/files/a", "Secrets/s", 2));
    for word in WORDS {
        let testbed = testbed(word);
        let token = testbed.bearer(&["user"]);
        try_all(&testbed, &token, &spellings, &refused, |path| {
            is_below(path, "/t1/things") || is_below(path, "/t1/files") || path == "/open"
        });
    }
}

#[test]
fn under_every_dialect_a_permitted_resource_arrives_in_one_spelling() {
    let mut spellings = spellings_of("/t1/things");
    spellings.extend(spellings_of("/t1/things/Ab"));
    for word in WORDS {
        let testbed = testbed(word);
        let token = testbed.bearer(&["user"]);
        let arrived = try_all(&testbed, &token, &spellings, &[], |path| is_below(path, "/t1/things"));
        assert!(arrived > 20, "{word}: {arrived} spellings of a permitted path were let through");
    }
}

#[test]
fn a_dialect_folds_refuses_or_lets_pass_what_its_server_does() {
    // The path that arrives for a spelling of `/t1/Secret` beside the wider `/{tenant}/{thing}`, or the reason of the
    // refusal.
    type Row = (&'static str, [&'static str; 9]);
    let (secret, bad, at) = ("secret", "400", "as sent");
    let table: [Row; 9] = [
        //              strict aspnet iis tomcat spring php wsgi express nginx
        ("/t1/Secret", [secret; 9]),
        ("/t1/%53ecret", [secret; 9]),
        ("/t1/secret", [bad, secret, secret, at, bad, bad, at, secret, bad]),
        ("/t1/Secret;x", [bad, at, bad, bad, bad, at, at, at, at]),
        ("/t1/Secret.", [bad, at, bad, bad, bad, bad, bad, at, bad]),
        ("/t1/Secret.json", [bad, at, at, bad, bad, bad, bad, at, at]),
        ("/t1/Secret::$DATA", [bad, at, bad, at, at, at, at, at, at]),
        ("/t1/(S(1))", [bad, at, bad, at, at, at, at, at, at]),
        ("/t1/Secret~1", [bad, at, bad, at, at, at, at, at, at]),
    ];
    let words = ["strict", "aspnet"].into_iter().chain(WORDS);
    for (place, word) in words.enumerate() {
        let wide = "/{tenant}/Secret: { GET: nobody }\n  /{tenant}/{thing}: { GET: read Things }\n  /{tenant}/things:";
        let testbed = Testbed::strict(Origin::start())
            .policy("dialect: strict", &format!("dialect: {word}"))
            .policy("/{tenant}/things:", wide)
            .start();
        let token = testbed.bearer(&["user"]);
        let mut arrived = 0;
        for (path, expected) in table {
            let answer = send(testbed.at(), path, &token);
            let found = match answer.status {
                403 => "secret",
                400 => "400",
                200 => "as sent",
                _ => "neither",
            };
            assert_eq!(found, expected[place], "{path} {word}: {}", answer.text());
            arrived += usize::from(found == "as sent");
            if found == "as sent" {
                assert_eq!(testbed.origin.last().target(), path, "{word}");
            }
        }
        assert_eq!(testbed.origin.count(), arrived, "{word}");
    }
}

#[test]
fn a_script_does_not_run_with_the_rest_of_a_path_that_was_decided_as_another() {
    let wide = "/{tenant}/{thing}: { GET: read Things }\n  /{tenant}/{thing}/{part}: { GET: read Things }\n  /{tenant}/things:";
    let testbed = Testbed::strict(Origin::start())
        .policy("dialect: strict", "dialect: php")
        .policy("/{tenant}/things:", wide)
        .start();
    let token = testbed.bearer(&["user"]);
    for path in ["/t1/admin.php/x", "/t1/admin.PHP/x", "/t1/a.phtml/x", "/t1/a.phar/x"] {
        assert_eq!(send(testbed.at(), path, &token).status, 400, "{path}");
    }
    assert_eq!(send(testbed.at(), "/t1/a.png/x", &token).status, 200);
    assert_eq!(testbed.origin.count(), 1);
}
