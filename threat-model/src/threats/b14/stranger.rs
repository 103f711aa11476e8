//! The same where the viewer believes another desk about its machines.

use super::certify_a_lie;
use crate::proof::{assert_refused, assert_succeeds};
use crate::{Control, Failure, Outcome, scene};
use attest::Policy;
use wire::SpkiHash;

fn run(control: Control) -> Result<Outcome, Failure> {
    let another = Policy::default().with_operator(SpkiHash([0x0d; 32]));
    scene::stage(certify_a_lie(control, another))
}

#[test]
fn a_desk_that_was_not_named_is_stopped() {
    assert_refused("operator_not_trusted", run(Control::On));
}

#[test]
fn a_desk_that_was_not_named_passes_without_the_control() {
    assert_succeeds(run(Control::Removed));
}
