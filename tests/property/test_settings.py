"""Settings survive being written and read back, and nothing makes reading them fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_flight.assembly import Settings
from otel_flight.errors import InvalidSetting
from otel_flight.settings.declaration import Setting, settings_in
from otel_flight.settings.sources import find_settings

KIB, GIB = 1024, 1024**3
LIMITS = st.none() | st.floats(0.001, 3600)
PATTERNS = st.text("aZ/*? =", min_size=1).map(str.strip).filter(bool)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "metrics": st.booleans(),
    "window_seconds": st.floats(1, 3600),
    "window_bytes": st.integers(512 * KIB, GIB),
    "open_spans": st.integers(16, 1_000_000),
    "flush_cpu_share": st.floats(0.01, 1),
    "slow_root_seconds": LIMITS | st.just("learned"),
    "slow_root_routes": st.lists(st.tuples(PATTERNS, LIMITS)),
    "error_span_names": st.lists(PATTERNS),
    "ring_directory": st.none() | st.just("/run/flight ring"),
    "signal": st.sampled_from([None, "SIGUSR1"]),
    "export": st.sampled_from(["auto", "off"]),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
SETTINGS = {setting.name: setting for setting in settings_in(Settings)}


@pytest.mark.parametrize("name", sorted(VALUES))
@given(data=st.data())
def test_what_is_written_reads_as_the_same(name: str, data: st.DataObject) -> None:
    """Every value, written in the syntax of the environment, reads as that value again."""
    setting = SETTINGS[name]
    value = setting.read(data.draw(VALUES[name]))

    assert value is None or setting.read(setting.write(value)) == value
    assert setting.read(value) == value


@given(st.sampled_from(settings_in(Settings)), ANYTHING)
def test_any_value_is_read_or_refused(setting: Setting, value: object) -> None:
    """Nothing but `InvalidSetting` comes out of reading a setting."""
    try:
        held = setting.read(value)
    except InvalidSetting:
        return

    assert setting.read(held) == held


@given(
    st.dictionaries(st.sampled_from([each.variable for each in settings_in(Settings)]), st.text()),
    st.dictionaries(st.sampled_from(sorted(SETTINGS)) | st.text(max_size=5), ANYTHING),
)
@example({"OTEL_FLIGHT_RARE_VALUES": "0\n0"}, {"rare_values": True})
def test_no_environment_and_no_file_makes_finding_settings_fail(
    environment: dict[str, str], file_options: dict[str, object]
) -> None:
    """Whatever was deployed with an application, there are settings for it."""
    found = find_settings(Settings, file_options=file_options, environment=environment)

    assert set(found.origins) == set(SETTINGS)
    assert all("\n" not in problem for problem in found.problems)
