//! Tests of frames at the byte level.

use super::{Frame, FrameError, MAX_PAYLOAD, Opcode};

#[test]
fn the_masked_hello_of_rfc_6455_section_5_7_is_read() {
    let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    let (frame, used) = Frame::decode(&bytes).unwrap().unwrap();
    assert_eq!(frame, Frame { last: true, opcode: Opcode::Text, payload: b"Hello".to_vec() });
    assert_eq!(used, bytes.len());
    for short in 0..bytes.len() {
        assert_eq!(Frame::decode(&bytes[..short]), Ok(None), "{short} bytes");
    }
}

#[test]
fn the_unmasked_hello_of_rfc_6455_section_5_7_is_written() {
    let frame = Frame { last: true, opcode: Opcode::Text, payload: b"Hello".to_vec() };
    assert_eq!(frame.encode(), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
}

#[test]
fn each_length_has_its_own_encoding() {
    for (length, header) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        let frame = Frame { last: true, opcode: Opcode::Binary, payload: vec![7; length] };
        assert_eq!(frame.encode().len(), header + length);
    }
}

#[test]
fn frames_that_break_the_protocol_are_refused() {
    let unmasked = [0x81, 0x01, b'x'];
    let reserved_bit = [0xc1, 0x80, 0, 0, 0, 0];
    let unknown_opcode = [0x83, 0x80, 0, 0, 0, 0];
    let split_ping = [0x09, 0x80, 0, 0, 0, 0];
    let long_ping = [0x89, 0xfe, 0, 126, 0, 0];
    for bytes in [&unmasked[..], &reserved_bit, &unknown_opcode, &split_ping, &long_ping] {
        assert_eq!(Frame::decode(bytes), Err(FrameError::Protocol), "{bytes:x?}");
    }
}

#[test]
fn a_frame_above_the_limit_is_refused_before_its_payload_arrives() {
    let mut bytes = vec![0x82, 0xff];
    bytes.extend((MAX_PAYLOAD as u64 + 1).to_be_bytes());
    assert_eq!(Frame::decode(&bytes), Err(FrameError::TooLarge));
}
