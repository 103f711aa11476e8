//! The same with a machine that was reset and booted something in between: its
//! registers are the released ones again.

use super::change_while_it_runs;
use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::machine::Hand;
use crate::{Control, Failure, Outcome, scene};
use attest::Check;

fn reset(hand: &Hand) -> Result<(), Failure> {
    hand.reset();
    Ok(())
}

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(change_while_it_runs(control, Check::LiveReset, reset))
}

#[test]
fn a_reset_machine_is_stopped() {
    assert_refused("live_reset", run(Control::On));
}

#[test]
fn a_reset_machine_passes_without_the_control() {
    assert_succeeds(run(Control::Removed));
}
