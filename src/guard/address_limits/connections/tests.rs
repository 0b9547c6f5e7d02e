//! Tests of `addresses`: each address has its own count, which falls back to nothing.

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_address_has_so_many_connections_and_no_more_and_others_have_theirs() {
    let addresses = ConnectionsByAddress::default();
    let first = addresses.enter_below(address("192.0.2.1"), 2).unwrap();
    let _second = addresses.enter_below(address("::ffff:192.0.2.1"), 2).unwrap();
    assert!(addresses.enter_below(address("192.0.2.1"), 2).is_none());
    assert!(addresses.enter_below(address("192.0.2.2"), 2).is_some());
    drop(first);
    assert!(addresses.enter_below(address("192.0.2.1"), 2).is_some());
}

#[test]
fn a_subnet_of_ipv6_is_one_client() {
    let addresses = ConnectionsByAddress::default();
    let _open = addresses.enter_below(address("2001:db8::1"), 1).unwrap();
    assert!(addresses.enter_below(address("2001:db8::2"), 1).is_none());
    assert!(addresses.enter_below(address("2001:db8:0:1::1"), 1).is_some());
}

#[test]
fn what_is_closed_takes_no_room() {
    let addresses = ConnectionsByAddress::default();
    for number in 0..1000_u32 {
        let address = IpAddr::V4(number.into());
        drop(addresses.enter_below(address, 1).unwrap());
        assert!(addresses.lock().is_empty());
    }
}
