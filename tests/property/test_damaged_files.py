"""Readers of files that somebody has damaged: they give an error of ours, or what is left."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_flight.ring.layout import HEADER_BYTES
from tests.damage.flips import flip
from tests.support.damaged.damage import Damage, damaged, damaged_member, damages
from tests.support.damaged.damaged_files import DamagedFiles

pytestmark = pytest.mark.timeout(300)

few = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
"""Where what is read as a whole is shown as a whole, which takes half a second."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> DamagedFiles:
    """Whole files to be damaged."""
    return DamagedFiles(tmp_path_factory.mktemp("damaged"))


def test_whole_files_can_be_read(files: DamagedFiles) -> None:
    """Otherwise the tests here would show nothing."""
    assert files.is_flight(files.flight)
    assert files.is_state(files.state)
    assert files.is_ring(files.ring)


@given(changes=damages)
def test_a_damaged_incident_is_an_error_of_ours(
    files: DamagedFiles, changes: Sequence[Damage]
) -> None:
    """Listing, showing and delivering it do not fail in other ways."""
    files.is_flight(damaged(files.flight, changes))


@given(member=st.integers(0, 100), changes=damages)
@few
def test_damage_within_an_incident_is_no_more_than_a_loss(
    files: DamagedFiles, member: int, changes: Sequence[Damage]
) -> None:
    """Also where the archive is whole, and its manifest or its records are something else."""
    files.is_flight(damaged_member(files.flight, member, lambda data: damaged(data, changes)))


@given(changes=damages)
def test_a_damaged_state_says_what_it_can(files: DamagedFiles, changes: Sequence[Damage]) -> None:
    """Commands and services that look into the spool do not fail."""
    files.is_state(damaged(files.state, changes))


@given(is_in_header=st.booleans(), seed=st.integers(0, 1 << 32))
def test_a_damaged_ring_is_an_error_of_ours(
    files: DamagedFiles, is_in_header: bool, seed: int
) -> None:
    """Whoever looks into it or asks its owner for an incident gets that, or what is left."""
    files.is_ring(flip(files.ring, random.Random(seed), HEADER_BYTES if is_in_header else 0))
