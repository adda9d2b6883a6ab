"""What `make test-gpu` starts, and what it answers; no test is run."""

import sys
import types

import gpu_run
import pytest

from minicnn import kernels


@pytest.fixture
def started(monkeypatch):
    """The commands that were started and what they were told of examples; racecheck fails."""
    commands = []

    def run(command, cwd, env):
        commands.append((command, env.get("MINICNN_TEST_EXAMPLES")))
        return types.SimpleNamespace(returncode=int("racecheck" in command))

    monkeypatch.delenv("MINICNN_TEST_EXAMPLES", raising=False)
    monkeypatch.setattr(kernels, "get", lambda name: None)
    monkeypatch.setattr(gpu_run.subprocess, "run", run)
    monkeypatch.setattr(gpu_run.shutil, "which", lambda name, path=None: path and f"{path}/{name}")
    monkeypatch.setenv("CUDA_HOME", "/toolkit")
    return commands


def test_everything_unless_asked(started, capsys):
    assert gpu_run.main([]) == 1
    assert started[0] == ([sys.executable, "-m", "pytest", "-m", "not oracle"], None)
    assert [(command[0], command[2], examples) for command, examples in started[1:]] == [
        ("/toolkit/bin/compute-sanitizer", tool, "8") for tool in ("memcheck", "racecheck", "synccheck", "initcheck")
    ]
    assert capsys.readouterr().out.splitlines()[-1] == "failed: racecheck"


def test_parts_of_it(started, capsys):
    assert gpu_run.main(["tests"]) == 0 and len(started) == 1
    assert gpu_run.main(["memcheck"]) == 0 and started[1][0][2] == "memcheck"
    assert capsys.readouterr().out.splitlines()[-1] == "what was run passes"
    assert gpu_run.main(["leakcheck"]) == 2 and len(started) == 2
    assert "there is no leakcheck: there are tests, memcheck, " in capsys.readouterr().err


def test_without_the_sanitizer_it_says_what_was_not_run(started, monkeypatch, capsys):
    monkeypatch.setattr(gpu_run.shutil, "which", lambda name, path=None: None)
    assert gpu_run.main([]) == 0 and len(started) == 1
    assert "not run: memcheck, racecheck, synccheck, initcheck" in capsys.readouterr().out
    assert gpu_run.main(["memcheck"]) == 1  # which was asked for


def test_without_a_card_it_says_why(monkeypatch, capsys):
    def get(name):
        raise kernels.BackendError("no card")

    monkeypatch.setattr(kernels, "get", get)
    assert gpu_run.main([]) == 3 and "needs an NVIDIA card: no card" in capsys.readouterr().err
