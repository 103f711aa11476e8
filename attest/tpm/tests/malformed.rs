//! A TPM that answers wrongly: it is somebody else's program, and each wrong
//! answer has a name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::{Read, Result, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use tpm::{Ak, Device, Ek};
use tpm2_protocol::TpmUnmarshal;
use tpm2_protocol::TpmWriter;
use tpm2_protocol::basic::{TpmHandle, TpmUint64};
use tpm2_protocol::data::{
    Tpm2bAttest, Tpm2bCreationData, Tpm2bData, Tpm2bDigest, Tpm2bEccParameter, Tpm2bName,
    Tpm2bPublic, TpmAlgId, TpmRc, TpmRcBase, TpmRh, TpmSt, TpmsAttest, TpmsAuthResponse,
    TpmsClockInfo, TpmsQuoteInfo, TpmsSignatureEcc, TpmtPublic, TpmtSignature, TpmtTkCreation,
    TpmuAttest, TpmuSignature,
};
use tpm2_protocol::frame::{
    TpmCreatePrimaryResponse, TpmFrame, TpmGetRandomResponse, TpmQuoteResponse,
    tpm_marshal_response,
};

/// Gives one prepared answer for each command, in pieces.
struct Fake {
    answers: VecDeque<Vec<u8>>,
    pending: VecDeque<u8>,
    piece: usize,
    commands: Arc<AtomicUsize>,
}

impl Read for Fake {
    fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        let len = self.piece.min(to.len()).min(self.pending.len());
        for (slot, byte) in to.iter_mut().zip(self.pending.drain(..len)) {
            *slot = byte;
        }
        Ok(len)
    }
}

impl Write for Fake {
    fn write(&mut self, command: &[u8]) -> Result<usize> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        self.pending
            .extend(self.answers.pop_front().unwrap_or_default());
        Ok(command.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn device(answers: &[Vec<u8>], piece: usize) -> (Device, Arc<AtomicUsize>) {
    let commands = Arc::new(AtomicUsize::new(0));
    let fake = Fake {
        answers: answers.iter().cloned().collect(),
        pending: VecDeque::new(),
        piece,
        commands: commands.clone(),
    };
    (Device::over(fake), commands)
}

/// What `random` says to one answer.
fn random(answer: &[u8]) -> std::result::Result<(), tpm::Error> {
    device(&[answer.to_vec()], 7).0.random(&mut [0; 16])
}

fn frame(tag: u16, code: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(10 + body.len()).unwrap();
    [
        &tag.to_be_bytes()[..],
        &len.to_be_bytes(),
        &code.to_be_bytes(),
        body,
    ]
    .concat()
}

fn marshalled<R: TpmFrame>(response: &R, sessions: usize) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let mut writer = TpmWriter::new(&mut buffer);
    let sessions = vec![TpmsAuthResponse::default(); sessions];
    let success = TpmRc::Fmt0(TpmRcBase::Success);
    tpm_marshal_response(response, success, &sessions, &mut writer).unwrap();
    let len = writer.len();
    buffer.truncate(len);
    buffer
}

fn sixteen() -> Vec<u8> {
    marshalled(
        &TpmGetRandomResponse {
            handles: [],
            random_bytes: Tpm2bDigest::try_from([7; 16].as_slice()).unwrap(),
        },
        0,
    )
}

fn thirty_two() -> Vec<u8> {
    frame(0x8001, 0, &[&[0, 32][..], &[7; 32]].concat())
}

const NO_SESSIONS: u16 = TpmSt::NoSessions as u16;
const SESSIONS: u16 = TpmSt::Sessions as u16;

#[test]
fn a_right_answer_is_taken_in_pieces_of_any_size() {
    for piece in [1, 2, 9, 10, 11, 4096] {
        let mut got = [0; 16];
        let (device, _) = device(&[sixteen()], piece);
        device.random(&mut got).unwrap();
        assert_eq!(got, [7; 16]);
    }
}

#[test]
fn an_answer_that_ends_early_is_truncated_and_the_device_is_out_of_step() {
    let whole = sixteen();
    for len in 0..whole.len() {
        let (device, _) = device(&[whole[..len].to_vec(), whole.clone()], 4096);
        let mut to = [0; 16];
        let refused = device.random(&mut to).unwrap_err();
        assert_eq!(refused, tpm::Error::ResponseTruncated(len));
        let next = device.random(&mut to).unwrap_err();
        assert_eq!(next.reason(), "device_out_of_step");
    }
    let mut short = whole;
    short[5] = 9;
    assert_eq!(random(&short).unwrap_err().reason(), "response_truncated");
}

#[test]
fn an_answer_that_is_too_long_is_refused_before_it_is_read() {
    let trailing = [sixteen(), vec![0]].concat();
    let (device, _) = device(&[trailing], 4096);
    assert_eq!(
        device.random(&mut [0; 16]).unwrap_err().reason(),
        "response_oversized"
    );
    for len in [4097, u32::MAX] {
        let mut huge = sixteen();
        huge[2..6].copy_from_slice(&len.to_be_bytes());
        assert_eq!(random(&huge).unwrap_err().reason(), "response_oversized");
    }
}

#[test]
fn another_tag_than_the_command_s_is_refused() {
    for tag in [0, 0x00c4, 0x8000, 0x8003, 0xffff, SESSIONS] {
        let mut answer = sixteen();
        answer[..2].copy_from_slice(&tag.to_be_bytes());
        assert_eq!(
            random(&answer).unwrap_err(),
            tpm::Error::ResponseTagWrong(tag)
        );
    }
    assert_eq!(
        random(&frame(SESSIONS, 0x101, &[])).unwrap_err(),
        tpm::Error::ResponseTagWrong(SESSIONS)
    );
}

#[test]
fn answers_that_say_something_else_are_named() {
    for (body, reason) in [
        (&[0, 16, 1][..], "response_malformed"),
        (&[], "response_malformed"),
        (&[0, 2, 1, 1, 1], "response_malformed"),
        (&[0, 0], "response_unrelated"),
        (&[0, 2, 1, 1], "response_unrelated"),
    ] {
        let answer = frame(NO_SESSIONS, 0, body);
        assert_eq!(random(&answer).unwrap_err().reason(), reason, "{body:?}");
    }
    let many = frame(NO_SESSIONS, 0, &[&[0, 32][..], &[1; 32]].concat());
    assert_eq!(random(&many).unwrap_err().reason(), "response_unrelated");
}

#[test]
fn a_refusal_keeps_its_code_and_its_name_in_the_specification() {
    let refused = random(&frame(NO_SESSIONS, 0x101, &[])).unwrap_err();
    assert_eq!(refused.reason(), "command_refused");
    assert!(refused.to_string().contains("TPM_RC_FAILURE"), "{refused}");
    let vendor = random(&frame(NO_SESSIONS, 0x0008_0001, &[])).unwrap_err();
    assert!(vendor.to_string().contains("0x00080001"), "{vendor}");
    let long = random(&frame(NO_SESSIONS, 0x101, &[0]));
    assert_eq!(long.unwrap_err().reason(), "response_malformed");
}

#[test]
fn a_busy_tpm_is_asked_again_and_not_for_ever() {
    for code in [0x922, 0x908, 0x90a] {
        let again = frame(NO_SESSIONS, code, &[]);
        let (patient, commands) = device(&[again.clone(), again, sixteen()], 4096);
        patient.random(&mut [0; 16]).unwrap();
        assert_eq!(commands.load(Ordering::Relaxed), 3);
    }
    let (busy, commands) = device(&vec![frame(NO_SESSIONS, 0x922, &[]); 20], 4096);
    assert_eq!(
        busy.random(&mut [0; 16]).unwrap_err().reason(),
        "device_busy"
    );
    assert_eq!(commands.load(Ordering::Relaxed), 8);
}

#[test]
fn registers_other_than_those_asked_for_are_refused() {
    let selection = [0, 0, 0, 1, 0, 0x0b, 3, 0x90, 0x3a, 0];
    let answer = |selection: &[u8], count: u8| {
        let values = [&[0, 32][..], &[5; 32]].concat().repeat(count.into());
        let body = [&[0, 0, 0, 9], selection, &[0, 0, 0, count], &values].concat();
        device(&[frame(NO_SESSIONS, 0, &body)], 4096).0.pcrs()
    };
    assert_eq!(answer(&selection, 6).unwrap(), [[5; 32]; 6]);
    for count in [0, 5, 7] {
        let refused = answer(&selection, count).unwrap_err();
        assert_eq!(refused.reason(), "pcrs_missing", "{count} values");
    }
    let fewer = [0, 0, 0, 1, 0, 0x0b, 3, 0x90, 0x3a, 1];
    assert_eq!(answer(&fewer, 6).unwrap_err().reason(), "pcrs_missing");
    let none = [0, 0, 0, 0];
    assert_eq!(answer(&none, 0).unwrap_err().reason(), "pcrs_missing");
}

/// A `TPMT_PUBLIC` of an attestation key with these attributes.
fn public(attributes: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0x23, 0, 0x0b];
    bytes.extend(attributes.to_be_bytes());
    bytes.extend([0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10]);
    for byte in [1; 2] {
        bytes.extend([0, 32]);
        bytes.extend([byte; 32]);
    }
    bytes
}

fn created(attributes: u32) -> Vec<u8> {
    let public = public(attributes);
    let (inner, rest) = TpmtPublic::unmarshal(&public).unwrap();
    assert!(rest.is_empty());
    marshalled(
        &TpmCreatePrimaryResponse {
            handles: [TpmHandle::from(0x8000_0000u32)],
            out_public: Tpm2bPublic { inner },
            creation_data: Tpm2bCreationData::default(),
            creation_hash: Tpm2bDigest::default(),
            creation_ticket: TpmtTkCreation {
                tag: TpmSt::Creation,
                hierarchy: TpmRh::Endorsement,
                digest: Tpm2bDigest::default(),
            },
            name: Tpm2bName::default(),
        },
        1,
    )
}

const ATTRIBUTES: u32 = 0x0005_0072;

#[test]
fn a_key_that_could_sign_anything_is_not_taken() {
    for attributes in [ATTRIBUTES & !(1 << 16), ATTRIBUTES & !(1 << 1)] {
        let (device, _) = device(&[thirty_two(), created(attributes)], 4096);
        let refused = Ak::create(&device).unwrap_err();
        assert_eq!(refused.reason(), "key_unsuitable");
    }
}

/// The answer to a quote over `nonce`, with halves of a signature.
fn quote(nonce: [u8; 32], r: &[u8], s: &[u8]) -> Vec<u8> {
    let half = |half| Tpm2bEccParameter::try_from(half).unwrap();
    let inner = TpmsAttest {
        attest_type: TpmSt::AttestQuote,
        qualified_signer: Tpm2bName::default(),
        extra_data: Tpm2bData::try_from(nonce.as_slice()).unwrap(),
        clock_info: TpmsClockInfo::default(),
        firmware_version: TpmUint64::from(1u64),
        attested: TpmuAttest::Quote(TpmsQuoteInfo::default()),
    };
    marshalled(
        &TpmQuoteResponse {
            handles: [],
            quoted: Tpm2bAttest { inner },
            signature: TpmtSignature {
                sig_alg: TpmAlgId::Ecdsa,
                signature: TpmuSignature::Ecdsa(TpmsSignatureEcc {
                    hash: TpmAlgId::Sha256,
                    signature_r: half(r),
                    signature_s: half(s),
                }),
            },
        },
        1,
    )
}

/// What a key says when its TPM answers a quote with `answer`.
fn quoted(answer: Vec<u8>) -> std::result::Result<Vec<u8>, tpm::Error> {
    let (device, _) = device(&[thirty_two(), created(ATTRIBUTES), answer], 4096);
    Ak::create(&device).unwrap().quote(&[9; 32])
}

#[test]
fn a_quote_over_another_nonce_is_refused() {
    assert!(quoted(quote([9; 32], &[1; 32], &[2; 32])).is_ok());
    let other = quoted(quote([8; 32], &[1; 32], &[2; 32]));
    assert_eq!(other.unwrap_err().reason(), "response_unrelated");
}

#[test]
fn halves_of_a_signature_get_their_leading_zeros_and_no_more() {
    let quote_of = |r: &[u8]| quoted(quote([9; 32], r, &[2; 32]));
    let got = quote_of(&[1; 31]).unwrap();
    let tail = [
        &[0, 0x18, 0, 0x0b, 0, 32, 0][..],
        &[1; 31],
        &[0, 32],
        &[2; 32],
    ]
    .concat();
    assert!(got.ends_with(&tail));
    assert_eq!(
        quote_of(&[1; 33]).unwrap_err().reason(),
        "response_malformed"
    );
}

static ANSWERS: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    [
        thirty_two(),
        created(ATTRIBUTES),
        quote([9; 32], &[1; 32], &[2; 32]),
    ]
});

proptest! {
    #[test]
    fn any_bytes_are_answered_with_a_name(
        answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
        piece in 1usize..300,
    ) {
        // Codes that ask for the command again would only make this slow.
        let (first, _) = device(&answers, piece);
        prop_assert!(first.pcrs().is_err());
        let (second, _) = device(&answers, piece);
        prop_assert!(Ek::load(&second).is_err());
        let (third, _) = device(&answers, piece);
        prop_assert!(Ak::create(&third).is_err());
    }

    #[test]
    fn a_well_framed_body_of_any_bytes_is_no_panic(
        body in prop::collection::vec(any::<u8>(), 0..400),
        sessions in any::<bool>(),
    ) {
        let tag = if sessions { SESSIONS } else { NO_SESSIONS };
        let answer = frame(tag, 0, &body);
        let _ = random(&answer);
        let _ = device(std::slice::from_ref(&answer), 4096).0.pcrs();
        let _ = Ek::load(&device(&[answer.clone(), answer.clone(), answer.clone()], 4096).0);
        let (keys, _) = device(&[thirty_two(), answer.clone()], 4096);
        prop_assert!(Ak::create(&keys).is_err());
        prop_assert!(quoted(answer).is_err());
    }

    /// What does come back is a whole quote over the nonce.
    #[test]
    fn an_altered_answer_gives_an_error_or_a_whole_quote(
        which in 0usize..3, at in any::<prop::sample::Index>(), with in 1u8..,
    ) {
        let mut answers = ANSWERS.to_vec();
        let at = at.index(answers[which].len());
        // Not a code that asks for the command again: it is slow, and tested.
        prop_assume!(!(6..10).contains(&at));
        answers[which][at] ^= with;
        let (device, _) = device(&answers, 4096);
        if let Ok(ak) = Ak::create(&device)
            && let Ok(quote) = ak.quote(&[9; 32])
        {
            let len = usize::from(u16::from_be_bytes([quote[0], quote[1]]));
            prop_assert_eq!(quote.len(), 2 + len + 4 + 2 * 34);
            prop_assert_eq!(&quote[2..8], &[0xff, 0x54, 0x43, 0x47, 0x80, 0x18]);
            prop_assert!(quote.windows(32).any(|window| window == [9; 32]));
        }
    }
}
