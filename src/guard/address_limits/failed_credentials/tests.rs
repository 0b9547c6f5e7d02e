//! Who is over the limit, and until when.

use std::net::IpAddr;

use super::{ADDRESSES, FailedCredentials};
use crate::vocabulary::Timestamp;

#[test]
fn an_address_is_over_the_limit_until_the_minute_ends() {
    let failures = FailedCredentials::new(2);
    let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
    let now = Timestamp(6_000);
    failures.count(one, now);
    assert!(!failures.is_over(one, now));
    failures.count(one, now);
    assert!(failures.is_over(one, now));
    assert!(!failures.is_over(other, now));
    assert!(!failures.is_over(one, now.plus(60)));
    failures.count(one, now.plus(60));
    assert!(!failures.is_over(one, now.plus(60)));
}

#[test]
fn a_network_of_ipv6_counts_as_one() {
    let failures = FailedCredentials::new(1);
    failures.count("2001:db8::1".parse().unwrap(), Timestamp(0));
    assert!(failures.is_over("2001:db8::ffff".parse().unwrap(), Timestamp(0)));
    assert!(!failures.is_over("2001:db8:0:1::1".parse().unwrap(), Timestamp(0)));
}

#[test]
fn zero_is_no_limit() {
    let failures = FailedCredentials::new(0);
    failures.count("10.0.0.1".parse().unwrap(), Timestamp(0));
    assert!(!failures.is_over("10.0.0.1".parse().unwrap(), Timestamp(0)));
}

#[test]
fn addresses_without_number_take_no_more_room_than_there_is() {
    let failures = FailedCredentials::new(1);
    for number in 0..200_000_u32 {
        failures.count(IpAddr::V4(number.into()), Timestamp(60));
    }
    assert!(failures.counts.len() <= ADDRESSES);
}
