"""Writes endorsement.json: an emulated TPM of a maker of its own.

Needs swtpm_setup and swtpm_localca (swtpm-tools) and openssl. Each run makes
other keys; what counts is that the signatures and encodings are not ours.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

# TPMT_PUBLIC of template L-1 up to the modulus, which is 256 bytes.
TEMPLATE = ("0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
            "00060080004300100800000000000100")


def openssl(*arguments):
    """What openssl puts out."""
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def main():
    """Makes a TPM and writes what its host sees of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("ca", "tpm"):
            (folder / part).mkdir()
        (folder / "options").write_text("--platform-manufacturer x\n--platform-version 1\n"
                                        "--platform-model x\n")
        (folder / "ca.conf").write_text(
            f"statedir = {folder}/ca\nsigningkey = {folder}/ca/key.pem\n"
            f"issuercert = {folder}/ca/authority.pem\ncertserial = {folder}/ca/serial\n")
        (folder / "setup.conf").write_text(
            "create_certs_tool = /usr/bin/swtpm_localca\n"
            f"create_certs_tool_config = {folder}/ca.conf\n"
            f"create_certs_tool_options = {folder}/options\n")
        subprocess.run(
            ["swtpm_setup", "--tpm2", "--tpmstate", folder / "tpm", "--create-ek-cert",
             "--config", folder / "setup.conf", "--write-ek-cert-files", folder],
            check=True, capture_output=True)
        certificate = folder / "ek-rsa2048.crt"
        text = openssl("x509", "-inform", "der", "-in", certificate, "-noout", "-modulus")
        modulus = re.fullmatch(r"Modulus=([0-9A-F]{512})\n", text.decode())[1].lower()
        pem = {"root": "swtpm-localca-rootca-cert.pem", "authority": "authority.pem"}
        made = {key: openssl("x509", "-in", folder / "ca" / file, "-outform", "der").hex()
                for key, file in pem.items()}
        made["certificate"] = certificate.read_bytes().hex()
        made["ek_public"] = TEMPLATE + modulus
    path = Path(__file__).with_name("endorsement.json")
    path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
