//! Why a link is closed or a request refused: one number, one stable name.

crate::code! {
    /// Close codes (QUIC application errors) and refusals, on the wire and in
    /// JSON. Numbers are never reused.
    pub enum Reason {
        /// Done; nothing is wrong.
        Done = 0 => "done",
        /// A message that does not decode or is out of turn.
        Nonsense = 1 => "nonsense",
        /// An unknown message type.
        UnknownMessage = 2 => "unknown_message",
        /// A limit was passed.
        TooLarge = 3 => "too_large",
        /// The other end did not act in time.
        Timeout = 4 => "timeout",
        /// No permit for this edge.
        PermitMissing = 10 => "permit_missing",
        /// The permit's signature, edge, epoch or expiry is wrong.
        PermitInvalid = 11 => "permit_invalid",
        /// The member or permit was revoked.
        Revoked = 12 => "revoked",
        /// The permit's byte budget is used up.
        BudgetSpent = 13 => "budget_spent",
        /// A chunk header is not the sender's.
        HeaderSignatureInvalid = 20 => "header_signature_invalid",
        /// A block does not belong to its header.
        BlockProofMismatch = 21 => "block_proof_mismatch",
        /// The sender signed a chunk that does not decode to its digest.
        SenderInconsistent = 22 => "sender_inconsistent",
        /// The parent leaves chunks out that a head beacon names.
        Withheld = 23 => "withheld",
        /// A relay presents no evidence.
        EvidenceMissing = 30 => "evidence_missing",
        /// Evidence was refused.
        EvidenceRefused = 31 => "evidence_refused",
        /// A live answer is bound to another connection or key.
        LiveBindingMismatch = 32 => "live_binding_mismatch",
        /// The key is not the one admitted for this order.
        SpkiNotAdmitted = 33 => "spki_not_admitted",
        /// No answer to a live challenge.
        ChallengeUnanswered = 34 => "challenge_unanswered",
        /// Too many challenges.
        ChallengeRate = 35 => "challenge_rate",
        /// A command from somebody who is not the holder.
        NotHolder = 40 => "not_holder",
        /// The relay serves another coordinator already.
        OutOfService = 41 => "out_of_service",
        /// The invite's secret was not proven.
        InviteInvalid = 50 => "invite_invalid",
        /// No capacity, and nobody would sponsor a relay.
        NoCapacity = 51 => "no_capacity",
        /// Asked too often or from too many at one address block.
        RateLimited = 52 => "rate_limited",
        /// The run has ended.
        RunEnded = 53 => "run_ended",
        /// The paid time is over.
        LeaseEnded = 54 => "lease_ended",
        /// The relay's bytes are used up.
        ByteCapReached = 55 => "byte_cap_reached",
        /// Its holder told the relay to stop.
        StoppedByHolder = 56 => "stopped_by_holder",
        /// The child reads too slowly.
        SlowReader = 60 => "slow_reader",
        /// The other end has gone.
        PeerGone = 61 => "peer_gone",
        /// A better parent was assigned.
        Reparented = 62 => "reparented",
        /// This child has had this block of this neighbour.
        RepairRepeated = 70 => "repair_repeated",
        /// The neighbour has not the block, or has it no more.
        RepairNotHere = 71 => "repair_not_here",
        /// A neighbour sent a block that nobody asked it for.
        RepairUnasked = 72 => "repair_unasked",
    }
}
