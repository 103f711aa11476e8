//! The offer of source that the kernel's licence (GPL-2.0, section 3), the
//! stub's and the C library's (LGPL-2.1, section 6) ask of who passes an image
//! on.

use crate::recipe::{Input, Recipe, Toolchain};

/// Its name in an image's folder.
pub(crate) const FILE: &str = "source-offer.txt";

/// The text.
pub(crate) fn text(recipe: &Recipe) -> String {
    format!(
        "This image contains the following free software of others.\n\n\
         {}\n{}\n{}\n\
         For at least three years after you received this image, whoever gave it to you\n\
         will give you, on request and for no more than the cost of the copying, the\n\
         complete corresponding source code of these programs in machine-readable form,\n\
         with the scripts that control their compilation and installation.\n\n\
         The same source is published by Debian; with a `deb-src` line for the release\n\
         in question:\n\n    apt-get source {}\n    apt-get source {}\n    apt-get source {}\n\n\
         The relay's own program comes with its source at the commit that recipe.json\n\
         names, and with it the means to link it with another C library: change the\n\
         library, and run `roundcast-image build` on that source. sbom.json lists what\n\
         else is compiled into it. The licences' texts are beside this file.\n",
        paragraph(
            "The Linux kernel and its modules",
            "GPL-2.0-only",
            &recipe.kernel
        ),
        paragraph("The EFI stub of systemd", "LGPL-2.1-or-later", &recipe.stub),
        libc(recipe.program.toolchain.as_ref()),
        exact_source(&recipe.kernel),
        exact_source(&recipe.stub),
        libc_source(recipe.program.toolchain.as_ref()),
    )
}

/// The library that is linked into the program; which version, only who
/// compiled it knows.
fn libc(toolchain: Option<&Toolchain>) -> String {
    let version = toolchain.map_or("as the program was linked with", |t| &t.libc);
    format!(
        "The GNU C Library, linked into the relay's program\n  licence         \
         LGPL-2.1-or-later\n  Debian package  libc6-dev {version}\n"
    )
}

fn libc_source(toolchain: Option<&Toolchain>) -> String {
    toolchain.map_or_else(|| "glibc".to_owned(), |t| format!("glibc={}", t.libc))
}

fn paragraph(what: &str, licence: &str, input: &Input) -> String {
    let origin = &input.origin;
    format!(
        "{what}\n  licence         {licence}\n  Debian package  {} {}\n  its SHA-256     {}\n",
        origin.package, origin.version, origin.package_sha256
    )
}

/// `name=version`: the unsigned source where a package only adds signatures.
fn exact_source(input: &Input) -> String {
    let origin = &input.origin;
    let plain = |text: &str| {
        text.replace(" (= ", "=")
            .replace(" (", "=")
            .replace(')', "")
    };
    match &origin.built_using {
        Some(sources) => plain(sources.split(',').next().unwrap_or_default().trim()),
        None if origin.source.contains(" (") => plain(&origin.source),
        None => format!("{}={}", origin.source, origin.version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Origin;

    fn input(source: &str, built_using: Option<&str>) -> Input {
        Input {
            origin: Origin {
                package: "p".into(),
                version: "2-1".into(),
                source: source.into(),
                built_using: built_using.map(Into::into),
                package_sha256: String::new(),
                pinned: true,
            },
            version_text: String::new(),
            sha256: String::new(),
        }
    }

    #[test]
    fn the_source_is_named_with_its_exact_version() {
        assert_eq!(exact_source(&input("systemd", None)), "systemd=2-1");
        assert_eq!(exact_source(&input("other (2+1)", None)), "other=2+1");
        let signed = input("linux-signed-amd64 (6.1.1+2)", Some("linux (= 6.1.1-2)"));
        assert_eq!(exact_source(&signed), "linux=6.1.1-2");
    }
}
