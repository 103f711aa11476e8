//! `sbom.json`: what is in the image, in the form CycloneDX 1.6.

use crate::Error;
use crate::command::run;
use crate::program::{Source, TARGET};
use crate::recipe::{Input, Recipe};
use serde::Serialize;
use std::collections::BTreeSet;
use std::process::Command;

/// Its name in an image's folder.
pub const FILE: &str = "sbom.json";

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
/// target, the C library that is linked in, the kernel and the stub.
///
/// # Errors
/// `tool_missing`, `tool_failed`: cargo reads the dependencies from the source.
pub fn list(source: &Source, recipe: &Recipe) -> Result<Bill, Error> {
    let mut components = crates(source)?;
    if let Some(toolchain) = &recipe.program.toolchain {
        components.insert(libc(&toolchain.libc));
    }
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
    let mut cargo = Command::new("cargo");
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

fn libc(version: &str) -> Component {
    Component {
        kind: "library",
        name: "glibc".into(),
        version: version.into(),
        purl: format!("pkg:deb/debian/libc6-dev@{version}"),
        licenses: vec![Licence {
            expression: "LGPL-2.1-or-later".into(),
        }],
        hashes: Vec::new(),
    }
}

fn input(kind: &'static str, licence: &str, input: &Input) -> Component {
    let origin = &input.origin;
    let hash = |content: &str| Hash {
        alg: "SHA-256",
        content: content.into(),
    };
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
        hashes: vec![hash(&input.sha256)],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
