"""Runs the tests on every supported Python found here, and on the oldest supported SDK.

The environments live in `.nox` and are used again until `make clean`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
PYTHONS_OF_OLDEST_SDK = ["3.10", "3.11"]
VENDORS = [
    "aws-opentelemetry-distro",
    "azure-monitor-opentelemetry",
    "elastic-opentelemetry",
    "langfuse",
    "logfire",
    "sentry-sdk[opentelemetry]",
    "splunk-opentelemetry",
]

# The lower bounds of pyproject.toml, and the frameworks of their time: the instrumentations of then
# were never run with the frameworks of now.
OLDEST = [
    "opentelemetry-api==1.27.0",
    "opentelemetry-sdk==1.27.0",
    "opentelemetry-exporter-otlp==1.27.0",
    "opentelemetry-distro==0.48b0",
    "opentelemetry-instrumentation-asgi==0.48b0",
    "opentelemetry-instrumentation-django==0.48b0",
    "opentelemetry-instrumentation-fastapi==0.48b0",
    "opentelemetry-instrumentation-flask==0.48b0",
    "opentelemetry-instrumentation-grpc==0.48b0",
    "opentelemetry-instrumentation-httpx==0.48b0",
    "opentelemetry-instrumentation-requests==0.48b0",
    "msgspec==0.18.6",
    "click==8.1.7",
    "rich==13.7.1",
    "fastapi==0.112.2",
    "flask==3.0.3",
    "httpx==0.27.2",
    "uvicorn==0.30.6",
]

# Exporters of then retry for a minute, raise where newer ones return a failure, and cannot be shut
# down meanwhile: what these tests expect of an exporter that fails, it does not do. Nor can one for
# gRPC be asked how it was made.
NOT_WITH_OLDEST = [
    "--ignore=tests/integration/support/test_otlp_receiver.py",
    "--ignore=tests/integration/delivery/test_export_attempt.py",
    "--ignore=tests/integration/delivery/test_receiver_zoo.py",
    "--ignore=tests/integration/delivery/test_pipeline_destination.py",
    "--ignore=tests/unit/delivery/receiver/test_pipeline_exporter.py",
    "--deselect=tests/integration/delivery/test_refused_spans.py::test_a_receiver_is_left_alone_as_long_as_it_asks[grpc]",
    "--deselect=tests/integration/delivery/test_refused_spans.py::test_a_lost_answer_leaves_a_doubt[grpc]",
    "--deselect=tests/integration/delivery/test_delivery.py::test_an_unreachable_endpoint_fails_and_is_named",
]


def put_pyenv_interpreters_first() -> None:
    """Make nox find `python3.12` where pyenv installed it.

    A pyenv shim is on the PATH under that name even when its version is not active; it is found,
    and then fails.
    """
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [
        str(folder)
        for version in PYTHONS
        for folder in sorted(root.glob(f"versions/{version}.*/bin"))[-1:]
    ]
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ.get("PATH", "")])


put_pyenv_interpreters_first()
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.download_python = "never"
# On CI nox would otherwise fail for a missing interpreter instead of skipping it with a line.
nox.options.error_on_missing_interpreters = False


def upgrade_pip(session: nox.Session) -> None:
    """Bring a pip that solves a half published release of OpenTelemetry; an old one gives up."""
    session.install("--upgrade", "pip")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with the newest of everything."""
    upgrade_pip(session)
    session.install("--editable", ".[demo,test]", "opentelemetry-configuration")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=PYTHONS_OF_OLDEST_SDK)
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest SDK and dependencies that are supported."""
    upgrade_pip(session)
    session.install("--editable", ".[test]", *OLDEST)
    session.run("python", "-m", "pytest", *NOT_WITH_OLDEST, *session.posargs)


@nox.session(python=PYTHONS, default=False)
def hosts(session: nox.Session) -> None:
    """Run the tests under real servers, each beside a run without the recorder."""
    upgrade_pip(session)
    session.install("--editable", ".[hosts]")
    if shutil.which("apxs") is not None and "hosts_fast" not in session.posargs:
        session.install("mod_wsgi>=5")
    session.run("python", "-m", "pytest", "tests/hosts", "-m", "hosts", *session.posargs)


@nox.session(python="3.11", default=False)
@nox.parametrize("package", VENDORS, ids=VENDORS)
def vendors(session: nox.Session, package: str) -> None:
    """Run a service with a vendor's package for OpenTelemetry, as `hosts` does."""
    upgrade_pip(session)
    session.install("--editable", ".[json,test]", package)
    session.run("python", "-m", "pytest", "tests/hosts", "-m", "hosts_apart", *session.posargs)


@nox.session(python="3.13")
def coverage(session: nox.Session) -> None:
    """Run the tests and print which share of the package they ran, processes they start included.

    Before Python 3.13 the recorder leaves the frames alone that a debugger or coverage looks at.
    The figure is printed also where a test fails: some are too slow while they are looked at.
    """
    upgrade_pip(session)
    session.install("--editable", ".[demo,test]", "opentelemetry-configuration", "coverage>=7.10")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs, success_codes=[0, 1])
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
