//! The desk's own TPM manufacturer: a CA whose whole state is in the desk's
//! data folder. It certifies the endorsement keys of the TPMs that this desk
//! manufactures, and nothing else believes in it.

use super::command::manufacture;
use super::machine::Guarded;
use super::programs::Programs;
use crate::data::DataDir;
use crate::error::Error;
use crate::guard::{Plan, Program, Ready, STEP_MS_MAX};
use attest::tpm2::ek::{Development, Roots};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};

/// The CA's own certificates: its root, and the intermediate that signs.
const ROOT: &str = "swtpm-localca-rootca-cert.pem";
const ISSUER: &str = "issuercert.pem";
/// A certificate's file, in bytes.
const CERTIFICATE_BYTES_MAX: u64 = 16 * 1024;

/// An existing CA.
#[derive(Debug, Clone)]
pub(super) struct TpmCa {
    /// What `swtpm_setup --config` takes.
    pub(super) config: String,
    /// What endorsement keys' certificates are checked against.
    pub(super) roots: Roots<Development>,
}

impl TpmCa {
    /// Opens the data folder's CA, or makes it.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::TpmCa`], [`Error::Setting`] for a data folder
    /// whose name the tools' configuration cannot hold.
    pub(super) async fn open(
        data: &DataDir,
        guard: &Path,
        programs: &Programs,
    ) -> Result<Self, Error> {
        let folder = data.tpm_ca()?;
        let config = configure(&folder, programs)?;
        if !folder.join(ISSUER).exists() {
            found(&folder, guard, programs, &config).await?;
        }
        let certificates = [read(&folder.join(ROOT))?, read(&folder.join(ISSUER))?];
        let [root, issuer] = &certificates;
        let roots =
            Roots::development(&[root], &[issuer]).map_err(|_| Error::TpmCa("its certificates"))?;
        Ok(Self { config, roots })
    }
}

/// Writes the tools' configuration, which follows the data folder if it was
/// moved.
fn configure(folder: &Path, programs: &Programs) -> Result<String, Error> {
    let unfit = Error::Setting("the data folder's path has characters that swtpm cannot read");
    let Some(path) = folder.to_str().filter(|path| is_plain(path)) else {
        return Err(unfit);
    };
    let file = |name: &str| format!("{path}/{name}");
    let (localca, options, setup) = (
        file("swtpm-localca.conf"),
        file("swtpm-localca.options"),
        file("swtpm_setup.conf"),
    );
    let texts = [
        (
            &localca,
            format!(
                "statedir = {path}\nsigningkey = {path}/signkey.pem\n\
                 issuercert = {path}/{ISSUER}\ncertserial = {path}/certserial\n"
            ),
        ),
        (
            &options,
            "--platform-manufacturer Roundcast\n--platform-version 1\n--platform-model qemu\n"
                .to_owned(),
        ),
        (
            &setup,
            format!(
                "create_certs_tool = {}\ncreate_certs_tool_config = {localca}\n\
                 create_certs_tool_options = {options}\n",
                programs.swtpm_localca
            ),
        ),
    ];
    for (path, text) in texts {
        std::fs::write(path, text).map_err(Error::file(
            "write the TPM's configuration",
            Path::new(path),
        ))?;
    }
    Ok(setup)
}

/// The tools' configuration knows no quotes, and expands variables.
fn is_plain(path: &str) -> bool {
    path.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@ ".contains(&byte))
}

/// Has the tools found a CA, by manufacturing a TPM that is thrown away.
async fn found(
    folder: &Path,
    guard: &Path,
    programs: &Programs,
    config: &str,
) -> Result<(), Error> {
    let scratch = folder.join("first");
    let _ = std::fs::remove_dir_all(&scratch);
    let made = |path: &Path| std::fs::create_dir(path);
    made(&scratch)
        .and_then(|()| made(&scratch.join(super::command::TPM_STATE)))
        .map_err(Error::file("make a folder for the first TPM", &scratch))?;
    let plan = Plan {
        programs: vec![Program {
            name: "tpm_setup".to_owned(),
            argv: manufacture(programs, config, "first"),
            ready: Ready::Exits,
        }],
        life_ms_max: STEP_MS_MAX,
    };
    let outcome = Guarded::run_through(guard, &scratch, &plan).await;
    let _ = std::fs::remove_dir_all(&scratch);
    outcome.map_err(|_| Error::TpmCa("its first TPM"))
}

fn read(path: &PathBuf) -> Result<CertificateDer<'static>, Error> {
    let failed = || Error::file("read the TPM CA's certificate", path);
    if std::fs::metadata(path).map_err(failed())?.len() > CERTIFICATE_BYTES_MAX {
        return Err(Error::TpmCa("its certificates"));
    }
    let text = std::fs::read(path).map_err(failed())?;
    CertificateDer::from_pem_slice(&text).map_err(|_| Error::TpmCa("its certificates"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_the_tools_would_misread_are_refused() {
        for good in ["/var/lib/roundcast", "/srv/a b/desk-1_2.3"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["/a$HOME", "/a\nb", "/a\"b", "/a\\b", "/ä"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
