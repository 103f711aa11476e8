//! A desk's end of the boot protocol, for platforms of the stage.

use super::rng;
use crate::Failure;
use certs::SigningKey;
use relay_vm::boot::{Opening, Platform};
use relay_vm::{Booted, Conversation, Turn};
use serde_json::{Value, json};
use wire::order::{Order, Parameters};

/// A credential that the stage's machines take: nobody looks into it.
const CREDENTIAL: &str = "00";

/// Has a relay with a fresh key begin to boot, up to the desk's statement.
///
/// # Errors
/// The relay does not follow the protocol.
pub fn begin(
    platform: Box<dyn Platform>,
    order: &Order,
    told: &Parameters,
    release: String,
) -> Result<Conversation, Failure> {
    let opening = Opening {
        order: order.clone(),
        parameters: told.clone(),
        release,
        network: None,
    };
    let key = SigningKey::generate(&rng())?;
    let (request, then) = said(Conversation::new(key, platform).hear(&opening.line()?)?)?;
    if request.get("ak_public").is_none() {
        return Ok(then);
    }
    let credential = json!({"credential": CREDENTIAL});
    Ok(said(then.hear(&credential.to_string())?)?.1)
}

/// Ends it with the desk's signed statement.
///
/// # Errors
/// The relay asks for more.
pub fn end(conversation: Conversation, statement: &[u8]) -> Result<Booted, Failure> {
    let line = json!({"platform": data_encoding::HEXLOWER.encode(statement)});
    match conversation.hear(&line.to_string())? {
        Turn::Booted(booted) => Ok(*booted),
        Turn::Say { .. } => Err(Failure::Stage("the relay asks for more")),
    }
}

fn said(turn: Turn) -> Result<(Value, Conversation), Failure> {
    match turn {
        Turn::Say { line, then } => Ok((serde_json::from_str(&line)?, *then)),
        Turn::Booted(_) => Err(Failure::Stage("the relay asks for no statement")),
    }
}
