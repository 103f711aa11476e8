//! Every check that can fail, by name.

use wire::{DecodeError, Reason};

macro_rules! errors {
    ($($(#[$meta:meta])* $variant:ident => $reason:literal, $wire:ident, $text:literal;)*) => {
        /// The check that failed. `Display` names the step and what to do;
        /// [`Error::reason`] is the stable name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        pub enum Error {
            /// Signed by the right key, and yet not an encoding that this
            /// version knows.
            #[error("statement: {0}; the other end may run a newer version")]
            Malformed(#[from] DecodeError),
            $($(#[$meta])* #[error($text)] $variant,)*
        }

        impl Error {
            /// Every error but [`Error::Malformed`], for tables and tests.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, as in JSON and on the page.
            #[must_use]
            pub const fn reason(&self) -> &'static str {
                match self {
                    Self::Malformed(_) => "statement_malformed",
                    $(Self::$variant => $reason,)*
                }
            }

            /// The close code or refusal that tells the other end.
            #[must_use]
            pub const fn wire_reason(&self) -> Reason {
                match self {
                    Self::Malformed(_) => Reason::Nonsense,
                    $(Self::$variant => Reason::$wire,)*
                }
            }
        }
    };
}

errors! {
    /// The random source gave nothing.
    Randomness => "randomness_unavailable", Nonsense,
        "keys: the system's random source failed; restart, and check the system";
    /// Two clocks are further apart than honest ones.
    ClockOff => "clock_off", Nonsense,
        "clock: this computer and the station are over a minute apart; set the clock by a time server";

    /// The run statement is not the stream key's.
    RunSignatureInvalid => "run_signature_invalid", Nonsense,
        "run statement: not signed by the stream's key; check the invite and ask for a fresh one";
    /// The run statement speaks of another stream.
    RunWrongStream => "run_wrong_stream", Nonsense,
        "run statement: it is another stream's; check the invite";
    /// Start, end or epoch cannot be.
    RunTimesInvalid => "run_times_invalid", Nonsense,
        "run statement: its start, end or epoch cannot be; the station must start a new run";
    /// A run key is the stream key, or two are the same.
    RunKeyReused => "run_key_reused", Nonsense,
        "run statement: one key has two roles; the station must start a new run";
    /// The run is over.
    RunExpired => "run_expired", RunEnded,
        "run statement: the run has ended, or a clock is days off: set this one by a time server, and ask whether the station is still on and its clock right";
    /// The run has not begun.
    RunNotStarted => "run_not_started", Nonsense,
        "run statement: the run begins later; set the clock by a time server, or wait";

    /// Not signed by the run's permit key.
    PermitSignatureInvalid => "permit_signature_invalid", PermitInvalid,
        "permit: not signed by the run's permit key; wait for a permit from the coordinator";
    /// Place, count or path are no permit's.
    PermitProofMismatch => "permit_proof_mismatch", PermitInvalid,
        "permit: its place in the signed batch cannot be; wait for a permit from the coordinator";
    /// Of another stream or run.
    PermitWrongRun => "permit_wrong_run", PermitInvalid,
        "permit: it is for another stream or run; wait for a permit from the coordinator";
    /// Not for these two ends.
    PermitWrongEdge => "permit_wrong_edge", PermitInvalid,
        "permit: it is for another edge; wait for a permit from the coordinator";
    /// For pulling where blocks are to be pushed, or the other way round.
    PermitWrongKind => "permit_wrong_kind", PermitInvalid,
        "permit: it is for another use of this edge; wait for a permit from the coordinator";
    /// Of an epoch before the newest known.
    PermitEpochOld => "permit_epoch_old", PermitInvalid,
        "permit: its epoch is over; wait for the coordinator's renewal";
    /// Of stripes that the run does not have.
    PermitStripesUnknown => "permit_stripes_unknown", PermitInvalid,
        "permit: it names stripes that the run does not have; the station must be updated";
    /// Lives longer than any permit may.
    PermitLifeTooLong => "permit_life_too_long", PermitInvalid,
        "permit: it would live longer than five minutes; the station must be updated";
    /// Signed later than now.
    PermitNotYetValid => "permit_not_yet_valid", PermitInvalid,
        "permit: it was signed in the future; set the clock by a time server";
    /// Over.
    PermitExpired => "permit_expired", PermitInvalid,
        "permit: it has expired; wait for the coordinator's renewal, and check the clock";
    /// Not signed by the run's permit key.
    RevocationSignatureInvalid => "revocation_signature_invalid", Nonsense,
        "revocation: not signed by the run's permit key; nothing is revoked, close the link";
    /// Of another stream or run.
    RevocationWrongRun => "revocation_wrong_run", Nonsense,
        "revocation: it is for another stream or run; nothing is revoked";

    /// The header is not the sender's.
    HeaderSignatureInvalid => "header_signature_invalid", HeaderSignatureInvalid,
        "chunk header: not signed by the sender; close the link and take another parent";
    /// The header is of another stream.
    HeaderWrongStream => "header_wrong_stream", HeaderSignatureInvalid,
        "chunk header: it is another stream's; close the link and take another parent";
    /// The header is of another run.
    HeaderWrongRun => "header_wrong_run", HeaderSignatureInvalid,
        "chunk header: it is another run's; close the link and take another parent";
    /// A rendition that the run does not have.
    HeaderRenditionUnknown => "header_rendition_unknown", HeaderSignatureInvalid,
        "chunk header: a rendition that this run does not have; close the link";
    /// k or m are not the run's.
    HeaderStripesUnexpected => "header_stripes_unexpected", HeaderSignatureInvalid,
        "chunk header: its stripes are not the run's; close the link";
    /// Signed by the sender, and contradicts itself.
    HeaderInconsistent => "header_inconsistent", SenderInconsistent,
        "chunk header: the sender signed fields that contradict each other; the station must be updated";
    /// Two headers of the sender that do not contradict each other.
    EquivocationUnproven => "equivocation_unproven", Nonsense,
        "chunk headers: the two do not contradict each other; close the link that brought them";
    /// A block does not belong to its header.
    BlockProofMismatch => "block_proof_mismatch", BlockProofMismatch,
        "block: it does not belong to the signed chunk; close the link and take another parent";
    /// Fewer blocks than a row needs.
    ChunkIncomplete => "chunk_incomplete", Nonsense,
        "chunk: a row has fewer blocks than it needs; wait for more of them";
    /// The sender signed a chunk that is not what its digest says.
    SenderInconsistent => "sender_inconsistent", SenderInconsistent,
        "chunk: the sender signed blocks that do not make its chunk; no parent is to blame";
    /// The seal does not open.
    SealInvalid => "seal_invalid", SenderInconsistent,
        "chunk: the seal does not open with the epoch's key; ask the coordinator for the epoch's secrets";
    /// No secret for the chunk's epoch.
    EpochSecretMissing => "epoch_secret_missing", Revoked,
        "chunk: no secret for its epoch; wait for the coordinator's bundle";
    /// The epoch is not after the present one.
    EpochNotNewer => "epoch_not_newer", Nonsense,
        "epoch: it is not newer than the present one; begin the next epoch";
    /// No layout holds this chunk.
    ChunkTooLarge => "chunk_too_large", TooLarge,
        "chunk: larger than 8 MiB sealed; make fragments shorter or lower the rate";
    /// No parity can be computed for this many stripes.
    StripesUnsupported => "stripes_unsupported", Nonsense,
        "stripes: no code is known for this many; choose fewer";
    /// A media chunk before its init segment.
    InitMissing => "init_missing", Nonsense,
        "chunk: no init segment was published yet; publish it first (empty for raw streams)";
    /// The sequence cannot go on.
    SequenceExhausted => "sequence_exhausted", RunEnded,
        "chunk: the run has no sequence left; start a new run";
    /// The key is not the one that the run statement names.
    KeyNotInRun => "key_not_in_run", Nonsense,
        "keys: this is not the key that the run statement names; start a new run";

    /// A bundle of secrets does not open.
    BundleInvalid => "bundle_invalid", Nonsense,
        "secrets: the bundle is not sealed to this member, stream and run; join again";
    /// A sealing key that HPKE cannot use.
    SealingKeyInvalid => "sealing_key_invalid", Nonsense,
        "secrets: the sealing key is not a usable X25519 key; join again";
    /// The invite's secret was not proven.
    InviteInvalid => "invite_invalid", InviteInvalid,
        "invite: its secret was not proven on this connection; ask for a fresh invite";

    /// A receipt for another stream or run.
    ReceiptWrongRun => "receipt_wrong_run", Nonsense,
        "receipt: it is for another stream or run; it does not count";
    /// Bitmaps that contradict each other or overflow.
    ReceiptMalformed => "receipt_malformed", Nonsense,
        "receipt: its bitmaps contradict each other; it does not count";
    /// A receipt about a chunk that the coordinator does not have.
    ReceiptUnknownChunk => "receipt_unknown_chunk", Nonsense,
        "receipt: it speaks of a chunk that is not kept; it does not count";
    /// The MAC is wrong: a block was not received, or a field was changed.
    ReceiptMacInvalid => "receipt_mac_invalid", Nonsense,
        "receipt: its MAC is wrong, so some block was not received; it does not count";
    /// A receipt about a parent that its member was never given.
    ReceiptWrongParent => "receipt_wrong_parent", Nonsense,
        "receipt: its parent never fed this member, by any permit; it does not count";
    /// An interval that was already reported, or passed.
    ReceiptOutOfOrder => "receipt_out_of_order", Nonsense,
        "receipt: its interval does not follow the last one; it does not count";
    /// A chunk that this member was not to receipt.
    ReceiptNotSampled => "receipt_not_sampled", Nonsense,
        "receipt: it speaks of chunks that this member was not asked about; it counts for nothing";
    /// A chunk that was already counted.
    ReceiptRepeatsChunk => "receipt_repeats_chunk", Nonsense,
        "receipt: it counts a chunk twice; it does not count";
    /// The sum of bytes is smaller than what was counted.
    ReceiptBytesWrong => "receipt_bytes_wrong", Nonsense,
        "receipt: its sum of bytes does not fit its chunks; it does not count";
    /// A block that does not belong to this accumulator's edge.
    ReceiptForeignBlock => "receipt_foreign_block", Nonsense,
        "receipt: a block of another edge, stripe or rendition; give it to its own accumulator";

    /// Not a certificate, or one with bytes after it.
    CertificateMalformed => "certificate_malformed", Nonsense,
        "certificate: it is not strict X.509 DER; the other end must be updated";
    /// Not an Ed25519 key.
    CertificateKeyUnsupported => "certificate_key_unsupported", Nonsense,
        "certificate: its key is not Ed25519; the other end must be updated";
    /// Not signed by the stream CA.
    CertificateSignatureInvalid => "certificate_signature_invalid", PermitInvalid,
        "certificate: not signed by this run's stream CA; join again";
    /// Issued by another authority.
    CertificateIssuerUnknown => "certificate_issuer_unknown", PermitInvalid,
        "certificate: its issuer is no stream CA; join again";
    /// Over.
    CertificateExpired => "certificate_expired", PermitInvalid,
        "certificate: it has expired; join again, and check the clock";
    /// Begins later.
    CertificateNotYetValid => "certificate_not_yet_valid", PermitInvalid,
        "certificate: it begins in the future; set the clock by a time server";
    /// A CA's certificate where a member's is needed.
    CertificateNotEndEntity => "certificate_not_end_entity", PermitInvalid,
        "certificate: it is a CA's, not a member's; join again";
    /// Not for both ends of a TLS link.
    CertificatePurposeWrong => "certificate_purpose_wrong", PermitInvalid,
        "certificate: it is not for links between members; join again";
    /// A CA certificate that does not carry the run's CA key.
    CertificateCaMismatch => "certificate_ca_mismatch", Nonsense,
        "certificate: the CA is not the one that the run statement names; check the invite";
    /// Refused by path building for another cause.
    CertificateRefused => "certificate_refused", PermitInvalid,
        "certificate: it breaks a rule of RFC 5280; join again";
    /// The certificate could not be made.
    CertificateNotIssued => "certificate_not_issued", Nonsense,
        "certificate: it could not be made from this name, these times or extensions; correct them";

    /// The key at the link's other end is not the one introduced.
    SpkiNotAdmitted => "spki_not_admitted", SpkiNotAdmitted,
        "relay: its key is not the one that the holder introduced for this order; do not link to it";
    /// Not signed by the order's holder key.
    IntroductionSignatureInvalid => "introduction_signature_invalid", SpkiNotAdmitted,
        "introduction: not signed by the order's holder key; do not link to this relay";
    /// Of another stream or run.
    IntroductionWrongRun => "introduction_wrong_run", SpkiNotAdmitted,
        "introduction: it is for another stream or run; do not link to this relay";
    /// Of another order.
    IntroductionWrongOrder => "introduction_wrong_order", SpkiNotAdmitted,
        "introduction: it names another order; do not link to this relay";
    /// Brought by somebody else than it says.
    IntroductionWrongSponsor => "introduction_wrong_sponsor", SpkiNotAdmitted,
        "introduction: another member sponsors this relay; do not link to it";
    /// Not signed by the node's own key.
    ClaimSignatureInvalid => "claim_signature_invalid", Nonsense,
        "capacity claim: not signed by the node that sent it; it does not count";
    /// Of another stream or run.
    ClaimWrongRun => "claim_wrong_run", Nonsense,
        "capacity claim: it is for another stream or run; it does not count";
    /// About another node.
    ClaimWrongNode => "claim_wrong_node", Nonsense,
        "capacity claim: it speaks of another node; it does not count";

    /// Not signed by the member's own key.
    HoldingSignatureInvalid => "holding_signature_invalid", Nonsense,
        "return: what it has is not signed by the member that came; join as a new one";
    /// Of another stream or run.
    HoldingWrongRun => "holding_wrong_run", Nonsense,
        "return: what it has is of another stream or run; join as a new member";
    /// About another member.
    HoldingWrongMember => "holding_wrong_member", Nonsense,
        "return: it speaks of another member; join as a new one";
    /// Made for another join.
    HoldingWrongNonce => "holding_wrong_nonce", Nonsense,
        "return: it was made for another join, so it is a replay; say what you have now";

    /// Not signed by the run's permit key.
    AskSignatureInvalid => "ask_signature_invalid", Nonsense,
        "ask: not signed by the coordinator; nothing is shown, close the link";
    /// Of another stream or run.
    AskWrongRun => "ask_wrong_run", Nonsense,
        "ask: it is for another stream or run; nothing is shown";
    /// For another member.
    AskWrongMember => "ask_wrong_member", Nonsense,
        "ask: it was put to another member; nothing is shown";
    /// Its deadline is over.
    AskExpired => "ask_expired", Timeout,
        "ask: its deadline is over; nothing is shown, and check the clock";
    /// Not signed by the run's permit key.
    GrantSignatureInvalid => "grant_signature_invalid", Nonsense,
        "grant: not signed by the coordinator; keep the voucher";
    /// Of another stream or run.
    GrantWrongRun => "grant_wrong_run", Nonsense,
        "grant: it is for another stream or run; keep the voucher";
    /// For another member.
    GrantWrongMember => "grant_wrong_member", Nonsense,
        "grant: it is for another member; keep the voucher";
    /// For another question.
    GrantWrongAsk => "grant_wrong_ask", Nonsense,
        "grant: it answers another question; keep the voucher";
    /// The reservation is over.
    GrantExpired => "grant_expired", Timeout,
        "grant: the reservation is over; keep the voucher, and check the clock";
    /// Not signed by the run's permit key.
    JoinReplySignatureInvalid => "join_reply_signature_invalid", Nonsense,
        "join: the reply is not signed by the coordinator; check the invite";
    /// Of another stream or run.
    JoinReplyWrongRun => "join_reply_wrong_run", Nonsense,
        "join: the reply is for another stream or run; join again";
    /// An answer to somebody else's nonce.
    JoinReplyWrongNonce => "join_reply_wrong_nonce", Nonsense,
        "join: the reply answers another nonce, so it is a replay; join again";
    /// About another member.
    JoinReplyWrongMember => "join_reply_wrong_member", Nonsense,
        "join: the reply admits another key; join again";
    /// Not signed by the run's beacon key.
    BeaconSignatureInvalid => "beacon_signature_invalid", Nonsense,
        "beacon: not signed by the sender; close the link that it came on";
    /// Of another stream or run.
    BeaconWrongRun => "beacon_wrong_run", Nonsense,
        "beacon: it is for another stream or run; it does not count";
    /// A time outside the run.
    BeaconTimeInvalid => "beacon_time_invalid", Nonsense,
        "beacon: its time is outside the run; it does not count";
}
