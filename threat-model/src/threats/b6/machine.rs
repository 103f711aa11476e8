//! The same with relays that are machines with a TPM.

use super::{Boot, boot_a_copied_order};
use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::machine::Machine;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};

fn run(control: Control) -> Result<Outcome, Failure> {
    let machine: Boot = |cloud, order| cloud.boot_machine(Machine::genuine()?, order, loopback());
    scene::stage(boot_a_copied_order(control, machine))
}

#[test]
fn a_copied_order_on_a_machine_is_stopped() {
    assert_refused("spki_not_admitted", run(Control::On));
}

#[test]
fn a_copied_order_on_a_machine_passes_without_the_control() {
    assert_succeeds(run(Control::Removed));
}
