//! GUIDs in the byte order of UEFI: the first three fields little-endian.

/// 16 bytes as they stand in variables and partition tables.
pub type Guid = [u8; 16];

const fn guid(first: u32, second: u16, third: u16, rest: [u8; 8]) -> Guid {
    let (a, b, c) = (
        first.to_le_bytes(),
        second.to_le_bytes(),
        third.to_le_bytes(),
    );
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rest;
    let ([a0, a1, a2, a3], [b0, b1], [c0, c1]) = (a, b, c);
    [
        a0, a1, a2, a3, b0, b1, c0, c1, r0, r1, r2, r3, r4, r5, r6, r7,
    ]
}

/// `EFI_GLOBAL_VARIABLE` (UEFI 2.10 section 3.3): `SecureBoot`, `PK`, `KEK`.
pub const GLOBAL_VARIABLE: Guid = guid(
    0x8be4_df61,
    0x93ca,
    0x11d2,
    [0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c],
);
/// `EFI_IMAGE_SECURITY_DATABASE_GUID` (section 32.4.1): `db`, `dbx`.
pub const SECURITY_DATABASE: Guid = guid(
    0xd719_b2cb,
    0x3d3a,
    0x4596,
    [0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f],
);
/// `EFI_CERT_X509_GUID` (section 32.4.1): a list of certificates.
pub const CERTIFICATE_X509: Guid = guid(
    0xa5c0_59a1,
    0x94e4,
    0x4aa7,
    [0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72],
);
/// The owner that Roundcast's tools write beside the certificates they enrol.
pub const OWNER: Guid = guid(
    0x6b1f_9d02,
    0x51c4,
    0x4e0b,
    [0x9a, 0x57, 0x72, 0x6f, 0x75, 0x6e, 0x64, 0x63],
);
/// `gEfiSystemNvDataFvGuid` (EDK II): the volume of variables.
pub(crate) const SYSTEM_NV_DATA: Guid = guid(
    0xfff1_2b8d,
    0x7696,
    0x4c8b,
    [0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50],
);
/// `gEfiAuthenticatedVariableGuid` (EDK II): the store inside that volume.
pub(crate) const AUTHENTICATED_VARIABLES: Guid = guid(
    0xaaf3_2c78,
    0x947b,
    0x439a,
    [0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92],
);
/// The type of an EFI system partition (UEFI 2.10 section 5.3.3).
pub(crate) const SYSTEM_PARTITION: Guid = guid(
    0xc12a_7328,
    0xf81f,
    0x11d2,
    [0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b],
);
/// The disk and its partition bear the same names in every image: images are
/// told apart by their content alone.
pub(crate) const DISK: Guid = guid(
    0x524f_554e,
    0x4443,
    0x4153,
    [0x8d, 0x49, 0x53, 0x4b, 0x00, 0x00, 0x00, 0x01],
);
pub(crate) const PARTITION: Guid = guid(
    0x524f_554e,
    0x4443,
    0x4153,
    [0x8d, 0x49, 0x53, 0x4b, 0x00, 0x00, 0x00, 0x02],
);
