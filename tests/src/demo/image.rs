//! A developer for one evening: builds the relay's image from this source,
//! makes the keys of Secure Boot and of releases, signs, and publishes into
//! the folder that the desk starts machines from.

use super::command::command;
use super::error::Error;
use super::patience;
use super::stage::Stage;
use crate::process::Launch;
use std::fs;

/// The source may have changes that no commit names.
const UNCOMMITTED: &str = "0000000000000000000000000000000000000000";
/// The firmware's variables with the developer's keys.
const VARIABLES: &str = "OVMF_VARS.fd";

/// Builds, measures and signs an image under fresh keys.
///
/// # Errors
/// The step that failed; [`Error::Folder`].
pub async fn make(stage: &Stage) -> Result<(), Error> {
    let release = stage.release();
    let keys = stage.data("developer");
    let tool = |step: &str| Launch::new(&stage.programs.image, stage.log(step));
    let build = tool("image").flag("build").option("--out", &release);
    command("build the image", &build, patience::IMAGE).await?;
    let make_keys = tool("image-keys").flag("keys").flag(&keys);
    command("make the developer's keys", &make_keys, patience::COMMAND).await?;
    let sign = tool("image-sign")
        .flag("sign")
        .flag(&release)
        .option("--keys", &keys)
        .option("--version", env!("CARGO_PKG_VERSION"))
        .option("--security-version", "1")
        .option("--commit", UNCOMMITTED);
    command("sign the image", &sign, patience::COMMAND).await?;
    let public = keys.join("public");
    for (from, to) in [
        (public.join(VARIABLES), release.join(VARIABLES)),
        (public.join("root.json"), stage.trust_root()),
    ] {
        fs::copy(&from, &to).map_err(|source| Error::folder(&from, source))?;
    }
    Ok(())
}
