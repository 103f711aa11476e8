use super::*;

const STRIPE: Stripe = Stripe(0);

const CHILD: SpkiHash = SpkiHash([1; 32]);
const PARENT: SpkiHash = SpkiHash([2; 32]);
const OTHER: SpkiHash = SpkiHash([3; 32]);

#[test]
fn a_parent_that_is_late_twice_in_a_row_is_left() {
    let mut lateness = Lateness::new(2);
    assert!(!lateness.note((CHILD, STRIPE), PARENT, 10, 15));
    assert!(
        !lateness.note((CHILD, STRIPE), PARENT, 15, 10),
        "in time for the most"
    );
    assert!(!lateness.note((CHILD, STRIPE), PARENT, 0, 25));
    assert!(lateness.note((CHILD, STRIPE), PARENT, 0, 25));
}

#[test]
fn another_parent_begins_anew() {
    let mut lateness = Lateness::new(2);
    assert!(!lateness.note((CHILD, STRIPE), PARENT, 0, 25));
    assert!(!lateness.note((CHILD, STRIPE), OTHER, 0, 25));
    assert!(lateness.note((CHILD, STRIPE), OTHER, 0, 25));
}

#[test]
fn a_parent_that_is_late_itself_is_not_blamed() {
    let mut lateness = Lateness::new(3);
    for _ in 0..2 {
        lateness.note((PARENT, STRIPE), OTHER, 0, 25);
        assert!(!lateness.note((CHILD, STRIPE), PARENT, 0, 25));
    }
    // Its own edge is mended, and it goes on being late downward.
    lateness.note((PARENT, STRIPE), OTHER, 25, 0);
    assert!(lateness.note((CHILD, STRIPE), PARENT, 0, 25));
}

#[test]
fn who_is_late_under_everybody_stays_where_it_is() {
    let mut lateness = Lateness::new(2);
    let mut moves = 0;
    for n in 0..20 {
        let parent = SpkiHash([n; 32]);
        for _ in 0..2 {
            moves += u32::from(lateness.note((CHILD, STRIPE), parent, 0, 25));
        }
    }
    assert_eq!(moves, MOVES_MAX);
    assert!(
        !lateness.note((CHILD, STRIPE), PARENT, 25, 0),
        "it is heard again"
    );
    lateness.note((CHILD, STRIPE), PARENT, 0, 25);
    assert!(lateness.note((CHILD, STRIPE), PARENT, 0, 25));
}

#[test]
fn a_liar_s_own_lateness_excuses_it_for_a_few_moves_only() {
    let mut lateness = Lateness::new(2);
    let mut left = false;
    for _ in 0..12 {
        lateness.note((PARENT, STRIPE), OTHER, 0, 25);
        left |= lateness.note((CHILD, STRIPE), PARENT, 0, 25);
    }
    assert!(left);
}

#[test]
fn without_the_check_nobody_is_moved() {
    let mut lateness = Lateness::new(u32::MAX);
    assert!((0..100).all(|_| !lateness.note((CHILD, STRIPE), PARENT, 0, 25)));
}

#[test]
fn each_stripe_is_judged_for_itself() {
    let mut lateness = Lateness::new(2);
    let other = Stripe(1);
    assert!(!lateness.note((CHILD, STRIPE), PARENT, 0, 25));
    assert!(!lateness.note((CHILD, other), OTHER, 25, 0));
    assert!(lateness.note((CHILD, STRIPE), PARENT, 0, 25));
}
