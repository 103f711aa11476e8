#![allow(clippy::unwrap_used)]

use super::super::controls::Controls;
use super::super::scene;
use super::*;
use wire::codec::List;
use wire::message::control::{Down, NodeKind};

const ONE: SpkiHash = SpkiHash([1; 32]);
const OTHER: SpkiHash = SpkiHash([2; 32]);

fn lines(other: SpkiHash, rtt_us: u64) -> Lines {
    let line = Line {
        other,
        rtt_us,
        sent: 100,
        lost: 0,
    };
    Lines {
        lines: List::new(vec![line]).unwrap(),
    }
}

#[tokio::test]
async fn a_members_word_alone_puts_nobody_anywhere() {
    let data = tempfile::tempdir().unwrap();
    let (mut coordinator, _) = scene::coordinator(data.path(), Controls::default());
    for node in [ONE, OTHER] {
        scene::enlist(&mut coordinator, node, NodeKind::Peer);
    }
    coordinator.nearness.lines.tell_own(OTHER, 40_000);
    coordinator.lines(ONE, &lines(OTHER, 1_000));
    coordinator.tend_nearness();
    assert_eq!(
        coordinator.nearness.lines.at(ONE),
        None,
        "its own word alone"
    );
    let other = coordinator.nearness.lines.at(OTHER);
    coordinator.lines(OTHER, &lines(ONE, 2_000));
    coordinator.tend_nearness();
    assert!(
        coordinator.nearness.lines.at(ONE).is_some(),
        "both have measured it"
    );
    assert!(other.is_some());
    coordinator.gone(ONE, true);
    assert_eq!(coordinator.nearness.lines.at(ONE), None);
}

#[tokio::test]
async fn what_is_no_round_trip_ends_the_line_of_who_says_it() {
    let data = tempfile::tempdir().unwrap();
    let (mut coordinator, _) = scene::coordinator(data.path(), Controls::default());
    let mut inbox = scene::enlist(&mut coordinator, ONE, NodeKind::Peer);
    coordinator.lines(ONE, &lines(OTHER, RTT_US_MAX + 1));
    assert!(matches!(
        inbox.try_recv(),
        Ok(Down::Refused(Reason::Nonsense))
    ));
}
