//! `roundcast-desk config`.

use super::say;
use crate::config::{Config, File};
use crate::error::Error;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the file, name what is wrong with it, and say which file it was.
    Check {
        /// The file, instead of the XDG one.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &ConfigCommand) -> Result<(), Error> {
    let ConfigCommand::Check { config, json } = command;
    let file = File::find(config.as_deref());
    Config::load(config.as_deref())?;
    let path = file.as_ref().map(|file| file.path().display().to_string());
    if *json {
        let document = serde_json::json!({
            "schema": "roundcast.config/1", "ok": true, "path": path,
        });
        return say(&document.to_string());
    }
    match path {
        Some(path) => say(&format!("config: {path}: ok")),
        None => say("config: there is no file; the defaults hold"),
    }
}
