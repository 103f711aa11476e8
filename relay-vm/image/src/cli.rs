//! The command line.

use clap::{Args, Parser, Subcommand};
use image::inputs::{From, Inputs};
use image::program::Source;
use image::recipe::Recipe;
use image::verify::{Finding, Outcome};
use image::{Error, build, keys, measure, sign, verify};
use ring::rand::SystemRandom;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::{Digest, UnixMs};

/// Builds, measures, signs and verifies images of relays.
#[derive(Debug, Parser)]
#[command(name = "roundcast-image", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build an image from the source in this folder.
    Build(BuildArgs),
    /// Predict the TPM's registers after a boot, as JSON.
    Measure {
        /// The image's folder.
        folder: PathBuf,
        /// Folder with PK.der, KEK.der and db.der: predict for Secure Boot too.
        #[arg(long)]
        public: Option<PathBuf>,
    },
    /// Make a developer's keys in a new folder.
    Keys {
        /// The folder.
        folder: PathBuf,
        /// Fresh variables of OVMF, to enrol the keys in a copy.
        #[arg(long, default_value = "/usr/share/OVMF/OVMF_VARS_4M.fd")]
        variables: PathBuf,
        /// The root.json in force, which the new root is to follow.
        #[arg(long, requires = "root_key")]
        follows: Option<PathBuf>,
        /// Keys of that root; two are needed.
        #[arg(long)]
        root_key: Vec<PathBuf>,
    },
    /// Sign an image and its release.
    Sign(SignArgs),
    /// Verify a release's folder.
    Verify {
        /// The image's folder.
        folder: PathBuf,
        /// The developer's root.json.
        #[arg(long)]
        root: Option<PathBuf>,
        /// Folder with PK.der, KEK.der and db.der.
        #[arg(long)]
        public: Option<PathBuf>,
        /// Folder of a rebuild to compare with.
        #[arg(long)]
        against: Option<PathBuf>,
        /// Tell the findings as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct BuildArgs {
    /// Folder for the image.
    #[arg(long)]
    out: PathBuf,
    /// A static executable to put in as the first program; without it,
    /// `roundcast-relay` is compiled from the source in this folder.
    #[arg(long)]
    relay: Option<PathBuf>,
    /// The kernel's package (.deb), or `auto`: from the Debian mirror.
    #[arg(long, default_value = "auto")]
    kernel: From,
    /// The package systemd-boot-efi (.deb), or `auto`.
    #[arg(long, default_value = "auto")]
    stub: From,
    /// Other pins than those of the source.
    #[arg(long)]
    inputs: Option<PathBuf>,
    /// Folder for compiling and downloads [default: the user's cache].
    #[arg(long)]
    cache: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct SignArgs {
    /// The image's folder.
    folder: PathBuf,
    /// Folder with `online` and `public` of the keys.
    #[arg(long)]
    keys: PathBuf,
    /// What orders name.
    #[arg(long, default_value = "stable")]
    channel: String,
    /// For people, e.g. 0.1.0.
    #[arg(long)]
    version: String,
    /// Monotonic; older ones can be revoked by it.
    #[arg(long)]
    security_version: u64,
    /// The floor that this release announces.
    #[arg(long, default_value_t = 1)]
    security_version_min: u64,
    /// Until the release ends.
    #[arg(long, default_value_t = 90)]
    days: u64,
    /// The source's commit, where the recipe names none.
    #[arg(long)]
    commit: Option<String>,
    /// Also release this program for development runs without a TPM.
    #[arg(long)]
    software: Option<PathBuf>,
    /// Revoke what has this SHA-256: a program, a release.json, or an image by
    /// its `digest` of `measure`; may be repeated.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    deny: Vec<Digest>,
    /// Also admit machines that check no signatures.
    #[arg(long)]
    without_secure_boot: bool,
}

fn digest(text: &str) -> Result<Digest, &'static str> {
    Digest::from_hex(text).ok_or("not 64 lower-case hexadecimal digits")
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Build(args) => run_build(args),
            Command::Measure { folder, public } => {
                json(&measure::with_digests(&folder, public.as_deref())?)
            }
            Command::Keys {
                folder,
                variables,
                follows,
                root_key,
            } => {
                let previous = follows.map(|root| keys::Previous::load(&root, &root_key));
                let previous = previous.transpose()?;
                let rng = SystemRandom::new();
                keys::make(&folder, &variables, previous.as_ref(), now()?, &rng)?;
                say(&format!(
                    "keys: {}; what to do with them: CEREMONY.md",
                    folder.display()
                ))
            }
            Command::Sign(args) => run_sign(args),
            Command::Verify {
                folder,
                root,
                public,
                against,
                json,
            } => {
                let options = verify::Options {
                    root,
                    public,
                    against,
                };
                tell(&verify::verify(&folder, &options, now()?)?, json)
            }
        }
    }
}

fn run_build(args: BuildArgs) -> Result<(), Error> {
    let cache = args.cache.unwrap_or_else(|| {
        let project = directories::ProjectDirs::from("", "", "roundcast");
        project.map_or_else(
            || "target/image".into(),
            |project| project.cache_dir().join("image"),
        )
    });
    let options = build::Options {
        source: Source::relay(Path::new("."), &cache.join("target")),
        relay: args.relay,
        kernel: args.kernel,
        stub: args.stub,
        inputs: Inputs::load(args.inputs.as_deref())?,
        cache: cache.join("packages"),
    };
    let recipe = build::build(&options, &args.out)?;
    tell_recipe(&recipe, &args.out)
}

fn tell_recipe(recipe: &Recipe, out: &Path) -> Result<(), Error> {
    for (part, input) in [("kernel", &recipe.kernel), ("stub", &recipe.stub)] {
        let origin = &input.origin;
        let note = if origin.pinned {
            ""
        } else {
            "; NOT the pinned one: a rebuild of an older release will be `unknown`"
        };
        say(&format!(
            "{part}: {} {}{note}",
            origin.package, origin.version
        ))?;
    }
    say(&format!("program: SHA-256 {}", recipe.program.sha256))?;
    for (file, sha256) in [
        (build::IMAGE_FILE, &recipe.output.image_sha256),
        (build::DISK_FILE, &recipe.output.disk_sha256),
    ] {
        say(&format!("{}: SHA-256 {sha256}", out.join(file).display()))?;
    }
    Ok(())
}

fn run_sign(args: SignArgs) -> Result<(), Error> {
    let options = sign::Options {
        channel: args.channel,
        version: args.version,
        security_version: args.security_version,
        security_version_min: args.security_version_min,
        days: args.days,
        commit: args.commit,
        software: args.software,
        denied: args.deny.into_iter().map(Into::into).collect(),
        without_secure_boot: args.without_secure_boot,
    };
    sign::sign_folder(
        &args.folder,
        &args.keys,
        &options,
        now()?,
        &SystemRandom::new(),
    )?;
    let path = args.folder.join(sign::RELEASE_FILE);
    say(&format!("signed: {}", path.display()))
}

fn tell(findings: &[Finding], as_json: bool) -> Result<(), Error> {
    if as_json {
        json(&findings)?;
    } else {
        for Finding {
            part,
            outcome,
            detail,
        } in findings
        {
            let word = match outcome {
                Outcome::Holds => "holds",
                Outcome::Differs => "DIFFERS",
                Outcome::Unknown => "unknown",
            };
            say(&format!("{word:8} {part}: {detail}"))?;
        }
    }
    match findings
        .iter()
        .filter(|finding| finding.outcome == Outcome::Differs)
        .count()
    {
        0 => Ok(()),
        count => Err(Error::Differs(count)),
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|_| Error::JsonMalformed { name: "the answer" })?;
    say(&text)
}

/// One line; a reader who went away is an error, not a panic.
fn say(line: &str) -> Result<(), Error> {
    writeln!(std::io::stdout(), "{line}").map_err(|source| Error::File {
        step: "write to",
        path: "standard output".into(),
        source,
    })
}

fn now() -> Result<UnixMs, Error> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Error::Clock)?;
    u64::try_from(since.as_millis())
        .map(UnixMs)
        .map_err(|_| Error::Clock)
}
