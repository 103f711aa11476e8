//! The unified kernel image.

use crate::common::{STUB_MARK, executable, kernel, stub};
use boot::uki::{Parts, assemble};
use boot::{Error, pe};

fn image(stub: &[u8], kernel: &[u8]) -> Result<Vec<u8>, Error> {
    assemble(&Parts {
        stub,
        os_release: "ID=test\n",
        command_line: "quiet",
        initrd: b"archive",
        kernel,
    })
}

#[test]
fn every_part_is_found_again_and_nothing_else_follows() {
    let image = image(&stub(), &kernel()).unwrap();
    let parsed = pe::read(&image, "image").unwrap();
    assert_eq!(pe::section(&parsed, ".osrel").unwrap(), b"ID=test\n");
    assert_eq!(pe::section(&parsed, ".cmdline").unwrap(), b"quiet");
    assert_eq!(pe::section(&parsed, ".initrd").unwrap(), b"archive");
    assert_eq!(pe::section(&parsed, ".linux").unwrap(), kernel());
    assert_eq!(pe::section(&parsed, ".sdmagic").unwrap(), STUB_MARK);
    assert!(
        image.len().is_multiple_of(512),
        "a signature must change no hashed byte"
    );
    assert!(!image.windows(7).any(|bytes| bytes == b"symbols"));
}

#[test]
fn time_stamp_and_checksum_of_the_stub_do_not_show() {
    let plain = image(&stub(), &kernel()).unwrap();
    let mut other = stub();
    other[0x40 + 8] ^= 0xff;
    other[0x40 + 24 + 64] ^= 0xff;
    assert_eq!(image(&other, &kernel()).unwrap(), plain);
}

#[test]
fn a_kernel_cut_short_is_refused_by_name() {
    let whole = kernel();
    for length in 0..whole.len() {
        let error = image(&stub(), &whole[..length]).unwrap_err();
        let reason = error.reason();
        let expected = [
            "kernel_unusable",
            "executable_malformed",
            "executable_truncated",
        ];
        assert!(expected.contains(&reason), "{length} bytes: {reason}");
        assert!(error.to_string().starts_with("kernel: "), "{error}");
    }
    let error = image(&stub(), &whole[..whole.len() - 1]).unwrap_err();
    assert_eq!(error.reason(), "executable_truncated");
}

#[test]
fn another_executable_is_no_stub() {
    let error = image(&executable(&[(".text", b"x")]), &kernel()).unwrap_err();
    assert_eq!(error.reason(), "stub_unknown");
    assert_eq!(
        image(b"MZ", &kernel()).unwrap_err().reason(),
        "executable_malformed"
    );
}

#[test]
fn a_stub_without_room_for_sections_is_refused() {
    let many: Vec<_> = (0..15).map(|_| (".text", b"x".as_slice())).collect();
    let sections = [many, vec![(".sdmagic", STUB_MARK)]].concat();
    let error = image(&executable(&sections), &kernel()).unwrap_err();
    assert_eq!(error.reason(), "stub_header_full");
}

#[test]
fn texts_that_the_stub_would_read_otherwise_are_refused() {
    let (stub, kernel) = (stub(), kernel());
    let parts = Parts {
        stub: &stub,
        os_release: "ID=x\n",
        command_line: "quiet",
        initrd: b"",
        kernel: &kernel,
    };
    for command_line in ["a\nb", "a\0b", "ä"] {
        let error = assemble(&Parts {
            command_line,
            ..parts
        })
        .unwrap_err();
        assert_eq!(error.reason(), "text_malformed", "{command_line:?}");
    }
    let error = assemble(&Parts {
        os_release: "ID=\u{7}\n",
        ..parts
    })
    .unwrap_err();
    assert_eq!(error.reason(), "text_malformed");
}
