//! Who may be a member: whoever proves the invite, once per key, not too fast
//! from one place.

use super::controls::JoinCheck;
use super::coordinator::{Coordinator, Member};
use crate::Error;
use certs::bundle::{self, MemberSecrets};
use certs::receipt::ReceiptKey;
use link::Link;
use std::collections::VecDeque;
use std::net::IpAddr;
use tokio::sync::mpsc;
use wire::message::control::{Admitted, Certificate, Down, Join, Name, Sealed};
use wire::statement::JoinReply;
use wire::{Digest, Reason};

/// The window of [`JoinCheck`].
const JOIN_WINDOW_MS: u64 = 10_000;
/// Members of one run: what one coordinator plans for.
const MEMBERS_MAX: usize = 10_000;

/// Recent joins by address block (IPv4 /24, IPv6 /48).
#[derive(Debug)]
pub(super) struct JoinRate {
    limit: JoinCheck,
    recent: VecDeque<(u64, [u8; 6])>,
}

impl JoinRate {
    pub(super) const fn new(limit: JoinCheck) -> Self {
        Self {
            limit,
            recent: VecDeque::new(),
        }
    }

    pub(super) fn admit(&mut self, ip: IpAddr, now_ms: u64) -> bool {
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| now_ms.saturating_sub(*at) >= JOIN_WINDOW_MS)
        {
            self.recent.pop_front();
        }
        let block = block_of(ip);
        if self.recent.iter().filter(|(_, b)| *b == block).count() >= self.limit.per_block_max() {
            return false;
        }
        self.recent.push_back((now_ms, block));
        true
    }
}

fn block_of(ip: IpAddr) -> [u8; 6] {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            [4, 0, 0, a, b, c]
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, ..] = ip.octets();
            [a, b, c, d, e, f]
        }
    }
}

impl Coordinator {
    /// Admits a joiner, or says why not.
    pub(super) fn join(
        &mut self,
        link: &Link,
        join: Join,
    ) -> Result<mpsc::UnboundedReceiver<Down>, Reason> {
        let now_ms = self.clock.mono_ms();
        if !self
            .join_rate
            .admit(link.connection.remote_address().ip(), now_ms)
            || self.members.len() >= MEMBERS_MAX
        {
            return Err(Reason::RateLimited);
        }
        self.check_invited(link, &join)?;
        if self.away.has(link.peer) {
            // It has nothing any more of what it had.
            self.gone(link.peer, false);
        }
        if self.members.contains_key(&link.peer) {
            return Err(Reason::RateLimited);
        }
        let (member, receiver) = self.let_in(link, join, |a| Down::Admitted(Box::new(a)))?;
        self.members.insert(link.peer, member);
        Ok(receiver)
    }

    /// Whether the joiner has the invite, and was not put out.
    pub(super) fn check_invited(&self, link: &Link, join: &Join) -> Result<(), Reason> {
        if self.evicted.contains(&link.peer) {
            return Err(Reason::Revoked);
        }
        let exporter = link.exporter().map_err(|e| e.wire_reason())?;
        certs::invite_proof::verify(
            &self.keys.audience,
            &exporter,
            &join.nonce,
            &link.peer,
            &join.proof,
        )
        .map_err(|e| e.wire_reason())
    }

    /// Makes a member of who was checked, and says so in these words.
    pub(super) fn let_in(
        &mut self,
        link: &Link,
        join: Join,
        words: impl FnOnce(Admitted) -> Down,
    ) -> Result<(Member, mpsc::UnboundedReceiver<Down>), Reason> {
        let receipt_key = ReceiptKey::generate(&self.keys.rng).map_err(|_| Reason::Nonsense)?;
        let key = certs::x509::public_key(&link.certificate).map_err(|e| e.wire_reason())?;
        let certificate = self
            .issue_membership(link.peer, key, join.name.as_str())
            .map_err(|_| Reason::Nonsense)?;
        let admitted = self
            .admitted(link, certificate, &join, &receipt_key)
            .map_err(|_| Reason::Nonsense)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let _ = sender.send(words(admitted));
        self.tell_samplings(&sender);
        let name = self.unique_name(&join.name);
        let member = Member::new_peer(join, name, key, receipt_key, sender);
        Ok((member, receiver))
    }

    /// Names are for people: two of the same are told apart.
    fn unique_name(&self, name: &Name) -> Name {
        let taken = |n: &str| {
            n == self.settings.name || self.members.values().any(|m| m.name.as_str() == n)
        };
        let base = if name.as_str().is_empty() {
            "viewer"
        } else {
            name.as_str()
        };
        if !taken(base) {
            return Name::new(base).unwrap_or_default();
        }
        (2u32..)
            .map(|n| format!("{} {n}", base.chars().take(40).collect::<String>()))
            .find(|n| !taken(n))
            .and_then(|n| Name::new(n).ok())
            .unwrap_or_default()
    }

    fn admitted(
        &self,
        link: &Link,
        certificate: Certificate,
        join: &Join,
        receipt_key: &ReceiptKey,
    ) -> Result<Admitted, Error> {
        let head = *self.head.borrow();
        let reply = JoinReply {
            scope: self.keys.scope(),
            nonce: join.nonce,
            member: link.peer,
            head: head.map(|h| h.head),
            header: head.map_or(Digest([0; 32]), |h| h.header),
            issued: self.clock.unix(),
        };
        let secrets = self.sealed_secrets(&join.sealing_key, link.peer, receipt_key)?;
        Ok(Admitted {
            run: self.keys.signed_run.clone(),
            reply: certs::sign(&self.keys.permit, &reply),
            certificate,
            ca: Certificate::new(self.keys.ca.certificate().to_vec())?,
            secrets,
            station: Name::new(self.settings.name.clone())?,
            renditions_bps: self.settings.renditions_bps()?,
            pull_only: self.settings.mesh,
        })
    }

    /// The current epoch's secret and the member's receipt key, sealed to it.
    pub(super) fn sealed_secrets(
        &self,
        sealing_key: &[u8; 32],
        member: wire::SpkiHash,
        receipt_key: &ReceiptKey,
    ) -> Result<Sealed, Error> {
        let secrets = MemberSecrets {
            epoch: self.keys.epoch,
            epoch_secret: self.keys.epoch_secret.clone(),
            receipt_key: receipt_key.clone(),
        };
        let scope = self.keys.scope();
        Ok(bundle::seal(
            &secrets,
            sealing_key,
            &scope,
            &member,
            &self.keys.rng,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_from_one_block_leaves_others_alone() {
        let limit = JoinCheck::default();
        let mut rate = JoinRate::new(limit);
        let (flood, calm) = (
            IpAddr::from([203, 0, 113, 7]),
            IpAddr::from([198, 51, 100, 7]),
        );
        let admitted = (0..1_000).filter(|_| rate.admit(flood, 0)).count();
        assert_eq!(admitted, limit.per_block_max());
        assert!(rate.admit(calm, 0));
        assert!(rate.admit(flood, JOIN_WINDOW_MS));
    }
}
