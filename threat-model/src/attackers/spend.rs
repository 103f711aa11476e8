//! Vouchers that are somebody else's, or spent: the attacker has a copy of a
//! wallet's folder.

use super::program::{Attacker, End};
use crate::Failure;
use crate::scene::cloud::CHANNEL;
use crate::scene::{now, random};
use certs::x509::spki_of_public;
use peer::desk_client::DeskClient;
use std::path::Path;
use voucher::encoding::labelled;
use voucher::{Base64, Blinding, HolderSecret, Name, RedeemRequest, VoucherRecord, generator};
use wire::{Encode, PublicKey};

/// Domain label of a redemption's signature, as the holder's client has it.
const REDEEM_LABEL: &str = "roundcast/redeem/v1";
/// Suffix of a voucher's file in a wallet.
const VOUCHER_FILE: &str = ".voucher.json";

/// stolen-voucher: the token without the holder key. The thief signs with a
/// key of his own.
///
/// # Errors
/// The attack could not be tried.
pub async fn stolen_voucher(attacker: Attacker) -> Result<End, Failure> {
    let record = stolen_record(attacker.options.loot()?)?;
    let thief = HolderSecret::from_random(random()?);
    attacker.ready(spki_of_public(&thief.public()));
    let client = client(&attacker)?;
    let desk_key = client.keys().await?.desk_key;
    let request = resigned(&record, &thief, desk_key)?;
    redeem(&attacker, &client, &request).await
}

/// double-spend: the whole wallet, from before its owner's round. The voucher
/// is redeemed again, for another order's refund.
///
/// # Errors
/// The attack could not be tried.
pub async fn double_spend(attacker: Attacker) -> Result<End, Failure> {
    let mut record = stolen_record(attacker.options.loot()?)?;
    attacker.ready(spki_of_public(&record.voucher().holder_key()));
    let client = client(&attacker)?;
    let desk_key = client.keys().await?.desk_key;
    let mut rng = generator(&random()?);
    let request = record.begin_redeem(&mut rng, desk_key, &channel()?, now())?;
    redeem(&attacker, &client, &request).await
}

async fn redeem(
    attacker: &Attacker,
    client: &DeskClient,
    request: &RedeemRequest,
) -> Result<End, Failure> {
    attacker.begun();
    Ok(match client.redeem(request).await? {
        Ok(_) => End::Succeeded,
        Err(refusal) => End::Refused(refusal.reason),
    })
}

fn client(attacker: &Attacker) -> Result<DeskClient, Failure> {
    Ok(DeskClient::new(&attacker.options.desk()?)?)
}

fn channel() -> Result<Name, Failure> {
    Ok(CHANNEL.parse()?)
}

/// The voucher that its owner would redeem first.
fn stolen_record(loot: &Path) -> Result<VoucherRecord, Failure> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(loot.join("wallet"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(VOUCHER_FILE)) {
            let record: VoucherRecord = serde_json::from_slice(&std::fs::read(&path)?)?;
            records.push(record);
        }
    }
    records.sort_by_key(|record| (record.class().key_epoch().redeem_end(), record.id()));
    let first = records.into_iter().next();
    first.ok_or(Failure::Stage("the stolen wallet is empty"))
}

/// A redemption of the token that the thief signs with his own key.
fn resigned(
    record: &VoucherRecord,
    thief: &HolderSecret,
    desk_key: PublicKey,
) -> Result<RedeemRequest, Failure> {
    let voucher = record.voucher();
    let refund = Blinding::begin(
        &mut generator(&random()?),
        voucher.shop(),
        voucher.ledger(),
        voucher.class(),
        voucher.key(),
    )?;
    let mut request = RedeemRequest {
        token: *voucher.token(),
        class: voucher.class().clone(),
        holder_key: thief.public(),
        channel: channel()?,
        desk_key,
        refund_request: refund.request(),
        proof: Base64([0; 64]),
    };
    let order = certs::order::id(&request.order()?);
    let statement = labelled(
        REDEEM_LABEL,
        &[
            request.token.as_bytes(),
            request.class.to_string().as_bytes(),
            request.channel.to_string().as_bytes(),
            &request.desk_key.to_bytes(),
            &order.to_bytes(),
            &request.refund_request.to_bytes(),
        ],
    );
    request.proof = Base64(thief.key().sign_raw(&statement));
    Ok(request)
}
