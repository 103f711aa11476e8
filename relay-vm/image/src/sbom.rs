//! `sbom.json`: what is in the image, in the form CycloneDX 1.6.

use crate::Error;
use crate::command::run;
use crate::program::{Source, TARGET, cargo};
use crate::recipe::{Input, Recipe, Toolchain};
use serde::Serialize;
use std::collections::BTreeSet;

/// Its name in an image's folder.
pub const FILE: &str = "sbom.json";

/// The version of a part that nobody told.
const UNKNOWN: &str = "unknown";

/// A bill of materials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    components: Vec<Component>,
}

/// One part of the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    version: String,
    purl: String,
    licenses: Vec<Licence>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Licence {
    expression: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

/// Lists the packages that are compiled into the program for the image's
/// target, the libraries that are linked in, the kernel and the stub.
///
/// # Errors
/// `tool_missing`, `tool_failed`: cargo reads the dependencies from the source.
pub fn list(source: &Source, recipe: &Recipe) -> Result<Bill, Error> {
    let mut components = crates(source)?;
    components.extend(linked(recipe.program.toolchain.as_ref()));
    components.insert(input("operating-system", "GPL-2.0-only", &recipe.kernel));
    components.insert(input("firmware", "LGPL-2.1-or-later", &recipe.stub));
    Ok(Bill {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        version: 1,
        components: components.into_iter().collect(),
    })
}

fn crates(source: &Source) -> Result<BTreeSet<Component>, Error> {
    let mut cargo = cargo();
    cargo
        .current_dir(&source.folder)
        .args(["tree", "--locked", "--package", &source.package]);
    cargo.args(["--edges", "normal", "--target", TARGET, "--prefix", "none"]);
    cargo.args(["--format", "{p}\t{l}"]);
    let tree = run("list the dependencies", "cargo", &mut cargo)?;
    Ok(tree.lines().filter_map(component).collect())
}

/// A line `name vVERSION (where)<TAB>licence (*)`.
fn component(line: &str) -> Option<Component> {
    let (package, licence) = line.split_once('\t')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let licence = licence.trim_end_matches(" (*)").replace('/', " OR ");
    Some(Component {
        kind: "library",
        name: name.into(),
        version: version.into(),
        purl: format!("pkg:cargo/{name}@{version}"),
        licenses: vec![Licence {
            expression: licence,
        }],
        hashes: Vec::new(),
    })
}

/// What every static program of this target holds besides its crates. Which
/// version is not known of one that was given and not compiled here.
fn linked(toolchain: Option<&Toolchain>) -> [Component; 3] {
    let version = |of: fn(&Toolchain) -> &str| {
        toolchain.map_or_else(|| UNKNOWN.to_owned(), |toolchain| of(toolchain).to_owned())
    };
    let library = |name: &str, version: String, purl: &str, licence: &str| Component {
        kind: "library",
        name: name.into(),
        purl: format!("{purl}@{version}"),
        version,
        licenses: vec![Licence {
            expression: licence.into(),
        }],
        hashes: Vec::new(),
    };
    let mut libc = library(
        "glibc",
        version(|toolchain| &toolchain.libc),
        "pkg:deb/debian/libc6-dev",
        "LGPL-2.1-or-later",
    );
    libc.hashes
        .extend(toolchain.map(|toolchain| sha256(&toolchain.libc_sha256)));
    [
        libc,
        library(
            "libgcc",
            version(|toolchain| last_word(&toolchain.cc)),
            "pkg:generic/libgcc",
            "GPL-3.0-or-later WITH GCC-exception-3.1",
        ),
        library(
            "rust-std",
            version(|toolchain| second_word(&toolchain.rustc)),
            "pkg:generic/rust-std",
            "MIT OR Apache-2.0",
        ),
    ]
}

/// `cc (Debian 12.2.0-14+deb12u1) 12.2.0`.
fn last_word(text: &str) -> &str {
    text.rsplit(' ').next().unwrap_or(UNKNOWN)
}

/// `rustc 1.95.0 (59807616e 2026-04-14); ..`.
fn second_word(text: &str) -> &str {
    text.split(' ').nth(1).unwrap_or(UNKNOWN)
}

fn sha256(content: &str) -> Hash {
    Hash {
        alg: "SHA-256",
        content: content.into(),
    }
}

fn input(kind: &'static str, licence: &str, input: &Input) -> Component {
    let origin = &input.origin;
    Component {
        kind,
        name: origin.package.clone(),
        version: origin.version.clone(),
        purl: format!(
            "pkg:deb/debian/{}@{}?arch=amd64",
            origin.package, origin.version
        ),
        licenses: vec![Licence {
            expression: licence.into(),
        }],
        hashes: vec![sha256(&input.sha256)],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_libraries_stand_in_it_by_the_toolchain_s_versions() {
        let toolchain = Toolchain {
            rustc: "rustc 1.95.0 (59807616e 2026-04-14); binary: rustc".into(),
            libc: "2.36-9+deb12u14".into(),
            libc_sha256: "ab".repeat(32),
            cc: "cc (Debian 12.2.0-14+deb12u1) 12.2.0".into(),
            linker: "LLD 22".into(),
            flags: String::new(),
        };
        let versions = linked(Some(&toolchain)).map(|part| (part.name, part.version));
        let expected = [
            ("glibc", "2.36-9+deb12u14"),
            ("libgcc", "12.2.0"),
            ("rust-std", "1.95.0"),
        ];
        assert_eq!(versions, expected.map(|(n, v)| (n.into(), v.into())));
        assert!(linked(None).iter().all(|part| part.version == UNKNOWN));
    }

    #[test]
    fn a_line_of_cargo_becomes_a_component_without_a_place() {
        let found = component("wire v0.1.0 (/somewhere/wire)\tMIT/Apache-2.0 (*)").unwrap();
        assert_eq!(
            (found.name.as_str(), found.version.as_str()),
            ("wire", "0.1.0")
        );
        assert_eq!(
            found.licenses.first().unwrap().expression,
            "MIT OR Apache-2.0"
        );
        assert_eq!(found.purl, "pkg:cargo/wire@0.1.0");
        assert_eq!(component(""), None);
    }
}
