"""A reader who follows one page: a directory, a shell and a Python prompt, from top to bottom."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn, final

import pytest

from tests.docs.code_blocks import Block, output_matches
from tests.support.processes.service_process import is_answering

_PROMPT = """\
import sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    path = line.strip()
    try:
        exec(compile(open(path, encoding="utf-8").read(), path, "exec"), names)
        print("done 0", file=sys.__stdout__, flush=True)
    except BaseException:
        traceback.print_exc()
        print("done 1", file=sys.__stdout__, flush=True)
"""
ERRORS = "errors"
_READY_SECONDS = 20.0
_POLL_SECONDS = 0.05


@final
class PageSession:
    """Runs the blocks of one page in order; they share files, shell and Python names.

    Args:
        directory: Where the page is followed; commands start there.
        environment: All variables of the commands.
        replacements: Words on the page, such as ports, and what stands for them here.
        servers: Of these, by their ports, the one is waited for that a command put into the
            background names.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        replacements: Mapping[str, str],
        servers: Mapping[str, str],
    ) -> None:
        self._directory = directory
        self._environment = dict(environment)
        self._replacements = replacements
        self._servers = servers
        self._scratch = directory.parent / "scratch"
        self._count = 0
        self._shell: subprocess.Popen[str] | None = None
        self._python: subprocess.Popen[str] | None = None

    def __enter__(self) -> PageSession:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._scratch.mkdir()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in (self._shell, self._python):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def follow(self, block: Block) -> None:
        """Do what the block asks for; fail the test if that fails, or prints something else."""
        text = self._replaced(block.text)
        if block.file_name:
            (self._directory / block.file_name).write_text(text, encoding="utf-8")
        elif block.language == "python":
            self._run_python(block, text)
        elif block.language == "shell":
            self._run_shell(block, text)
        elif block.language == "console":
            for command, shown in Block(block.page, block.line, "console", text).commands():
                output = self._run_shell(block, command)
                if shown.strip() and not output_matches(shown, output):
                    fail(block, f"`{command.strip()}` printed\n{output}\ninstead of\n{shown}")

    def end(self) -> None:
        """Leave the Python prompt, as a reader would, and expect it to end well."""
        if self._python is not None:
            self._python.communicate()
            assert self._python.returncode == 0

    def _replaced(self, text: str) -> str:
        for shown, real in self._replacements.items():
            text = re.sub(rf"\b{shown}\b", real, text)
        return text

    def _run_python(self, block: Block, source: str) -> None:
        if self._python is None:
            self._python = self._start([sys.executable, "-c", _PROMPT])
        path = self._save(source, ".py")
        code = self._ask(self._python, f"{path}\n")
        if code:
            fail(block, (self._scratch / ERRORS).read_text(encoding="utf-8", errors="replace"))

    def _run_shell(self, block: Block, script: str) -> str:
        if self._shell is None:
            self._shell = self._start(["bash", "--noprofile", "--norc"])
        path = self._save(script, ".sh")
        output = path.with_suffix(".out")
        code = self._ask(
            self._shell,
            f"source {shlex.quote(str(path))} </dev/null >{shlex.quote(str(output))} 2>&1; "
            "printf 'done %s\\n' $?\n",
        )
        written = _without_missing_extra(output.read_text(encoding="utf-8", errors="replace"))
        if code:
            fail(block, f"`{script.strip()}` ended with {code}:\n{written}")
        if script.rstrip().endswith("&"):
            for port, address in self._servers.items():
                if port in script:
                    self._wait_for_server(address, block, output)
        return written

    def _wait_for_server(self, address: str, block: Block, output: Path) -> None:
        assert self._shell is not None
        for _ in range(int(_READY_SECONDS / _POLL_SECONDS)):
            if is_answering(address):
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._shell.wait(_POLL_SECONDS)
        fail(block, f"no server:\n{output.read_text(encoding='utf-8')}")

    def _save(self, text: str, suffix: str) -> Path:
        self._count += 1
        path = self._scratch / f"{self._count}{suffix}"
        path.write_text(text, encoding="utf-8")
        return path

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        with (self._scratch / ERRORS).open("ab") as stderr:
            return subprocess.Popen(
                command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )

    def _ask(self, process: subprocess.Popen[str], request: str) -> int:
        """Send one request and return the code of its answer; other output is passed over."""
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request)
        process.stdin.flush()
        for line in process.stdout:
            if line.startswith("done "):
                return int(line.split()[1])
        return process.wait()


def _without_missing_extra(output: str) -> str:
    """Return the output as it is with the extra `json`, which cannot be had with an old SDK."""
    if importlib.util.find_spec("opentelemetry.exporter.otlp.json") is not None:
        return output
    lines = output.splitlines(keepends=True)
    return "".join(line for line in lines if "packages needed for the OTLP-JSON copy" not in line)


def fail(block: Block, what: str) -> NoReturn:
    """Fail the test, saying where on the page."""
    pytest.fail(f"{block.place}: {what}", pytrace=False)
