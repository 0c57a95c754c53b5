"""The options of `pytest --flight`. Without it nothing of otel-flight or OpenTelemetry is imported.

It is apart from the package, which imports the SDK: pytest loads this in every test run.
"""

from __future__ import annotations

from importlib import import_module

import pytest

_PLUGIN = "otel_flight.testing.pytest_plugin"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options."""
    group = parser.getgroup("flight", "otel-flight")
    group.addoption(
        "--flight",
        action="store_true",
        help="record each test, and leave an incident of each that fails or is slow",
    )
    group.addoption(
        "--flight-directory",
        metavar="DIRECTORY",
        help="where to, instead of the folder `flight` beside the JUnit report",
    )
    group.addoption(
        "--flight-slow",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="a test that takes longer is slow (default: 5)",
    )
    _leave_package_alone(pluginmanager)


def _leave_package_alone(pluginmanager: pytest.PytestPluginManager) -> None:
    """Keep pytest from rewriting the assertions of otel-flight, as it does for whoever has plugins.

    That would compile the whole package anew where no test asks for it.
    """
    marked = getattr(getattr(pluginmanager, "rewrite_hook", None), "_must_rewrite", None)
    if isinstance(marked, set):
        marked.discard("otel_flight")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record, if that is asked for."""
    if not config.getoption("flight"):
        return
    try:
        plugin = import_module(_PLUGIN).FlightPlugin(config)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise pytest.UsageError("--flight needs `pip install 'otel-flight[cli]'`") from error
    config.pluginmanager.register(plugin, "otel-flight")
