//! `build`: from the program, the kernel and the stub to a disk that boots.

use crate::digest::sha256;
use crate::inputs::{self, Inputs, Kernel, Stub};
use crate::program::{self, Source};
use crate::recipe::{self, Input, Module, Output, Program, Recipe};
use crate::{Error, files, licences, sbom, source_offer};
use boot::cpio::Archive;
use boot::{disk, modules, uki};
use std::path::{Path, PathBuf};

/// The image's executable in its folder.
pub const IMAGE_FILE: &str = "relay.efi";
/// The disk.
pub const DISK_FILE: &str = "disk.img";
/// The program in the archive.
pub(crate) const PROGRAM_PATH: &str = "init";
/// The list of modules in the archive.
pub(crate) const ORDER_PATH: &str = "modules/order";
/// Of [`IMAGE_FILE`]: what a desk uploads and a machine loads at each boot.
pub const IMAGE_BYTES_MAX: usize = 24_000_000;
/// The kernel's console before any driver makes one.
const CONSOLE: (u32, u32) = (5, 1);

/// What to build from.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program's source; its dependencies are what the SBOM lists.
    pub source: Source,
    /// A compiled program instead of compiling it.
    pub relay: Option<PathBuf>,
    /// Where the kernel comes from.
    pub kernel: inputs::From,
    /// Where the stub comes from.
    pub stub: inputs::From,
    /// Pins and command line.
    pub inputs: Inputs,
    /// Where downloads are kept.
    pub cache: PathBuf,
}

/// Builds an image into a folder: `relay.efi`, `disk.img`, `recipe.json`,
/// `sbom.json`, `source-offer.txt` and the licences.
///
/// # Errors
/// The first step that failed.
pub fn build(options: &Options, out: &Path) -> Result<Recipe, Error> {
    let kernel = inputs::obtain(&options.inputs.kernel, &options.kernel, &options.cache)?;
    let kernel = Kernel::open(kernel)?;
    let stub = inputs::obtain(&options.inputs.stub, &options.stub, &options.cache)?;
    let stub = Stub::open(stub)?;
    let (program, made) = program(options)?;
    let joined = join(options, &kernel, &stub, program)?;
    let recipe = recipe(options, &kernel, &stub, made, &joined)?;
    let licences = licences::list(&kernel, &stub)?;
    files::make_folder(out)?;
    files::write(&out.join(IMAGE_FILE), &joined.image)?;
    files::write_sparse(&out.join(DISK_FILE), &joined.disk)?;
    for (name, text) in licences {
        files::write(&out.join(name), &text)?;
    }
    files::write(
        &out.join(source_offer::FILE),
        source_offer::text(&recipe).as_bytes(),
    )?;
    files::write_json(out, sbom::FILE, &sbom::list(&options.source, &recipe)?)?;
    files::write_json(out, recipe::FILE, &recipe)?;
    Ok(recipe)
}

fn program(options: &Options) -> Result<(Vec<u8>, Program), Error> {
    let (executable, toolchain, path) = match &options.relay {
        Some(path) => (files::read(path)?, None, path.clone()),
        None => {
            let (executable, toolchain) = options.source.compile()?;
            (
                executable,
                Some(toolchain),
                PathBuf::from(&options.source.program),
            )
        }
    };
    program::check(&executable, &path)?;
    let commit = options.source.commit().filter(|_| toolchain.is_some());
    let made = Program {
        sha256: sha256(&executable),
        commit,
        toolchain,
    };
    Ok((executable, made))
}

struct Joined {
    modules: Vec<Module>,
    os_release: String,
    initrd: Vec<u8>,
    image: Vec<u8>,
    disk: Vec<u8>,
}

fn join(
    options: &Options,
    kernel: &Kernel,
    stub: &Stub,
    program: Vec<u8>,
) -> Result<Joined, Error> {
    let wanted: Vec<_> = options
        .inputs
        .image
        .modules
        .iter()
        .map(String::as_str)
        .collect();
    let order = modules::order(&wanted, &kernel.modules)?;
    let mut archive = Archive::new();
    archive.file(PROGRAM_PATH, 0o500, program)?;
    archive.device("dev/console", CONSOLE.0, CONSOLE.1)?;
    for folder in ["proc", "sys", "run"] {
        archive.directory(folder)?;
    }
    let mut listed = Vec::new();
    for name in &order {
        let file = kernel.modules.get(name);
        let file = file.ok_or_else(|| boot::Error::ModuleMissing(name.clone()))?;
        listed.push(Module {
            name: name.clone(),
            sha256: sha256(file),
        });
        archive.file(&module_path(name), 0o400, file.clone())?;
    }
    let text: String = order.iter().map(|name| format!("{name}\n")).collect();
    archive.file(ORDER_PATH, 0o400, text.into_bytes())?;
    let initrd = archive.to_bytes()?;
    let os_release = os_release();
    let image = uki::assemble(&uki::Parts {
        stub: &stub.file,
        os_release: &os_release,
        command_line: &options.inputs.image.command_line,
        initrd: &initrd,
        kernel: &kernel.file,
    })?;
    if image.len() > IMAGE_BYTES_MAX {
        return Err(Error::ImageTooLarge {
            bytes: image.len(),
            bytes_max: IMAGE_BYTES_MAX,
        });
    }
    let disk = disk::write(&image)?;
    Ok(Joined {
        modules: listed,
        os_release,
        initrd,
        image,
        disk,
    })
}

/// A module in the archive.
pub(crate) fn module_path(name: &str) -> String {
    format!("modules/{name}.ko")
}

fn os_release() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("ID=roundcast-relay\nNAME=\"Roundcast relay\"\nVERSION_ID={version}\n")
}

fn recipe(
    options: &Options,
    kernel: &Kernel,
    stub: &Stub,
    program: Program,
    joined: &Joined,
) -> Result<Recipe, Error> {
    Ok(Recipe {
        schema: recipe::SCHEMA.into(),
        program,
        kernel: Input {
            origin: kernel.origin.clone(),
            version_text: boot::kernel::version(&kernel.file)?.to_owned(),
            sha256: sha256(&kernel.file),
        },
        stub: Input {
            origin: stub.origin.clone(),
            version_text: uki::stub_version(&stub.file)?.to_owned(),
            sha256: sha256(&stub.file),
        },
        modules: joined.modules.clone(),
        command_line: options.inputs.image.command_line.clone(),
        os_release: joined.os_release.clone(),
        output: Output {
            initrd_sha256: sha256(&joined.initrd),
            image_sha256: sha256(&joined.image),
            disk_sha256: sha256(&joined.disk),
        },
    })
}
