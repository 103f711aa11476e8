//! Commands and answers as bytes: the header, who authorises, and what is in
//! it (TPM 2.0 Library, Part 1, section 18).

use crate::error::Error;
use tpm2_protocol::TpmWriter;
use tpm2_protocol::basic::TpmHandle;
use tpm2_protocol::constant::TPM_MAX_COMMAND_SIZE;
use tpm2_protocol::data::{TpmCc, TpmRh, TpmSt, TpmaSession, TpmsAuthCommand};
use tpm2_protocol::frame::{TpmFrame, TpmResponse, TpmUnmarshalBody, tpm_marshal_command};
use zeroize::Zeroizing;

/// Longest command and answer, in bytes: what the specification's reference
/// takes, and more than any command here needs.
pub(crate) const FRAME_BYTES_MAX: usize = TPM_MAX_COMMAND_SIZE;
/// Tag, length and code.
pub(crate) const HEADER_BYTES: usize = 10;
/// `TPM_RC_SUCCESS`.
const SUCCESS: u32 = 0;

/// Who authorises the use of a handle.
pub(crate) enum Authorization {
    /// The empty password: what a key or hierarchy of ours has.
    Empty,
    /// A policy session, which ends with the command.
    Policy(TpmHandle),
}

impl Authorization {
    fn to_command(&self) -> TpmsAuthCommand {
        TpmsAuthCommand {
            session_handle: match self {
                Self::Empty => TpmHandle::from(TpmRh::Pw as u32),
                Self::Policy(session) => *session,
            },
            session_attributes: TpmaSession::empty(),
            ..TpmsAuthCommand::default()
        }
    }
}

/// A command's bytes. `by` authorises its handles, in their order.
pub(crate) fn command<C: TpmFrame>(command: &C, by: &[Authorization]) -> Result<Vec<u8>, Error> {
    let invalid = |_| Error::CommandInvalid(command.cc());
    let sessions: Vec<_> = by.iter().map(Authorization::to_command).collect();
    let tag = tag(by);
    let mut buffer = vec![0; FRAME_BYTES_MAX];
    let mut writer = TpmWriter::new(&mut buffer);
    tpm_marshal_command(command, tag, &sessions, &mut writer).map_err(invalid)?;
    let len = writer.len();
    buffer.truncate(len);
    Ok(buffer)
}

/// The tag of a command, and of its answer if the TPM obeys.
fn tag(by: &[Authorization]) -> TpmSt {
    if by.is_empty() {
        TpmSt::NoSessions
    } else {
        TpmSt::Sessions
    }
}

/// The first bytes of an answer.
pub(crate) struct Header {
    tag: u16,
    /// Length of the whole answer, header included.
    pub(crate) len: usize,
    /// `TPM_RC`.
    pub(crate) code: u32,
}

impl Header {
    /// Reads the header at the front of `bytes`, none if they are too few.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let Some((&[t0, t1, l0, l1, l2, l3, c0, c1, c2, c3], _)) =
            bytes.split_first_chunk::<HEADER_BYTES>()
        else {
            return Ok(None);
        };
        let tag = u16::from_be_bytes([t0, t1]);
        if tag != TpmSt::NoSessions as u16 && tag != TpmSt::Sessions as u16 {
            return Err(Error::ResponseTagWrong(tag));
        }
        let len = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3]))
            .map_err(|_| Error::ResponseOversized)?;
        if len > FRAME_BYTES_MAX {
            return Err(Error::ResponseOversized);
        }
        if len < HEADER_BYTES {
            return Err(Error::ResponseTruncated(len));
        }
        let code = u32::from_be_bytes([c0, c1, c2, c3]);
        Ok(Some(Self { tag, len, code }))
    }
}

/// The answer to one command: what the crate made of it, and the parameters'
/// own bytes for what is passed on as it stands.
pub(crate) struct Answer<R> {
    pub(crate) body: R,
    pub(crate) parameters: Zeroizing<Vec<u8>>,
}

impl<R: TpmUnmarshalBody> Answer<R> {
    /// Reads a whole answer to a command that `by` authorised.
    pub(crate) fn parse(bytes: &[u8], by: &[Authorization]) -> Result<Self, Error> {
        let command = R::CC;
        let malformed = |_| Error::ResponseMalformed(command);
        let header = Header::parse(bytes)?.ok_or(Error::ResponseTruncated(bytes.len()))?;
        if header.code != SUCCESS {
            return Err(refusal(&header, bytes.len(), command));
        }
        if header.tag != tag(by) as u16 {
            return Err(Error::ResponseTagWrong(header.tag));
        }
        let response = TpmResponse::cast(bytes).map_err(malformed)?;
        response.validate(command).map_err(malformed)?;
        let (handles, parameters) = areas(response.body(), R::HANDLES, !by.is_empty())
            .ok_or(Error::ResponseMalformed(command))?;
        Ok(Self {
            body: R::unmarshal_body(handles, parameters).map_err(malformed)?,
            parameters: Zeroizing::new(parameters.to_vec()),
        })
    }
}

/// A refusal is a header alone, without sessions.
fn refusal(header: &Header, len: usize, command: TpmCc) -> Error {
    if header.tag != TpmSt::NoSessions as u16 {
        Error::ResponseTagWrong(header.tag)
    } else if len != HEADER_BYTES {
        Error::ResponseMalformed(command)
    } else {
        Error::CommandRefused {
            command,
            code: header.code,
        }
    }
}

/// The handles and the parameters of an answer's body. With sessions, the
/// parameters have their length before them and the sessions after them.
fn areas(body: &[u8], handles: usize, sessions: bool) -> Option<(&[u8], &[u8])> {
    let (handles, rest) = body.split_at_checked(handles.checked_mul(4)?)?;
    if !sessions {
        return Some((handles, rest));
    }
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    Some((handles, rest.get(..len)?))
}

/// The content of the `TPM2B` at the front, and what follows.
pub(crate) fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}
