//! Throwing a member out: at once, and out of what follows (threat D11).

use super::coordinator::Coordinator;
use crate::Error;
use certs::seal::EpochSecret;
use serde_json::json;
use wire::message::control::Down;
use wire::statement::Revocation;
use wire::{Epoch, Reason, SpkiHash};

impl Coordinator {
    pub(super) fn evict(&mut self, name: &str) {
        let found = self.members.iter().find(|(_, m)| m.name.as_str() == name);
        match found.map(|(node, _)| *node) {
            Some(node) => self.throw_out(node, Reason::Revoked),
            None => self.emit.say(&format!("evict: nobody is called {name}")),
        }
    }

    /// Out at once, and out of what follows: everybody hears the revocation,
    /// and a new epoch begins without the member (threat D11).
    pub(super) fn throw_out(&mut self, node: SpkiHash, reason: Reason) {
        let Some(member) = self.members.get(&node) else {
            return;
        };
        let _ = member.down.send(Down::Refused(reason));
        let name = member.name.clone();
        self.evicted.insert(node);
        self.gone(node, false);
        if let Err(e) = self.next_epoch(node) {
            self.emit
                .say(&format!("evict: the epoch could not be changed: {e}"));
            return;
        }
        let fields = json!({"reason": reason.name(), "epoch": self.keys.epoch.0});
        self.emit.tell_of(name.as_str(), "evicted", fields);
    }

    fn next_epoch(&mut self, without: SpkiHash) -> Result<(), Error> {
        self.keys.epoch = Epoch(self.keys.epoch.0.saturating_add(1));
        self.keys.epoch_secret = EpochSecret::generate(&self.keys.rng)?;
        let revocation = Revocation {
            scope: self.keys.scope(),
            member: without,
            issued: self.clock.unix(),
        };
        let revocation = certs::sign(&self.keys.permit, &revocation);
        for (node, member) in &self.members {
            if let (Some(sealing), Some(receipt)) = (&member.sealing_key, &member.receipt_key) {
                let sealed = self.sealed_secrets(sealing, *node, receipt)?;
                let _ = member.down.send(Down::Epoch(sealed));
            }
        }
        // Nothing is sealed in an epoch that a later life might begin again.
        self.save();
        // New permits first: the revocation raises the epoch that is accepted.
        self.mint_all();
        for member in self.members.values() {
            let _ = member.down.send(Down::Revoked(revocation.clone()));
        }
        self.node.revoke(&revocation)?;
        let fresh = (self.keys.epoch, self.keys.epoch_secret.clone());
        for epochs in &self.epochs {
            let _ = epochs.send(fresh.clone());
        }
        Ok(())
    }
}
