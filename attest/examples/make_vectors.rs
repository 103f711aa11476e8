//! Prints a file of `vectors`: `make_vectors NAME`; without one, the names.
#![allow(clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some((_, set)) = common::sets::ALL.iter().find(|(known, _)| *known == name) else {
        let names = common::sets::ALL.map(|(known, _)| known);
        eprintln!("make_vectors {}", names.join("|"));
        std::process::exit(2)
    };
    print!("{}", common::sets::file(&set()));
}
