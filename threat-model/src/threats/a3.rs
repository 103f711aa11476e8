//! A3: one voucher, redeemed at two desks of one operator at the same moment.
//!
//! The control is the ledger that both desks share: one row per nonce. It is
//! removed by giving each desk a ledger of its own.

use crate::attack::attack;
use crate::scene::{self, rng, shop};
use crate::{Control, Failure, Outcome};
use certs::SigningKey;
use desk::ledger::{Ledger, SqliteLedger};
use std::sync::Arc;

attack!("A3", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(redeem_twice(control))
}

async fn redeem_twice(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let open = |file: &str| -> Result<Arc<dyn Ledger>, Failure> {
        Ok(Arc::new(SqliteLedger::open(&folder.path().join(file))?))
    };
    let here = open("ledger.sqlite")?;
    let there = match control {
        Control::On => here.clone(),
        Control::Removed => open("another.sqlite")?,
    };
    let machines = Arc::new(shop::Machines::default());
    let keys = [SigningKey::generate(&rng())?, SigningKey::generate(&rng())?];
    let [first, second] = &keys;
    let desks = [
        shop::desk(first, here, machines.clone())?,
        shop::desk(second, there, machines.clone())?,
    ];
    let voucher = shop::buy()?;
    let orders = [
        shop::redemption(&voucher, first.public())?,
        shop::redemption(&voucher, second.public())?,
    ];
    let [first_desk, second_desk] = &desks;
    let [first_order, second_order] = orders;
    let (one, other) = tokio::join!(
        first_desk.redeem(first_order),
        second_desk.redeem(second_order)
    );
    match (one, other) {
        (Ok(one), Ok(other)) if one.order != other.order => Ok(Outcome::succeeded(format!(
            "one voucher, two orders ({} and {}), {} relays started",
            one.order.short(),
            other.order.short(),
            machines.started()
        ))),
        (Ok(_), Err(refusal)) | (Err(refusal), Ok(_)) => {
            if let desk::Error::Spent(proof) = &refusal {
                // The refusal is no bare claim: it shows who spent it.
                proof.check_spent(&voucher)?;
            }
            if machines.started() != 1 {
                return Err(Failure::Stage("another number of relays than one runs"));
            }
            Ok(Outcome::stopped(refusal.reason()))
        }
        (Err(refusal), Err(_)) => Err(Failure::from(refusal)),
        (Ok(_), Ok(_)) => Err(Failure::Stage("both desks gave the same order")),
    }
}
