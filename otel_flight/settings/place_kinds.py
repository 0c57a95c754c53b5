"""The kinds of settings that say where something is, or whom to tell."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from otel_flight.settings.kinds import Kind


def directory() -> Kind:
    """A directory, made absolute at once: the application may change its working directory."""

    def read(value: object) -> str:
        text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else ""
        if isinstance(text, bytes) or not text.strip() or "\0" in text:
            raise ValueError
        try:
            return str(Path(text).expanduser().absolute())
        except (OSError, RuntimeError) as error:  # no such user, no working directory any more
            raise ValueError from error

    return Kind("the path of a directory", read)


def url() -> Kind:
    """The address of a server."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise TypeError
        parts = urlsplit(value.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError
        return value.strip()

    return Kind("a URL that begins with http:// or https://", read)


def notification_target() -> Kind:
    """A command, or the address of a server."""
    servers = url()

    def read(value: object) -> object:
        if not isinstance(value, str) or not value.strip().startswith("exec:"):
            return servers.read(value)
        command = value.strip()
        if "\0" in command or not shlex.split(command.removeprefix("exec:")):
            raise ValueError
        return command

    return Kind(f"exec: and a command, or {servers.allowed}", read)
