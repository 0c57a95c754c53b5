"""Gives up root: the agent needs no more than the services whose files it reads."""

from __future__ import annotations

import os
import pwd
from typing import NamedTuple


class Identity(NamedTuple):
    """A user to run as.

    Attributes:
        uid: the number of the user.
        gid: the number of the group.
        home: the user's directory; empty: there is none.
    """

    uid: int
    gid: int
    home: str = ""


def find_user(text: str) -> Identity:
    """Return who is meant by a user's name, by a number, or by numbers of user and group.

    Numbers need not be known to this system: those of a container's users are not.

    Raises:
        ValueError: there is no such user.
    """
    user, colon, group = text.partition(":")
    if colon and not group.isdecimal():
        raise ValueError(f"{text!r} is not UID:GID")
    try:
        found = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        if not user.isdecimal():
            raise ValueError(f"there is no user {user!r}") from None
        return Identity(int(user), int(group or user))
    return Identity(found.pw_uid, int(group) if group else found.pw_gid, found.pw_dir)


def become(identity: Identity) -> None:
    """Run as somebody from now on, without any other group, and without a way back.

    Raises:
        PermissionError: this process may not: it is neither root nor that user already.
    """
    if (os.geteuid(), os.getegid()) == (identity.uid, identity.gid):
        return
    os.setgroups([])
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)
    if identity.home:
        os.environ["HOME"] = identity.home
