"""The files in collector-config/: valid as they lie there, alike where it matters, described."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.backends.backend_process import needs_backends
from tests.support.backends.shipped_collector import FILES, ShippedCollector

yaml = pytest.importorskip("yaml")

pytestmark = [*needs_backends("collector")]

NAMES = sorted(path.name for path in FILES.glob("*.yaml"))
README = (FILES / "README.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"\$\{env:(\w+):-([^}]*)\}")
RECEIVERS_TAKE_BYTES = 4 * 1024 * 1024


def text_of(name: str) -> str:
    """Return a file without its comments."""
    lines = (FILES / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def configuration(name: str) -> dict[str, Any]:
    """Return a file's content, variables as they stand there."""
    found: dict[str, Any] = yaml.safe_load(text_of(name))
    return found


def sending_queues(value: Any) -> list[dict[str, Any]]:
    """Return the sending queues anywhere in a part of a configuration."""
    if not isinstance(value, dict):
        return []
    own = [value["sending_queue"]] if "sending_queue" in value else []
    return own + [queue for part in value.values() for queue in sending_queues(part)]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_valid_with_its_defaults(name: str, tmp_path: Path) -> None:
    """`otelcol validate` has nothing to say, with no variable set."""
    collector = ShippedCollector(tmp_path, name, {})

    assert collector.complaints(FILES / name) == ""


def test_a_mistake_would_be_noticed(tmp_path: Path) -> None:
    """A file with a processor that is not there is complained of, by its name."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(text_of("gateway.yaml").replace("[memory_limiter]", "[memory_limit]"))

    assert "memory_limit" in ShippedCollector(tmp_path, "gateway.yaml", {}).complaints(bad)


@pytest.mark.parametrize("name", NAMES)
def test_the_memory_limiter_comes_first(name: str) -> None:
    """In each pipeline that takes from outside, it can refuse before anything was done."""
    pipelines = configuration(name)["service"]["pipelines"].values()

    outer = [each["processors"] for each in pipelines if "otlp" in each["receivers"]]

    assert outer
    assert all(processors[0] == "memory_limiter" for processors in outer)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_fits_into_a_default_receiver(name: str) -> None:
    """Each exporter divides by bytes, below the 4 MiB that gRPC servers take."""
    queues = sending_queues(configuration(name)["exporters"])

    assert queues
    for queue in queues:
        assert queue["batch"]["sizer"] == "bytes"  # not inherited by every version
        assert queue["batch"]["max_size"] < RECEIVERS_TAKE_BYTES * 3 / 4


@pytest.mark.parametrize("name", [name for name in NAMES if name != "load-balancing.yaml"])
def test_queues_are_on_disk(name: str) -> None:
    """What was acknowledged survives a restart, except where a queue on disk is impossible."""
    found = configuration(name)

    assert "file_storage" in found["service"]["extensions"]
    queues = sending_queues(found["exporters"])
    assert [queue["storage"] for queue in queues] == ["file_storage"] * len(queues)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_has_a_default_and_is_described(name: str) -> None:
    """A file starts with no variable set, and the README says what each does and its default."""
    text = text_of(name)
    found = VARIABLE.findall(text)

    assert len(found) == text.count("${")
    for variable, default in found:
        row = re.search(rf"^\| `{variable}` \|.*$", README, re.MULTILINE)
        assert row is not None, variable
        assert f"`{default}`" in row[0], variable


def test_the_readme_describes_what_there_is() -> None:
    """Each file is in the table, and each variable in the other is in a file."""
    texts = "".join(map(text_of, NAMES))

    assert sorted(re.findall(r"^\| \[([\w-]+\.yaml)\]", README, re.MULTILINE)) == NAMES
    described = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    assert sorted(described) == sorted({variable for variable, _ in VARIABLE.findall(texts)})
