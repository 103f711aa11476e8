//! Why evidence, a release or a live answer is not accepted.

use crate::explain::Status;
use thiserror::Error;
use wire::codec::DecodeError;

/// Each variant is one refusal with one stable name, see [`Error::reason`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The certificate cannot be read, or is not as its key signed it.
    #[error("certificate: it cannot be read, or its own key did not sign it; it was changed")]
    CertificateInvalid,
    /// The key is not the one that the permit or admission names.
    #[error("admission: the key {found} was not admitted, {expected} was; leave this relay")]
    SpkiNotAdmitted {
        /// First digits of the hash that was admitted.
        expected: String,
        /// First digits of the hash of the certificate's key.
        found: String,
    },
    /// The certificate carries no evidence.
    #[error("evidence: the relay presents none; it may be no relay at all, leave it")]
    EvidenceMissing,
    /// The evidence is not in its one permitted encoding.
    #[error("evidence: malformed {0}; leave this relay")]
    EvidenceMalformed(&'static str),
    /// The evidence is of a kind that this build cannot appraise.
    #[error("evidence: unknown kind {0}; a newer client may know it")]
    EvidenceKindUnknown(String),
    /// The evidence belongs to another order.
    #[error("order: the evidence is for order {found}, not {expected}; leave this relay")]
    OrderMismatch {
        /// First digits of the order that was admitted.
        expected: String,
        /// First digits of the order in the evidence.
        found: String,
    },
    /// The platform certified this relay for another order.
    #[error("platform: its statement is for order {found}, not {expected}; leave this relay")]
    PlatformOrderMismatch {
        /// First digits of the order in the evidence.
        expected: String,
        /// First digits of the order in the statement.
        found: String,
    },
    /// There is no developer's root to check a release with.
    #[error("root: this build has none; name one with --trust-root FILE")]
    RootMissing,
    /// The root is not in its permitted form.
    #[error("root: malformed {0}; get the developer's root again")]
    RootMalformed(&'static str),
    /// A root's signature is wrong.
    #[error("root: a signature does not hold; get the developer's root again")]
    RootSignatureInvalid,
    /// Too few of the root's keys signed.
    #[error("root: {found} of {needed} signatures; get the developer's root again")]
    RootThreshold {
        /// Signatures that hold.
        found: usize,
        /// Signatures that are needed.
        needed: usize,
    },
    /// A new root does not follow the one in use.
    #[error("root: version {found} cannot follow; version {needed} must come next")]
    RootVersion {
        /// The version offered.
        found: u64,
        /// The only version that can follow.
        needed: u64,
    },
    /// The root is past its date.
    #[error("root: expired; get the developer's newest root")]
    RootExpired,
    /// The release is not in its permitted form.
    #[error("release: malformed {0}; get the release again")]
    ReleaseMalformed(&'static str),
    /// The release was signed by somebody else, or not at all.
    #[error("release: no signature of the developer holds; do not use it")]
    ReleaseSignatureInvalid,
    /// Too few of the developer's release keys signed.
    #[error("release: {found} of {needed} signatures; wait for the developer's others")]
    ReleaseThreshold {
        /// Signatures that hold.
        found: usize,
        /// Signatures that are needed.
        needed: usize,
    },
    /// The release is past its date.
    #[error("release: expired; a newer release is needed")]
    ReleaseExpired,
    /// The release is older than a floor that is already known.
    #[error("release: security version {found} is under the floor {floor}; a newer one is needed")]
    ReleaseRolledBack {
        /// Its security version.
        found: u64,
        /// The floor.
        floor: u64,
    },
    /// The release or its program is on the denylist.
    #[error("release: revoked by the developer or denied by policy; a newer one is needed")]
    ReleaseDenied,
    /// The registers of the image that booted are on the denylist.
    #[error("image: revoked by the developer or denied by policy; leave this relay")]
    ImageDenied,
    /// The release is of another channel than was ordered.
    #[error("release: its channel is not the ordered one; ask the desk")]
    ReleaseChannelMismatch,
    /// The platform certified another release file than the one presented.
    #[error("release: the platform's statement names another release file; leave this relay")]
    ReleaseMismatch,
    /// The platform's statement is not signed by the order's desk.
    #[error("platform: its statement is not signed by the order's desk; leave this relay")]
    PlatformSignatureInvalid,
    /// The policy does not take evidence of this assurance.
    #[error("policy: assurance {0} is not accepted; it can be allowed on the command line alone")]
    AssuranceNotAccepted(&'static str),
    /// Another desk's word about its hosts is accepted, not this one's.
    #[error("policy: desk {0} is no trusted operator; name it with --trust-operator if it is")]
    OperatorNotTrusted(String),
    /// The relay was started with other parameters than it shows.
    #[error("parameters: not the ones that the platform certified; leave this relay")]
    ParametersMismatch,
    /// The parameters give less or more than the order paid for.
    #[error("parameters: the {0} is not what the order paid for; ask the desk for a refund")]
    TermsMismatch(&'static str),
    /// The program is not the release's.
    #[error("measurement: the program is not the release's; leave this relay")]
    MeasurementMismatch,
    /// The release has no measurement for this platform.
    #[error("measurement: the release has none for {0}; another release is needed")]
    MeasurementMissing(&'static str),
    /// The boot evidence does not bind this key, order and parameters.
    #[error("boot: the evidence does not bind this key, order and parameters; leave this relay")]
    BootBindingMismatch,
    /// A release, a document or a certificate is from the future.
    #[error("clock: a signed date lies in the future; set this machine's clock")]
    ClockWrong,
    /// The platform's statement about a relay is from the future.
    #[error(
        "platform: its statement is from the future; set this machine's clock, or the desk its"
    )]
    PlatformFromFuture,
    /// The relay's paid time is over.
    #[error("lease: the relay's paid time is over; another relay is needed")]
    LeaseEnded,
    /// The connection has no exporter: nothing can be bound to it.
    #[error("live: the connection's exporter is empty; connect again")]
    LiveExporterMissing,
    /// The other end shows our own key.
    #[error("live: the other end shows our own key; this is a reflection, leave it")]
    LiveReflection,
    /// Index, count or path do not fit each other.
    #[error("live: index, count and path do not fit; leave this relay")]
    LiveMalformed,
    /// The answer came too late.
    #[error("live: the answer took over {limit_ms} ms; challenge again")]
    LiveTooOld {
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// The answer was made for another connection, key, order or nonce.
    #[error("live: the answer is not for this connection, key and order; leave this relay")]
    LiveBindingMismatch,
    /// A batch of no leaves or of too many.
    #[error("live: a batch holds 1 to {max} challenges, not {found}; split it")]
    BatchSize {
        /// Leaves given.
        found: usize,
        /// Leaves allowed.
        max: usize,
    },
    /// The relay's platform could not quote.
    #[error("quote: the platform could not sign; restart the relay")]
    QuoteFailed,
    /// A TPM key's public area is not in a permitted form.
    #[error("tpm key: {0}; the machine's TPM must give keys of P-256 or RSA 2048")]
    TpmPublicMalformed(DecodeError),
    /// The attestation key could sign what its TPM did not make.
    #[error("attestation key: {0}; do not certify it")]
    AkUnsuitable(&'static str),
    /// A quote is not in its permitted form.
    #[error("quote: malformed ({0}); leave this relay")]
    QuoteMalformed(DecodeError),
    /// What was signed was not made by a TPM.
    #[error("quote: no TPM made what was signed; leave this relay")]
    QuoteMagic,
    /// The TPM attests something else than its registers.
    #[error("quote: it attests something else than registers; leave this relay")]
    QuoteType,
    /// The attestation key did not sign the quote.
    #[error("quote: not signed by the certified attestation key; leave this relay")]
    QuoteSignatureInvalid,
    /// Another bank of registers was quoted than is shown.
    #[error("quote: of another bank of registers than is shown; leave this relay")]
    PcrBankMismatch,
    /// Other registers were quoted than a release measures.
    #[error("quote: it is not over exactly the released registers; leave this relay")]
    PcrSelectionMismatch,
    /// The registers shown are not the quoted ones.
    #[error("quote: the registers shown are not the quoted ones; leave this relay")]
    PcrDigestMismatch,
    /// A register is not the release's.
    #[error("measurement: PCR {0} is not the release's; leave this relay")]
    PcrMismatch(u8),
    /// Something was handed to the boot from beside the image.
    #[error("measurement: PCR {0} is not zero, something came from beside the image; leave it")]
    PcrInjected(u8),
    /// Other registers were quoted live than at the boot.
    #[error("live: the quote is not over the registers of the boot; leave this relay")]
    LivePcrSelectionMismatch,
    /// The registers changed after the boot.
    #[error("live: the registers are not those of the boot; leave this relay")]
    LivePcrMismatch,
    /// The machine was reset or restarted after the boot evidence.
    #[error("live: the machine was reset since its boot evidence; leave this relay")]
    LiveReset,
    /// The statement and the parameters name different ends.
    #[error("platform: its statement does not end with the lease; leave this relay")]
    PlatformEndMismatch,
    /// A platform's document is not in its permitted form.
    #[error("document: malformed ({0}); get it again")]
    DocumentMalformed(DecodeError),
    /// The key of a document's certificate did not sign it.
    #[error("document: its signature does not hold; do not believe it")]
    DocumentSignatureInvalid,
    /// The document was not made for this nonce.
    #[error("document: it does not answer this nonce; leave this relay")]
    DocumentNonceMismatch,
    /// The document was made too long ago to say anything of now.
    #[error("document: too old to say anything of now; ask for a new one")]
    DocumentStale,
    /// A platform's certificates make no path.
    #[error("chain: the platform's certificates do not hold ({0}); do not believe them")]
    ChainInvalid(&'static str),
    /// A platform's certificates come from another root.
    #[error("chain: not from a pinned root; do not believe it")]
    ChainRootUnknown,
    /// A platform's certificates were not valid any more.
    #[error("chain: the platform's certificates had expired; ask for new evidence")]
    ChainExpired,
    /// There is no release to compare a document with.
    #[error("release: none to compare with; name one with --release FILE")]
    ReleaseMissing,
    /// The endorsement key is not one of the TCG's templates.
    #[error("endorsement key: {0}; do not send it credentials")]
    EkUnsuitable(&'static str),
    /// The endorsement key's certificate cannot be read.
    #[error("endorsement certificate: malformed {0}; have the TPM provisioned again")]
    EkCertificateMalformed(&'static str),
    /// The certificate is for something else than an endorsement key.
    #[error("endorsement certificate: not for an endorsement key ({0}); leave this machine")]
    EkCertificateUnsuitable(&'static str),
    /// Nobody who is trusted signed the certificate.
    #[error("endorsement certificate: no trusted maker of TPMs signed it; leave this machine")]
    EkIssuerUnknown,
    /// The certificate or one above it is not valid at this time.
    #[error("endorsement certificate: not valid at this time; check the clock, renew the TPM's")]
    EkCertificateExpired,
    /// The certificate is another key's.
    #[error("endorsement certificate: it is for another key; leave this machine")]
    EkKeyMismatch,
    /// The endorsement key cannot be encrypted to.
    #[error("credential: nothing can be encrypted to this endorsement key; leave this machine")]
    CredentialImpossible,
    /// The secret that came back is not the one that was sent.
    #[error("credential: the TPM did not decrypt it; both keys are not in the certified TPM")]
    CredentialAnswerWrong,
    /// The system's random numbers failed.
    #[error("key: no random numbers; check the system's random source")]
    RandomnessUnavailable,
}

impl Error {
    /// The stable name of the refusal.
    #[must_use]
    #[allow(
        clippy::too_many_lines,
        reason = "a table, whole by the compiler's check"
    )]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::CertificateInvalid => "certificate_invalid",
            Self::SpkiNotAdmitted { .. } => "spki_not_admitted",
            Self::EvidenceMissing => "evidence_missing",
            Self::EvidenceMalformed(_) => "evidence_malformed",
            Self::EvidenceKindUnknown(_) => "evidence_kind_unknown",
            Self::OrderMismatch { .. } => "order_mismatch",
            Self::PlatformOrderMismatch { .. } => "platform_order_mismatch",
            Self::RootMissing => "root_missing",
            Self::RootMalformed(_) => "root_malformed",
            Self::RootSignatureInvalid => "root_signature_invalid",
            Self::RootThreshold { .. } => "root_threshold",
            Self::RootVersion { .. } => "root_version",
            Self::RootExpired => "root_expired",
            Self::ReleaseMalformed(_) => "release_malformed",
            Self::ReleaseSignatureInvalid => "release_signature_invalid",
            Self::ReleaseThreshold { .. } => "release_threshold",
            Self::ReleaseExpired => "release_expired",
            Self::ReleaseRolledBack { .. } => "release_rolled_back",
            Self::ReleaseDenied => "release_denied",
            Self::ImageDenied => "image_denied",
            Self::ReleaseChannelMismatch => "release_channel_mismatch",
            Self::ReleaseMismatch => "release_mismatch",
            Self::PlatformSignatureInvalid => "platform_signature_invalid",
            Self::AssuranceNotAccepted(_) => "assurance_not_accepted",
            Self::OperatorNotTrusted(_) => "operator_not_trusted",
            Self::ParametersMismatch => "parameters_mismatch",
            Self::TermsMismatch(_) => "terms_mismatch",
            Self::MeasurementMismatch => "measurement_mismatch",
            Self::MeasurementMissing(_) => "measurement_missing",
            Self::BootBindingMismatch => "boot_binding_mismatch",
            Self::ClockWrong => "clock_wrong",
            Self::PlatformFromFuture => "platform_from_future",
            Self::LeaseEnded => "lease_ended",
            Self::LiveExporterMissing => "live_exporter_missing",
            Self::LiveReflection => "live_reflection",
            Self::LiveMalformed => "live_malformed",
            Self::LiveTooOld { .. } => "live_too_old",
            Self::LiveBindingMismatch => "live_binding_mismatch",
            Self::BatchSize { .. } => "batch_size",
            Self::QuoteFailed => "quote_failed",
            Self::TpmPublicMalformed(_) => "tpm_public_malformed",
            Self::AkUnsuitable(_) => "ak_unsuitable",
            Self::QuoteMalformed(_) => "quote_malformed",
            Self::QuoteMagic => "quote_magic",
            Self::QuoteType => "quote_type",
            Self::QuoteSignatureInvalid => "quote_signature_invalid",
            Self::PcrBankMismatch => "pcr_bank_mismatch",
            Self::PcrSelectionMismatch => "pcr_selection_mismatch",
            Self::PcrDigestMismatch => "pcr_digest_mismatch",
            Self::PcrMismatch(_) => "pcr_mismatch",
            Self::PcrInjected(_) => "pcr_injected",
            Self::LivePcrSelectionMismatch => "live_pcr_selection_mismatch",
            Self::LivePcrMismatch => "live_pcr_mismatch",
            Self::LiveReset => "live_reset",
            Self::PlatformEndMismatch => "platform_end_mismatch",
            Self::DocumentMalformed(_) => "document_malformed",
            Self::DocumentSignatureInvalid => "document_signature_invalid",
            Self::DocumentNonceMismatch => "document_nonce_mismatch",
            Self::DocumentStale => "document_stale",
            Self::ChainInvalid(_) => "chain_invalid",
            Self::ChainRootUnknown => "chain_root_unknown",
            Self::ChainExpired => "chain_expired",
            Self::ReleaseMissing => "release_missing",
            Self::EkUnsuitable(_) => "ek_unsuitable",
            Self::EkCertificateMalformed(_) => "ek_certificate_malformed",
            Self::EkCertificateUnsuitable(_) => "ek_certificate_unsuitable",
            Self::EkIssuerUnknown => "ek_issuer_unknown",
            Self::EkCertificateExpired => "ek_certificate_expired",
            Self::EkKeyMismatch => "ek_key_mismatch",
            Self::CredentialImpossible => "credential_impossible",
            Self::CredentialAnswerWrong => "credential_answer_wrong",
            Self::RandomnessUnavailable => "randomness_unavailable",
        }
    }

    /// What the refusal says about the relay: most say "refused"; what only
    /// this build cannot judge is "unknown"; what was good is "expired".
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::EvidenceKindUnknown(_)
            | Self::RootMissing
            | Self::ReleaseMissing
            | Self::ClockWrong
            | Self::PlatformFromFuture => Status::Unknown,
            Self::RootExpired
            | Self::ReleaseExpired
            | Self::LeaseEnded
            | Self::DocumentStale
            | Self::ChainExpired
            | Self::EkCertificateExpired => Status::Expired,
            _ => Status::Refused,
        }
    }
}
