"""The agent runs as whom it is told to, and cannot go back."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys

import pytest

from otel_flight.agent.privileges import Identity, become, find_user

_NOBODY = 65534


def test_a_user_is_known_by_name_and_by_number() -> None:
    """With the group and the home that the system says."""
    own = pwd.getpwuid(os.getuid())

    expected = Identity(own.pw_uid, own.pw_gid, own.pw_dir)
    assert find_user(own.pw_name) == find_user(str(own.pw_uid)) == expected
    assert find_user(f"{own.pw_uid}:4242") == Identity(own.pw_uid, 4242, own.pw_dir)


def test_a_number_need_not_be_known() -> None:
    """That of a user in a container is not, outside of it."""
    assert find_user("4000123") == Identity(4000123, 4000123)
    assert find_user("4000123:7") == Identity(4000123, 7)


@pytest.mark.parametrize("text", ["no-such-user", "", "0:wheel", "-1"])
def test_others_are_refused(text: str) -> None:
    """By the command line, before anything was done."""
    with pytest.raises(ValueError, match=r"user|UID"):
        find_user(text)


def test_who_it_is_already_needs_no_right() -> None:
    """As in a container that runs as the services' user."""
    become(Identity(os.geteuid(), os.getegid()))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_there_is_no_way_back() -> None:
    """Nor a group of root's that is left."""
    program = f"""
import os
from otel_flight.agent.privileges import Identity, become
become(Identity({_NOBODY}, {_NOBODY}, "/nowhere"))
try:
    os.setuid(0)
except PermissionError:
    print(os.getresuid(), os.getresgid(), os.getgroups(), os.environ["HOME"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    three = (_NOBODY,) * 3
    assert done.stdout.strip() == f"{three} {three} [] /nowhere"
