//! Tests of the hash chain: lines that are chained, cut and altered.

use super::*;

fn lines(count: usize) -> Vec<Vec<u8>> {
    let (mut position, mut out) = (ChainPosition::BEGIN, Vec::new());
    (0..count).for_each(|at| position.append(format!("{{\"record\":\"exchange\",\"at\":{at}}}").as_bytes(), &mut out));
    out.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

#[test]
fn a_line_is_this_one() {
    let first = &lines(1)[0];
    let hash = Hash::of(&[&[b'0'; 64], b"{\"record\":\"exchange\",\"at\":0,\"seq\":1}"]);
    let expected = format!("{{\"record\":\"exchange\",\"at\":0,\"seq\":1,\"chain\":\"{hash}\"}}");
    assert_eq!(String::from_utf8(first.clone()).unwrap(), expected);
    // RFC 6234's own example.
    assert_eq!(Hash::of(&[b"a", b"bc"]).as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn each_line_follows_the_one_before_and_no_other() {
    let lines = lines(4);
    let sealed: Vec<SealedLine<'_>> = lines.iter().map(|line| SealedLine::read(line).unwrap()).collect();
    for (at, line) in sealed.iter().enumerate() {
        assert_eq!((line.position.seq, line.record_kind()), (at as u64 + 1, &b"exchange"[..]));
        for (other, before) in [Hash::ZERO].into_iter().chain(sealed.iter().map(|line| line.position.hash)).enumerate()
        {
            assert_eq!(line.follows(before), other == at);
        }
    }
}

#[test]
fn a_line_that_is_cut_anywhere_is_not_whole() {
    let line = &lines(1)[0];
    for end in 0..line.len() {
        assert_eq!(SealedLine::read(&line[..end]), None, "{end}");
    }
    // A scope may be called `chain`, and its value is any text.
    let hash = "0".repeat(64);
    for forged in [
        format!("{{\"record\":\"decision\",\"scope\":{{\"chain\":\"{hash}\"}}"),
        format!("{{\"record\":\"decision\",\"scope\":{{\"seq\":\"7\",\"chain\":\"{hash}\"}}"),
        format!("{{\"record\":\"decision\",\"path\":\",\\\"seq\\\":7,\\\"chain\\\":\\\"{hash}\\\"}}"),
    ] {
        assert_eq!(SealedLine::read(forged.as_bytes()), None, "{forged}");
    }
}

#[test]
fn a_change_of_any_byte_shows() {
    let line = lines(1)[0].clone();
    for at in 0..line.len() {
        for bit in [1, 0x20] {
            let mut altered = line.clone();
            altered[at] ^= bit;
            assert!(!SealedLine::read(&altered).is_some_and(|line| line.follows(Hash::ZERO)), "{at}");
        }
    }
}
