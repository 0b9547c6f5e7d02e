//! Tests of `network`: valid texts, and the addresses that a network contains.

use super::Network;

#[test]
fn a_network_has_no_bits_behind_its_prefix() {
    let table = [
        ("10.0.0.0/8", Ok("10.0.0.0/8")),
        ("192.0.2.7", Ok("192.0.2.7/32")),
        ("fd00::/8", Ok("fd00::/8")),
        ("::1", Ok("::1/128")),
        ("0.0.0.0/0", Ok("0.0.0.0/0")),
        ("10.1.2.3/8", Err("did you mean `10.0.0.0/8`?")),
        ("fd00::1/64", Err("did you mean `fd00::/64`?")),
        ("10.0.0.0/33", Err("between 0 and 32")),
        ("fd00::/129", Err("between 0 and 128")),
        ("10.0.0.0/08", Err("between 0 and 32")),
        ("10.0.0.0/+8", Err("between 0 and 32")),
        ("10.0.0.0/", Err("between 0 and 32")),
        ("10.0/8", Err("no network")),
        ("010.0.0.0/8", Err("no network")),
        ("proxy.example.com", Err("no network")),
        ("::ffff:10.0.0.0/104", Err("write it as IPv4")),
        ("", Err("no network")),
    ];
    for (written, expected) in table {
        match (Network::parse(written), expected) {
            (Ok(network), Ok(shown)) => assert_eq!(network.to_string(), shown),
            (Err(message), Err(part)) => assert!(message.contains(part), "{written}: {message}"),
            (found, _) => panic!("{written}: {found:?}"),
        }
    }
}

#[test]
fn an_address_lies_in_its_network_in_either_clothes() {
    let table = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.6", false),
        ("192.0.2.128/25", "192.0.2.127", false),
        ("0.0.0.0/0", "::1", false),
        ("::/0", "10.0.0.1", false),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false),
        ("::1", "::1", true),
    ];
    for (network, address, expected) in table {
        assert_eq!(
            Network::parse(network).unwrap().contains(address.parse().unwrap()),
            expected,
            "{network} {address}"
        );
    }
}
