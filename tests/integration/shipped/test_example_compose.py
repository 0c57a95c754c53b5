"""The compose file of the example of two services, for those who have containers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.backends.example_backends import EXAMPLE, GATEWAY

yaml = pytest.importorskip("yaml")

FULL_IMAGE = re.compile(r"[a-z0-9-]+/[a-z0-9-]+:\d+\.\d+\.\d+")


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())[
        "services"
    ]
    return found


def mounted(service: dict[str, Any]) -> list[tuple[Path, str]]:
    """Return what is mounted from this folder, and where."""
    sources = [str(volume).split(":") for volume in service.get("volumes", ())]
    return [(EXAMPLE / source, target) for source, target, *_ in sources if source[0] == "."]


def test_every_image_has_a_version(services: dict[str, dict[str, Any]]) -> None:
    """What runs today runs tomorrow; what has no image is built from this repository."""
    for service in services.values():
        if "image" in service:
            assert FULL_IMAGE.fullmatch(service["image"])
        else:
            context = (EXAMPLE / service["build"]["context"]).resolve()
            assert context == EXAMPLE.parents[1]
            assert (context / service["build"]["dockerfile"]) == EXAMPLE / "Dockerfile"


def test_every_mounted_file_is_there(services: dict[str, dict[str, Any]]) -> None:
    """Compose would make an empty folder of one that is not; the command names where it is."""
    files = [
        (source, target, service)
        for service in services.values()
        for source, target in mounted(service)
    ]

    assert len(files) == 5
    for source, target, service in files:
        assert source.is_file(), source
        yaml.safe_load(source.read_text())
        if "provisioning" not in target:
            assert any(argument.endswith(f"={target}") for argument in service["command"])
    assert GATEWAY.resolve() in {source.resolve() for source, *_ in files}


def test_what_the_image_is_built_from_is_there() -> None:
    """Each file that the Dockerfile copies exists, and is not among those that are left out."""
    lines = (EXAMPLE / "Dockerfile").read_text().splitlines()
    ignored = (EXAMPLE / "Dockerfile.dockerignore").read_text().split()

    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]

    assert "." in copied
    assert [word for word in copied if not (EXAMPLE.parents[1] / word).exists()] == []
    assert not {"examples", "otel_flight", "pyproject.toml", "README.md", "LICENSE"} & {*ignored}


def test_hosts_that_are_named_are_services(services: dict[str, dict[str, Any]]) -> None:
    """Where a variable or a data source names a host, that is one of the services."""
    text = (EXAMPLE / "grafana-datasources.yaml").read_text()
    values = [value for each in services.values() for value in each.get("environment", {}).values()]
    addresses = [str(value) for value in values] + re.findall(r"http://\S+", text)

    hosts = {
        host
        for address in addresses
        for host in re.findall(r"^(?:http://)?([a-z]+):\d+$", address)
        if host != "localhost"
    }

    assert hosts == {"collector", "jaeger", "tempo", "warehouse"}
    assert hosts <= set(services)
