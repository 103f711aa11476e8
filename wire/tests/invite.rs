//! `roundcast:` URIs: one spelling; hostile ones are refused by name.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};
use wire::StreamId;
use wire::invite::{AudienceSecret, Invite, InviteError};

/// 32 zero bytes in unpadded base64url.
const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn good() -> String {
    format!("roundcast:v1/{ZEROS}?s={ZEROS}&a=192.0.2.1:4433&a=[2001:db8::1]:4433")
}

fn addresses() -> impl Strategy<Value = Vec<SocketAddr>> {
    prop::collection::vec((any::<IpAddr>(), 1u16..), 1..=4).prop_map(|pairs| {
        let mut list: Vec<SocketAddr> = Vec::new();
        for address in pairs.into_iter().map(SocketAddr::from) {
            if !list.contains(&address) {
                list.push(address);
            }
        }
        list
    })
}

proptest! {
    #[test]
    fn parses_what_it_writes(
        stream in any::<[u8; 32]>(), secret in any::<[u8; 32]>(), addresses in addresses(),
    ) {
        let invite = Invite {
            stream: StreamId(stream),
            secret: AudienceSecret::new(secret),
            addresses,
        };
        prop_assert_eq!(Invite::parse(&invite.to_uri()), Ok(invite));
    }

    #[test]
    fn accepts_one_spelling_only(place in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
        let mut text = good().into_bytes();
        let place = place.index(text.len());
        if let Some(old) = text.get_mut(place) {
            *old = byte;
        }
        let text = String::from_utf8(text).unwrap();
        if let Ok(invite) = Invite::parse(&text) {
            let uri = invite.to_uri();
            prop_assert_eq!(uri.as_str(), text.as_str());
        }
    }

    #[test]
    fn survives_any_text(text in any::<String>()) {
        if let Ok(invite) = Invite::parse(&text) {
            let uri = invite.to_uri();
            prop_assert_eq!(uri.as_str(), text.as_str());
        }
    }

    #[test]
    fn survives_any_query(query in "[sa=&:0-9A-Za-z.%/?#\\[\\]_-]{0,120}") {
        let text = format!("roundcast:v1/{ZEROS}?s={ZEROS}{query}");
        if let Ok(invite) = Invite::parse(&text) {
            let uri = invite.to_uri();
            prop_assert_eq!(uri.as_str(), text.as_str());
        }
    }
}

#[test]
fn the_example_is_an_invite() {
    let invite = Invite::parse(&good()).unwrap();
    assert_eq!(invite.addresses.len(), 2);
    assert_eq!(invite.to_uri().as_str(), good());
}

const ADDRESS: &str = "&a=192.0.2.1:4433";

/// An invite up to its addresses.
fn head() -> String {
    format!("roundcast:v1/{ZEROS}?s={ZEROS}")
}

fn assert_refused(cases: &[(String, InviteError)]) {
    for (text, expected) in cases {
        assert_eq!(Invite::parse(text), Err(*expected), "{text:?}");
    }
}

#[test]
fn refuses_other_schemes_and_damaged_keys_by_name() {
    let a = ADDRESS;
    assert_refused(&[
        (String::new(), InviteError::Scheme),
        ("https://example.org/".into(), InviteError::Scheme),
        (" roundcast:v1/".into(), InviteError::Scheme),
        ("ROUNDCAST:v1/".into(), InviteError::Scheme),
        ("roundcast:v2/AAAA".into(), InviteError::Scheme),
        ("roundcast:v1/AAAA".into(), InviteError::Parameter),
        (
            format!("roundcast:v1/AAAA?s={ZEROS}{a}"),
            InviteError::StreamKey,
        ),
        (
            format!("roundcast:v1/{ZEROS}=?s={ZEROS}{a}"),
            InviteError::StreamKey,
        ),
        // The last character carries two unused bits: another spelling.
        (
            format!("roundcast:v1/{}B?s={ZEROS}{a}", "A".repeat(42)),
            InviteError::StreamKey,
        ),
        (
            format!("roundcast:v1/{ZEROS}?s=AAAA{a}"),
            InviteError::Secret,
        ),
        (
            format!("{}{}", head(), a.repeat(1000)),
            InviteError::TooLong,
        ),
    ]);
}

#[test]
fn refuses_addresses_in_another_spelling_by_name() {
    let head = head();
    let many: String = (1..=5).map(|n| format!("&a=192.0.2.{n}:4433")).collect();
    let texts = [
        "",
        "&a=192.0.2.1:4433&a=192.0.2.1:4433",
        "&a=192.0.2.1:0",
        "&a=192.0.2.1:04433",
        "&a=192.0.2.01:4433",
        "&a=[2001:DB8::1]:4433",
        "&a=[2001:0db8::1]:4433",
        "&a=station.example:4433",
        "&a=192.0.2.1%3A4433",
        "&a=192.0.2.1:4433#fragment",
        "&a=192.0.2.1:4433&a=",
        "&a=192.0.2.1:4433\n",
        "&a=192.0.2.1:4433\u{202e}",
        &many,
    ];
    let refused = texts.map(|text| (format!("{head}{text}"), InviteError::Address));
    assert_refused(&refused);
}

#[test]
fn refuses_parameters_that_do_not_belong_there_by_name() {
    let (head, a) = (head(), ADDRESS);
    // An invite chooses no roots, no policy, no programs (threat F3).
    let refused = [
        format!("{head}{a}&trust-root=/tmp/root.json"),
        format!("{head}{a}&trust=development"),
        format!("{head}{a}&"),
        format!("{head}{a}&s={ZEROS}"),
        format!("roundcast:v1/{ZEROS}?S={ZEROS}{a}"),
        format!("roundcast:v1/{ZEROS}?a=192.0.2.1:4433&s={ZEROS}"),
    ];
    assert_refused(&refused.map(|text| (text, InviteError::Parameter)));
}

#[test]
fn the_secret_is_not_in_the_debug_output() {
    let secret = AudienceSecret::new([0x5a; 32]);
    assert_eq!(format!("{secret:?}"), "[redacted]");
    let invite = Invite {
        stream: StreamId([1; 32]),
        secret,
        addresses: vec!["192.0.2.1:4433".parse().unwrap()],
    };
    assert!(!format!("{invite:?}").contains("90, 90"));
}
