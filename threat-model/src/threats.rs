//! The attacks: one module per threat that the catalogue shows.

pub mod a3;
pub mod a8;
pub mod a9;
pub mod b1;
pub mod b10;
pub mod b11;
pub mod b13;
pub mod b14;
pub mod b2;
pub mod b3;
pub mod b4;
pub mod b5;
pub mod b6;
pub mod b7;
pub mod b8;
pub mod b9;
pub mod c2;
pub mod c7;
pub mod c8;
pub mod c9;
pub mod d1;
pub mod d10;
pub mod d11;
pub mod d2;
pub mod d3;
pub mod d4;
pub mod d5;
pub mod d6;
pub mod d7;
pub mod d8;
pub mod d9;
pub mod e1;
pub mod e2;
pub mod e3;
pub mod e4;
pub mod e5;
pub mod e6;
pub mod e7;
pub mod f1;
pub mod f2;
pub mod f3;
pub mod f4;
pub mod f5;
pub mod g1;
pub mod g2;
pub mod g3;

use crate::Attack;

/// Every attack that is shown.
pub const ALL: &[&Attack] = &[
    &a3::ATTACK,
    &a8::ATTACK,
    &a9::ATTACK,
    &b1::ATTACK,
    &b2::ATTACK,
    &b3::ATTACK,
    &b4::ATTACK,
    &b5::ATTACK,
    &b6::ATTACK,
    &b7::ATTACK,
    &b8::ATTACK,
    &b9::ATTACK,
    &b10::ATTACK,
    &b11::ATTACK,
    &b13::ATTACK,
    &b14::ATTACK,
    &c2::ATTACK,
    &c7::ATTACK,
    &c8::ATTACK,
    &c9::ATTACK,
    &d1::ATTACK,
    &d2::ATTACK,
    &d3::ATTACK,
    &d4::ATTACK,
    &d5::ATTACK,
    &d6::ATTACK,
    &d7::ATTACK,
    &d8::ATTACK,
    &d9::ATTACK,
    &d10::ATTACK,
    &d11::ATTACK,
    &e1::ATTACK,
    &e2::ATTACK,
    &e3::ATTACK,
    &e4::ATTACK,
    &e5::ATTACK,
    &e6::ATTACK,
    &e7::ATTACK,
    &f1::ATTACK,
    &f2::ATTACK,
    &f3::ATTACK,
    &f4::ATTACK,
    &f5::ATTACK,
    &g1::ATTACK,
    &g2::ATTACK,
    &g3::ATTACK,
];

/// The attack of a threat, if it is shown.
#[must_use]
pub fn attack(id: &str) -> Option<&'static Attack> {
    ALL.iter().copied().find(|attack| attack.id == id)
}
