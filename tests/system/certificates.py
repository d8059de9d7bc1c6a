"""An authority and the certificates that it signs, by the command openssl, as PEM files in a folder of their own."""

import shutil
import subprocess
import unittest

import harness

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    def __init__(self):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("openssl is not installed")
        self.folder = harness.private_folder()
        self.certificate = self.folder / "ca.pem"
        self._run("req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=An authority", "-days", "30")
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")

    def sign(self, name, days=30):
        """Of a server on loopback: its certificate and its key. With days below zero it has run out."""
        self._run("req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        self._run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days),
                  "-extfile", "names", "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _run(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise harness.TestSetupError(f"openssl {words[0]}: {done.stderr}")
