//! The names of the checks.

use serde::{Serialize, Serializer};

wire::code! {
    /// One named check. Their order here is the order in which they are made.
    pub enum Check {
        /// Of when the verdict speaks.
        Time = 36 => "time",
        /// The platform's document is in its one form.
        DocumentForm = 37 => "document_form",
        /// The key of its certificate signed the document.
        DocumentSignature = 38 => "document_signature",
        /// The document's certificates lead to a pinned root.
        DocumentChain = 39 => "document_chain",
        /// The certificate is as its own key signed it.
        Certificate = 0 => "certificate",
        /// The permit or admission names this key.
        Admission = 1 => "admission",
        /// There is evidence.
        Evidence = 2 => "evidence",
        /// The evidence is in its one encoding and of a known kind.
        EvidenceForm = 3 => "evidence_form",
        /// The evidence is for the admitted order.
        Order = 4 => "order",
        /// There is a developer's root, and it is in date.
        Root = 5 => "root",
        /// The release is in its one form.
        ReleaseForm = 6 => "release_form",
        /// Enough of the developer's keys signed the release.
        ReleaseSignature = 7 => "release_signature",
        /// The release is in date.
        ReleaseExpiry = 8 => "release_expiry",
        /// The release is not under the floor of security versions.
        ReleaseRollback = 9 => "release_rollback",
        /// Neither release nor program is denied.
        ReleaseDenylist = 10 => "release_denylist",
        /// The release is of the channel that was ordered.
        ReleaseChannel = 11 => "release_channel",
        /// The platform's statement is signed by the platform's root.
        Platform = 12 => "platform",
        /// The platform's statement is in its one form.
        PlatformForm = 13 => "platform_form",
        /// The platform speaks of the same order.
        PlatformOrder = 14 => "platform_order",
        /// The platform speaks of this release file.
        PlatformRelease = 15 => "platform_release",
        /// The statement's time and the lease fit the clock.
        Freshness = 16 => "freshness",
        /// The policy takes this assurance.
        Assurance = 17 => "assurance",
        /// The attestation key signs its TPM's own statements alone.
        AttestationKey = 27 => "attestation_key",
        /// The quote is in its one form, made by a TPM, over registers.
        QuoteForm = 28 => "quote_form",
        /// The attestation key signed the quote.
        QuoteSignature = 29 => "quote_signature",
        /// The quote is over exactly the released registers.
        PcrSelection = 30 => "pcr_selection",
        /// The registers that are shown are the quoted ones.
        PcrDigest = 31 => "pcr_digest",
        /// The image is not denied.
        ImageDenylist = 35 => "image_denylist",
        /// Nothing was handed to the boot from beside the image.
        Injection = 32 => "injection",
        /// The measured program is the release's.
        Measurement = 18 => "measurement",
        /// The parameters are those that the platform certified.
        Parameters = 19 => "parameters",
        /// The parameters give what the order paid for.
        Terms = 20 => "terms",
        /// The boot evidence binds key, order and parameters.
        Boot = 21 => "boot",
        /// The connection has an exporter.
        LiveExporter = 22 => "live_exporter",
        /// The other end's key is not our own.
        LiveReflection = 23 => "live_reflection",
        /// The answer is young enough.
        LiveAge = 24 => "live_age",
        /// Index, count and path fit.
        LiveForm = 25 => "live_form",
        /// The quote is over this connection, both keys, order and nonce.
        LiveBinding = 26 => "live_binding",
        /// The registers are those of the boot.
        LiveMeasurement = 33 => "live_measurement",
        /// The machine was not reset since its boot evidence.
        LiveReset = 34 => "live_reset",
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
