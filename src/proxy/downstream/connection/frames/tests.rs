//! Tests of `frames`: budgets hold however the bytes arrive, and what the library refuses is understood.

use super::*;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// The first limit that these bytes reach after a preface, in pieces of each of some sizes.
fn reached(bytes: &[u8]) -> Option<Limit> {
    let budget = FrameBudget { resets: 10, control_frames: 20, header_bytes: 1000 };
    let all = [&super::super::H2_PREFACE[..], bytes].concat();
    let found = [1, 2, 7, 10_000].map(|size| {
        let mut inbound = InboundFrames::new(budget);
        all.chunks(size).find_map(|chunk| inbound.count(chunk))
    });
    assert!(found.iter().all(|limit| *limit == found[0]), "{found:?}");
    found[0]
}

#[test]
fn each_kind_of_frame_has_its_budget() {
    let reset = frame(RST_STREAM, 0, &8_u32.to_be_bytes());
    assert_eq!(reached(&reset.repeat(10)), None);
    assert_eq!(reached(&reset.repeat(11)), Some(Limit::Http2Resets));
    for kind in [2, 4, 6, 0x10, 0xbe] {
        let control = frame(kind, 0, b"12345678");
        assert_eq!(reached(&control.repeat(20)), None);
        assert_eq!(reached(&control.repeat(21)), Some(Limit::Http2ControlFrames));
    }
    assert_eq!(reached(&frame(DATA, 0, b"").repeat(21)), Some(Limit::Http2ControlFrames));
}

#[test]
fn work_is_not_limited_here() {
    let request = [frame(HEADERS, END_HEADERS, &[0x82; 600]), frame(DATA, 0, b"body"), frame(DATA, END_STREAM, b"")];
    assert_eq!(reached(&request.concat().repeat(100)), None);
    assert_eq!(reached(&frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]).repeat(1000)), None);
}

#[test]
fn a_header_block_has_so_many_bytes_in_all_its_frames() {
    let begun = frame(HEADERS, 0, &[0; 400]);
    let more = frame(CONTINUATION, 0, &[0; 400]);
    let last = frame(CONTINUATION, END_HEADERS, &[0; 100]);
    assert_eq!(reached(&[begun.clone(), more.clone(), last].concat().repeat(5)), None);
    assert_eq!(reached(&[begun, more.repeat(2)].concat()), Some(Limit::HeaderBytes));
    let nothing = [frame(HEADERS, 0, b""), frame(CONTINUATION, 0, b"").repeat(200)].concat();
    assert_eq!(reached(&nothing), Some(Limit::HeaderBytes), "frames of nothing are bytes too");
}

#[test]
fn what_the_library_refuses_is_told() {
    let refused = frame(RST_STREAM, 0, &REFUSED_STREAM.to_be_bytes());
    let goaway = |why: &[u8]| frame(GOAWAY, 0, &[&[0, 0, 0, 9, 0, 0, 0, 11], why].concat());
    let cancelled = frame(RST_STREAM, 0, &8_u32.to_be_bytes());
    let no_error = frame(GOAWAY, 0, &[0; 8]);
    let cases = [
        (refused.clone(), vec![Limit::Http2Streams]),
        ([refused.clone(), frame(DATA, 0, b"more"), refused].concat(), vec![Limit::Http2Streams; 2]),
        (goaway(b"too_many_resets"), vec![Limit::Http2Resets]),
        (goaway(b"too_many_continuations"), vec![Limit::HeaderBytes]),
        (goaway(b"header_list_way_too_large"), vec![Limit::HeaderBytes]),
        (goaway(b""), vec![Limit::Http2ControlFrames]),
        ([cancelled, no_error].concat(), vec![]),
    ];
    for (bytes, expected) in cases {
        for size in [1, 3, 10_000] {
            let (mut outbound, mut told) = (OutboundFrames::default(), Vec::new());
            bytes.chunks(size).for_each(|chunk| outbound.read(chunk, |limit| told.push(limit)));
            assert_eq!(told, expected, "{bytes:?}");
        }
    }
}
