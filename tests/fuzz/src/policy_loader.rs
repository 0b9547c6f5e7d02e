//! Asserts that any text gives a policy or a finding with a position, and that a loaded policy decides without a panic.

use portcullis::decision::query::{self, RequestQuery};
use portcullis::decision::{NoTrace, Phase, Reason};
use portcullis::document::{Sources, report};
use portcullis::policy;
use portcullis::vocabulary::{Subject, Timestamp};

/// Reads `data` as the files of a policy, separated by 0xff.
pub fn run(data: &[u8]) {
    let mut sources = Sources::default();
    for (at, part) in data.split(|&byte| byte == 0xff).enumerate().take(4) {
        let Ok(text) = std::str::from_utf8(part) else { return };
        sources.add(format!("{at}.yaml"), text);
    }
    let loaded = policy::load(&sources, None);
    for finding in loaded.findings.iter() {
        assert!(!finding.message.is_empty(), "a finding without a word");
        if let Some(place) = finding.span {
            let found = sources.locate(place).expect("a finding points into a file");
            assert!(found.line >= 1 && found.column >= 1);
        }
    }
    let printed = report::human(&loaded.findings, &sources);
    assert_eq!(printed.is_empty(), loaded.findings.is_empty());
    assert_eq!(loaded.snapshot.is_none(), loaded.findings.has_errors(), "no policy without an error: {printed}");
    let Some(snapshot) = loaded.snapshot else { return };

    let again = policy::load(&sources, None).snapshot.expect("what loads once loads again");
    assert_eq!(again.version, snapshot.version, "the same text is the same policy");
    let _ = policy::matrix::tables(&snapshot);
    let subject = &Subject::anonymous();
    for route in snapshot.routes.routes().iter().take(16) {
        let target = route.template.text().replace(['{', '}', '*'], "");
        for method in route.methods.iter().take(4) {
            let asked =
                RequestQuery { subject, method: &method.name, target: &target, host: None, phase: Phase::Request };
            query::decide_query(&snapshot, asked, Timestamp(1_700_000_000), &mut NoTrace, |road, _| {
                let (decision, public) = (road.decision, road.decision.reason == Reason::Public);
                assert_eq!(decision.is_permit(), public || decision.is_shadowed(), "nobody is permitted {target}");
            });
        }
    }
}
