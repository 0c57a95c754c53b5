"""`pytest --flight`, in processes of its own: which tests leave an incident, and where."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from otel_flight.incidents.flight_file import read_incident

pytest_plugins = ["pytester"]

SHOP = """
import logging
import time

import pytest
from opentelemetry import trace

tracer = trace.get_tracer("shop")


def pay(card):
    with tracer.start_as_current_span("POST /pay"):
        with tracer.start_as_current_span("check card"):
            if card == "stolen":
                raise PermissionError("this card is stolen")


def test_fails():
    pay("debit")
    pay("stolen")


def test_expects_an_error():
    with pytest.raises(PermissionError):
        pay("stolen")
    try:
        pay("stolen")
    except PermissionError:
        logging.exception("as expected")


@pytest.mark.xfail(reason="known")
def test_is_known_to_fail():
    pay("stolen")


def test_is_slow():
    with tracer.start_as_current_span("GET /report"):
        time.sleep(0.6)


@pytest.mark.parametrize("name", ["a/b", "`\\n# Header"])
def test_names(name):
    pay("debit")
    assert not name


@pytest.fixture
def broken():
    pay("debit")
    yield
    raise RuntimeError("broken")


def test_whose_fixture_breaks(broken):
    pass
"""


def incidents_in(folder: Path) -> dict[str, Path]:
    """Return the Markdown files of incidents by the test's own name."""
    return {
        re.sub(r"-[0-9a-f]{8}$", "", path.stem.partition(".py-")[2]): path
        for path in folder.glob("*.md")
    }


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in a process of its own, in the folder of `test_shop.py`."""
    pytester.makepyfile(test_shop=SHOP)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_what_went_wrong_leaves_an_incident_beside_the_report(pytester: pytest.Pytester) -> None:
    """A test that fails, is slow, or whose fixture breaks; none whose error is expected."""
    result = run(pytester, "--flight", "--flight-slow=0.5", "--junit-xml=reports/junit.xml")

    result.assert_outcomes(passed=3, failed=3, errors=1, xfailed=1)
    found = incidents_in(pytester.path / "reports" / "flight")
    assert set(found) == {
        "test_fails",
        "test_is_slow",
        "test_names-a-b",
        "test_names-n-Header",
        "test_whose_fixture_breaks",
    }
    failed = found["test_fails"].read_text("utf-8")
    assert "test failed" in failed
    assert "PermissionError" in failed
    assert "GET /report" in found["test_is_slow"].read_text("utf-8")
    page = found["test_fails"].with_suffix(".html").read_text("utf-8")
    assert page.lower().startswith("<!doctype html>")
    incident = read_incident(found["test_fails"].with_suffix(".flight"))
    assert [cause.trigger for cause in incident.manifest.causes] == ["manual"]
    names = [span.name for span in incident.window.spans()]
    assert names == ["check card", "POST /pay"] * 2  # and none of another test
    result.stdout.fnmatch_lines(["*flight incidents*", "test_shop.py::test_fails: *test_fails*.md"])
    report = ElementTree.parse(pytester.path / "reports" / "junit.xml")
    told = {
        case.get("name"): item.get("value")
        for case in report.iter("testcase")
        for item in case.iter("property")
        if item.get("name") == "flight_incident"
    }
    assert told["test_fails"] == str(found["test_fails"])
    assert "test_expects_an_error" not in told


def test_workers_of_xdist_leave_theirs_in_the_same_place(pytester: pytest.Pytester) -> None:
    """The one that shows the outcome says where."""
    pytest.importorskip("xdist")

    result = run(pytester, "--flight", "--flight-directory=kept", "-n", "2", "-k", "fails or names")

    result.assert_outcomes(failed=3)
    assert len(incidents_in(pytester.path / "kept")) == 3
    result.stdout.fnmatch_lines(["test_shop.py::test_fails: *kept*test_fails*.md"])


def test_nothing_is_imported_or_written_without_the_option(pytester: pytest.Pytester) -> None:
    """Whoever has otel-flight installed does not notice, and its assertions are not rewritten."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            names = [name.partition(".")[0] for name in sys.modules]
            assert not {"otel_flight", "opentelemetry"} & set(names)

        def test_assertions(pytestconfig):
            assert "otel_flight" not in pytestconfig.pluginmanager.rewrite_hook._must_rewrite
        """
    )
    before = set(pytester.path.iterdir())

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist")

    result.assert_outcomes(passed=2)
    left = {path.name for path in set(pytester.path.iterdir()) - before}
    assert "flight" not in left


def test_a_test_with_a_recorder_of_its_own_is_left_alone(pytester: pytest.Pytester) -> None:
    """One that the application installs, and that of the fixture `flight`."""
    pytester.makeconftest('pytest_plugins = ["otel_flight.testing.fixtures"]')
    pytester.makepyfile(
        """
        import otel_flight
        from otel_flight.testing import flight_recording

        def test_with_fixture(flight):
            assert otel_flight.get_recorder() is flight.recorder
            raise ValueError

        def test_of_an_application():
            assert otel_flight.get_recorder() is not None
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--flight")

    result.assert_outcomes(failed=1, passed=1)
    assert not (pytester.path / "flight").exists()


def test_the_module_of_the_options_is_apart_from_the_package() -> None:
    """It is loaded in every test run, and the package imports the SDK."""
    found = importlib.util.find_spec("_otel_flight_pytest")

    assert found is not None


def test_the_package_may_be_imported_before_pytest_begins(pytester: pytest.Pytester) -> None:
    """As with `opentelemetry-instrument pytest`: pytest marks what is installed with a plugin.

    Of an installed package it marks all modules by itself, of a source tree it does not.
    """
    pytester.makeini("[pytest]\nfilterwarnings = error")
    pytester.makeconftest(
        "import otel_flight, pytest; pytest.register_assert_rewrite('otel_flight')"
    )

    run(pytester, "-k", "is_slow").assert_outcomes(passed=1, deselected=6)
