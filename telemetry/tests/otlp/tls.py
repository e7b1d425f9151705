"""A certificate authority of a test's own, by the program `openssl`."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import grpc  # type: ignore[import-untyped]

_CONFIGURATION = "[req]\ndistinguished_name = name\n[name]\n"
_NEW = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates for 127.0.0.1 below `directory`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        (directory / "configuration").write_text(_CONFIGURATION)
        self.own = self._made("authority", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")

    def issue(self, name: str) -> Pair:
        """A pair for a server or a client."""
        by = ("-CA", str(self.own.certificate), "-CAkey", str(self.own.key))
        return self._made(name, "basicConstraints=critical,CA:FALSE", "subjectAltName=IP:127.0.0.1", by=by)

    def credentials(self) -> grpc.ServerCredentials:
        """A gRPC server that asks for a client's certificate of this authority."""
        mine = self.issue("grpc")
        pair = (mine.key.read_bytes(), mine.certificate.read_bytes())
        return grpc.ssl_server_credentials([pair], self.own.certificate.read_bytes(), require_client_auth=True)

    def context(self) -> ssl.SSLContext:
        """The same for an HTTP server."""
        mine, context = self.issue("http"), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(mine.certificate, mine.key)
        context.load_verify_locations(self.own.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _made(self, name: str, *extensions: str, by: tuple[str, ...] = ()) -> Pair:
        pair = Pair(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        command = [*_NEW, *by, "-config", str(self._directory / "configuration"), "-subj", f"/CN={name}"]
        command += [part for extension in extensions for part in ("-addext", extension)]
        command += ["-keyout", str(pair.key), "-out", str(pair.certificate)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return pair
