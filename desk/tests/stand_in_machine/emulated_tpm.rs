//! What an emulator does with a machine's TPM: it hands it a socket for
//! commands over the control channel (swtpm_ioctls(3)) and powers it on.

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use tpm::Device;

const CMD_INIT: u32 = 2;
const CMD_SET_DATA_FD: u32 = 16;
/// `TPM2_Startup(TPM_SU_CLEAR)`, as the firmware sends it.
const STARTUP: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0];

pub(super) fn power_on() -> Device {
    let mut control = UnixStream::connect("tpm.sock").unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let handed = [theirs.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&handed)));
    let command = CMD_SET_DATA_FD.to_be_bytes();
    let vectors = [IoSlice::new(&command)];
    sendmsg(&control, &vectors, &mut ancillary, SendFlags::empty()).unwrap();
    accepted(&mut control);
    control.write_all(&CMD_INIT.to_be_bytes()).unwrap();
    control.write_all(&0_u32.to_be_bytes()).unwrap();
    accepted(&mut control);
    ours.write_all(&STARTUP).unwrap();
    let mut answer = [0; 10];
    ours.read_exact(&mut answer).unwrap();
    assert_eq!(answer[6..], [0; 4]);
    // The TPM ends with its control channel: it is the machine's to the end.
    std::mem::forget(control);
    Device::over(ours)
}

fn accepted(control: &mut UnixStream) {
    let mut result = [0; 4];
    control.read_exact(&mut result).unwrap();
    assert_eq!(result, [0; 4]);
}
