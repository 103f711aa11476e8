//! A real TPM 2.0 in software (swtpm) behind a Unix socket, made by a maker
//! of its own.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use data_encoding::BASE64;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tpm::Device;
use wire::UnixMs;

/// How long an emulator may take to open its socket, or to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether swtpm and its tools are installed; without them a test says that
/// it was not run, and fails where everything must run.
pub fn installed() -> bool {
    let missing: Vec<_> = ["swtpm", "swtpm_setup", "tpm2_nvwrite"]
        .into_iter()
        .filter(|program| !on_path(program))
        .collect();
    if missing.is_empty() {
        return true;
    }
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!in_ci, "install swtpm, swtpm-tools and tpm2-tools");
    // Past the test harness, which keeps what a passing test prints.
    let mut out = std::io::stdout();
    writeln!(out, "\nnot run: no {}", missing.join(", ")).unwrap();
    false
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

pub fn now() -> UnixMs {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixMs(u64::try_from(elapsed.as_millis()).unwrap())
}

/// A maker of emulated TPMs: a root and an authority under it.
pub struct Maker {
    folder: TempDir,
}

impl Maker {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca");
        std::fs::create_dir(&ca).unwrap();
        let line = |key: &str, file: &str| format!("{key} = {}\n", ca.join(file).display());
        let localca = [
            format!("statedir = {}\n", ca.display()),
            line("signingkey", "signkey.pem"),
            line("issuercert", "issuercert.pem"),
            line("certserial", "certserial"),
        ]
        .concat();
        let path = folder.path().join("localca.conf");
        std::fs::write(&path, localca).unwrap();
        let options = folder.path().join("options");
        std::fs::write(
            &options,
            "--platform-manufacturer test\n--platform-version 1\n--platform-model test\n",
        )
        .unwrap();
        let setup = format!(
            "create_certs_tool = /usr/bin/swtpm_localca\n\
             create_certs_tool_config = {}\n\
             create_certs_tool_options = {}\n",
            path.display(),
            options.display()
        );
        std::fs::write(folder.path().join("setup.conf"), setup).unwrap();
        Self { folder }
    }

    /// DER of the root. There only once a TPM was made.
    pub fn root(&self) -> Vec<u8> {
        self.certificate("swtpm-localca-rootca-cert.pem")
    }

    /// DER of the authority that signs for TPMs.
    pub fn authority(&self) -> Vec<u8> {
        self.certificate("issuercert.pem")
    }

    fn certificate(&self, name: &str) -> Vec<u8> {
        let pem = std::fs::read_to_string(self.folder.path().join("ca").join(name)).unwrap();
        let body: String = pem
            .lines()
            .skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE"))
            .skip(1)
            .take_while(|line| !line.starts_with('-'))
            .collect();
        BASE64.decode(body.as_bytes()).unwrap()
    }

    /// A TPM with certificates of this maker.
    pub fn tpm(&self) -> Emulator {
        Emulator::start(Some(&self.folder.path().join("setup.conf")))
    }
}

/// A running TPM, ended when it is dropped.
pub struct Emulator {
    folder: TempDir,
    child: Child,
}

impl Emulator {
    /// A TPM that no maker certified.
    pub fn blank() -> Self {
        Self::start(None)
    }

    fn start(setup: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("swtpm_setup");
        command.args(["--tpm2", "--pcr-banks", "sha256", "--tpmstate"]);
        command.arg(folder.path());
        if let Some(setup) = setup {
            command.arg("--create-ek-cert").arg("--config").arg(setup);
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "swtpm_setup: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let socket =
            |name: &str| format!("type=unixio,path={}", folder.path().join(name).display());
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--server", &socket("s"), "--ctrl", &socket("s.ctrl")])
            .arg("--tpmstate")
            .arg(format!("dir={}", folder.path().display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { folder, child }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// A connection; the emulator serves one at a time.
    pub fn device(&self) -> Device {
        let begun = Instant::now();
        loop {
            match UnixStream::connect(self.socket()) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    return Device::over(stream);
                }
                Err(error) => assert!(begun.elapsed() < PATIENCE, "no socket: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a program of tpm2-tools on this TPM, which no device may hold.
    pub fn tool(&self, arguments: &[&str]) {
        // The socket is there once the emulator listens.
        drop(self.device());
        let output = Command::new(arguments.first().unwrap())
            .arg("-T")
            .arg(format!("swtpm:path={}", self.socket().display()))
            .args(arguments.iter().skip(1))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Stores `bytes` at an NV index, as a maker would a certificate.
    pub fn store(&self, index: u32, bytes: &[u8]) {
        let file = self.folder.path().join("nv");
        std::fs::write(&file, bytes).unwrap();
        let index = format!("{index:#x}");
        let size = bytes.len().to_string();
        let attributes = "ownerwrite|authwrite|ownerread|authread|no_da";
        self.tool(&["tpm2_nvdefine", &index, "-s", &size, "-a", attributes]);
        self.tool(&["tpm2_nvwrite", &index, "-i", file.to_str().unwrap()]);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
