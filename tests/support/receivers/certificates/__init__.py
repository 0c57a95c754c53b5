"""Certificates for tests of TLS, made once so that no test needs a tool to make them.

They vouch for `localhost` and `127.0.0.1` only, are valid until the year 2126, and protect
nothing: the keys are public. `make_certificates.sh` beside this file made them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent

AUTHORITY = _HERE / "authority.pem"
SERVER_CERTIFICATE = _HERE / "server.pem"
SERVER_KEY = _HERE / "server.key"
CLIENT_CERTIFICATE = _HERE / "client.pem"
CLIENT_KEY = _HERE / "client.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificates:
    """What a server needs for TLS.

    Attributes:
        client_authority: Refuse clients without a certificate from it; None asks for none.
    """

    certificate: Path = SERVER_CERTIFICATE
    key: Path = SERVER_KEY
    client_authority: Path | None = None
