//! Tests of verifying chains that were tampered with.

use super::fault::FaultKind;
use super::*;

const ID: &str = "feed0000000000010000000000000000";

/// Two segments of a chain: the first line of each, then `count` decisions with their outcomes.
fn chain(count: usize) -> [Vec<String>; 2] {
    let mut position = ChainPosition::BEGIN;
    let mut out = Vec::new();
    let mut segments = Vec::new();
    for number in 1..=2 {
        let start = format!(
            "{{\"record\":\"segment\",\"number\":{number},\"time\":\"…\",\"previous\":\"{}\",\"torn\":0,\"torn_sha256\":null,\"lost\":0}}",
            position.hash
        );
        position.append(start.as_bytes(), &mut out);
        for at in 0..count {
            let id = u128::from_str_radix(ID, 16).unwrap() + (number * 1000 + at) as u128;
            for record in ["decision", "outcome"] {
                let record =
                    format!("{{\"record\":\"{record}\",\"time\":\"…\",\"id\":\"{id:032x}\",\"path\":\"/{at}\"}}");
                position.append(record.as_bytes(), &mut out);
            }
        }
        let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
        segments.push(text.lines().map(str::to_owned).collect());
    }
    segments.try_into().unwrap()
}

fn verify(since: Option<Hash>, expected_hash: Option<Hash>, files: &[Vec<String>]) -> VerificationReport {
    let mut verification = ChainVerification::new(since, expected_hash);
    for (at, file) in files.iter().enumerate() {
        let text: String = file.iter().map(|line| format!("{line}\n")).collect();
        verification.read_file(&format!("{at}.jsonl"), text.as_bytes(), |_| {}).unwrap();
    }
    verification.finish().0
}

fn faults(files: &[Vec<String>]) -> Vec<(FaultKind, usize, u64)> {
    let report = verify(None, None, files);
    report.faults.into_iter().map(|fault| (fault.kind, fault.location.file, fault.location.line)).collect()
}

#[test]
fn what_was_written_is_sound() {
    let files = chain(10);
    let report = verify(Some(Hash::ZERO), None, &files);
    assert_eq!((report.faults, report.lines, report.segments), (vec![], 42, Some((1, 2))));
    assert_eq!((report.decisions, report.outcomes, report.without_outcome), (20, 20, vec![]));
}

#[test]
fn whatever_is_done_to_a_line_is_found_there_and_named() {
    for at in 1..20 {
        let [first, second] = chain(10);
        let number = at as u64 + 1;
        let mut altered = first.clone();
        altered[at] = altered[at].replace("\"path\":\"/", "\"path\":\"/x");
        assert_eq!(faults(&[altered, second.clone()]), [(FaultKind::Altered, 0, number)]);

        let mut no_line = first.clone();
        no_line[at] = "{}".to_owned();
        assert_eq!(faults(&[no_line, second.clone()]), [(FaultKind::Altered, 0, number)]);

        let mut removed = first.clone();
        removed.remove(at);
        assert_eq!(faults(&[removed, second.clone()]), [(FaultKind::Removed, 0, number)]);

        for inserted in [first[at].clone(), "{\"record\":\"decision\"}".to_owned()] {
            let mut more = first.clone();
            more.insert(at + 1, inserted);
            assert_eq!(faults(&[more, second.clone()]), [(FaultKind::Inserted, 0, number + 1)]);
        }

        let mut forged = Vec::new();
        ChainPosition { seq: at as u64, hash: Hash::of(&[b"guessed"]) }
            .append(b"{\"record\":\"decision\"}", &mut forged);
        let mut more = first.clone();
        more.insert(at, String::from_utf8(forged).unwrap().trim_end().to_owned());
        assert_eq!(faults(&[more, second.clone()]), [(FaultKind::Inserted, 0, number)]);

        let mut swapped = first.clone();
        swapped.swap(at, at + 1);
        assert_eq!(faults(&[swapped, second.clone()]), [(FaultKind::Reordered, 0, number)]);

        let cut = first[..at].to_vec();
        assert_eq!(faults(&[cut, second.clone()]), [(FaultKind::Truncated, 1, 1)]);
    }
}

#[test]
fn segments_that_are_gone_altered_or_in_another_order_are_named() {
    let [first, second] = chain(3);
    let third = {
        let mut position =
            ChainPosition { seq: 14, hash: SealedLine::read(second.last().unwrap().as_bytes()).unwrap().position.hash };
        let start = format!(
            "{{\"record\":\"segment\",\"number\":3,\"previous\":\"{}\",\"torn\":0,\"torn_sha256\":null,\"lost\":0}}",
            position.hash
        );
        let mut out = Vec::new();
        position.append(start.as_bytes(), &mut out);
        vec![String::from_utf8(out).unwrap().trim_end().to_owned()]
    };
    assert_eq!(faults(&[first.clone(), second.clone(), third.clone()]), []);
    assert_eq!(faults(&[first.clone(), third.clone()]), [(FaultKind::Missing, 1, 1)]);
    assert_eq!(faults(&[second.clone(), third.clone()]), [(FaultKind::Missing, 0, 1)]);
    assert_eq!(faults(&[second.clone(), first.clone()]), [(FaultKind::Missing, 0, 1), (FaultKind::Reordered, 1, 1)]);
    let gone = verify(None, None, &[second.clone(), third.clone()]).faults.remove(0).message;
    assert!(gone.starts_with("it begins at segment 2: what was before is not here; with `--since "), "{gone}");
    let [other, _] = chain(4);
    let mut other = other;
    other[0] = {
        let mut out = Vec::new();
        let start = other[0].split(",\"seq\"").next().unwrap().replace("…", "later");
        ChainPosition::BEGIN.clone().append(format!("{start}}}").as_bytes(), &mut out);
        String::from_utf8(out).unwrap().trim_end().to_owned()
    };
    assert_eq!(faults(&[first.clone(), other, second.clone()]), [(FaultKind::TwoChains, 1, 1)]);
    let mut altered = second.clone();
    altered[0] = altered[0].replace("\"lost\":0", "\"lost\":9");
    assert_eq!(faults(&[first.clone(), altered])[0], (FaultKind::Altered, 1, 1));
    let mut reported = second;
    reported[0] = reported[0].replace("\"torn\":0", "\"torn\":9");
    assert_eq!(faults(&[first, reported])[0].0, FaultKind::Altered);
}

#[test]
fn a_value_that_was_kept_shows_what_was_cut_off_the_end_and_the_beginning() {
    let files = chain(3);
    let noted = SealedLine::read(files[1][4].as_bytes()).unwrap().position.hash;
    let report = verify(None, Some(noted), &files);
    assert_eq!((report.faults, report.expected), (vec![], Some(LineLocation { file: 1, line: 5 })));
    let cut = [files[0].clone(), files[1][..4].to_vec()];
    assert_eq!(verify(None, None, &cut).faults, [], "a chain alone cannot tell");
    assert_eq!(verify(None, Some(noted), &cut).faults[0].kind, FaultKind::CutOff);

    let end = verify(None, None, &files[..1]).end.unwrap().hash;
    assert_eq!(verify(Some(end), None, &files[1..]).faults, []);
    assert_eq!(verify(Some(Hash::ZERO), None, &files[1..]).faults[0].kind, FaultKind::Missing);
}

#[test]
fn decisions_without_an_outcome_are_listed_with_their_place() {
    let mut files = chain(4);
    let mut position = verify(None, None, &files).end.unwrap();
    let mut out = Vec::new();
    position.append(format!("{{\"record\":\"decision\",\"id\":\"{ID}\"}}").as_bytes(), &mut out);
    // The response has changed the decision: the id is the same, and there is one outcome for both.
    position.append(format!("{{\"record\":\"decision\",\"id\":\"{ID}\"}}").as_bytes(), &mut out);
    files[1].extend(String::from_utf8(out).unwrap().lines().map(str::to_owned));
    let report = verify(None, None, &files);
    let id = u128::from_str_radix(ID, 16).unwrap();
    assert_eq!((report.faults, report.without_outcome), (vec![], vec![(id, LineLocation { file: 1, line: 11 })]));
}

#[test]
fn half_a_line_at_the_very_end_is_being_written_and_no_fault() {
    let [first, second] = chain(3);
    let text = second.join("\n");
    let mut verification = ChainVerification::new(None, None);
    verification.read_file("0", format!("{}\n", first.join("\n")).as_bytes(), |_| {}).unwrap();
    verification.read_file("1", &text.as_bytes()[..text.len() - 9], |_| {}).unwrap();
    let (report, _) = verification.finish();
    assert_eq!(report.faults, []);
    assert!(report.unfinished > 0);
    assert_eq!(faults(&[]), [(FaultKind::Altered, 0, 0)], "nothing is not sound");
}
