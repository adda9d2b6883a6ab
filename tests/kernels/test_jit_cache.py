"""What is compiled is kept on disk, anew whenever a source changes, and not at all where nothing can be written."""

import importlib
import os
import subprocess
import sys

import pytest

jit = importlib.import_module("minicnn.kernels.numba_cpu.jit")
NAMES = ("NUMBA_CACHE_DIR", "MINICNN_CACHE_DIR", "XDG_CACHE_HOME", "HOME")


@pytest.fixture
def cache_environ(monkeypatch, tmp_path):
    """Sets the variables that choose the cache's folder, and only those given."""

    def set_only(**environ):
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, str(value))

    return set_only


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "caller.py").write_text("def f(x): return g(x)\n")
    (folder / "callee.py").write_text("def g(x): return x\n")
    return folder


def test_an_edited_source_changes_the_folder_of_all(cache_environ, tmp_path, sources):
    cache_environ(MINICNN_CACHE_DIR=tmp_path / "cache")
    before = jit.cache_folder(sources)
    assert jit.cache_folder(sources) == before
    (sources / "callee.py").write_text("def g(x): return -x\n")
    after = jit.cache_folder(sources)
    assert after != before
    (sources / "callee.py").rename(sources / "renamed.py")
    assert jit.cache_folder(sources) not in (before, after)


def test_sources_in_folders_of_sources_count(cache_environ, tmp_path, sources):
    cache_environ(MINICNN_CACHE_DIR=tmp_path / "cache")
    found = [jit.cache_folder(sources)]
    (sources / "ladder").mkdir()
    for text in ("def h(x): return x\n", "def h(x): return -x\n"):
        (sources / "ladder" / "rung.py").write_text(text)
        found.append(jit.cache_folder(sources))
    (sources / "ladder" / "notes.txt").write_text("nothing that is compiled")
    assert len(set(found)) == 3 and jit.cache_folder(sources) == found[-1]


@pytest.mark.parametrize("name", ["VECTOR_BYTES", "ROWS"])
def test_another_tile_has_another_folder(cache_environ, tmp_path, sources, monkeypatch, name):
    """Where NUMBA_CPU_NAME is set, Numba's index would take the kernels of two processors for the same."""
    cache_environ(MINICNN_CACHE_DIR=tmp_path)
    before = jit.cache_folder(sources)
    monkeypatch.setattr(jit.machine, name, 2 * getattr(jit.machine, name))
    assert jit.cache_folder(sources) != before


@pytest.mark.parametrize("name, value", [("BOUNDSCHECK", 1), ("OPT", 1), ("DEBUGINFO_DEFAULT", 1)])
def test_other_settings_of_numba_have_another_folder(cache_environ, tmp_path, sources, monkeypatch, name, value):
    cache_environ(MINICNN_CACHE_DIR=tmp_path)
    before = jit.cache_folder(sources)
    config = jit.numba.config
    monkeypatch.setattr(config, name, value if getattr(config, name) != value else 0)
    assert jit.cache_folder(sources) != before


@pytest.mark.parametrize("module", [("numba", "__version__"), ("platform", "python_version")])
def test_another_numba_or_python_has_another_folder(cache_environ, tmp_path, sources, monkeypatch, module):
    cache_environ(MINICNN_CACHE_DIR=tmp_path)
    before = jit.cache_folder(sources)
    other = "0.0" if module[0] == "numba" else lambda: "0.0"
    monkeypatch.setattr(getattr(jit, module[0]), module[1], other)
    assert jit.cache_folder(sources) != before


def test_which_variable_chooses(cache_environ, tmp_path, sources):
    folders = {name: tmp_path / name for name in NAMES}
    for first, name in enumerate(NAMES):
        cache_environ(**{later: folders[later] for later in NAMES[first:]})
        below = folders["HOME"] / ".cache" if name == "HOME" else folders[name]
        assert jit.cache_folder(sources).parent == below / "minicnn" / "numba"


def test_there_is_no_folder_where_nothing_can_be_written(cache_environ, tmp_path, sources):
    (tmp_path / "file").write_text("")
    cache_environ(MINICNN_CACHE_DIR=tmp_path / "file" / "below")
    assert jit.cache_folder(sources) is None


COMPUTE = """
import importlib
import numpy as np
from minicnn.kernels import numba_cpu
out = numba_cpu.relu_forward(np.array([-1.0, 2.0]))
stats = importlib.import_module("minicnn.kernels.numba_cpu.relu")._forward.stats
print(out.tolist(), sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def compute(cache_dir):
    """What a fresh process prints: the result, and how many functions came from the cache, and how many did not."""
    env = {k: v for k, v in os.environ.items() if k not in NAMES} | {"MINICNN_CACHE_DIR": str(cache_dir)}
    done = subprocess.run([sys.executable, "-c", COMPUTE], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.strip()


def test_a_second_process_compiles_nothing(tmp_path):
    assert compute(tmp_path) == "[0.0, 2.0] 0 1"
    assert compute(tmp_path) == "[0.0, 2.0] 1 0"


def test_without_a_writable_folder_kernels_run_and_leave_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("")
    assert compute(tmp_path / "file" / "below") == "[0.0, 2.0] 0 1"
    assert not list(jit.Path(jit.__file__).parent.rglob("*.nbi"))


PRODUCT = """
import numpy as np
from numba.core.event import install_recorder
from minicnn.kernels import numba_cpu
rng = np.random.default_rng(0)
a, b = (rng.integers(-9, 10, shape) for shape in ((37, 53), (53, 41)))
with install_recorder("numba:compile") as compiled:
    out = numba_cpu.matmul(a.astype("float32"), b.astype("float32"))
print(np.array_equal(out, a @ b), len(compiled.buffer) > 0)
"""


def test_another_processor_has_entries_of_its_own(tmp_path):
    """Compiled for one without vector instructions to speak of, the same tiles give the same numbers, only slower."""
    here = {k: v for k, v in os.environ.items() if k not in NAMES} | {"MINICNN_CACHE_DIR": str(tmp_path)}
    plain = here | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    said = []
    for env in (here, plain, here, plain):
        command = [sys.executable, "-c", PRODUCT]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=True)
        said.append(done.stdout.split())
    assert said == [["True", "True"], ["True", "True"], ["True", "False"], ["True", "False"]]


def test_numbas_own_setting_is_left_as_it_was():
    import numba

    before = numba.config.CACHE_DIR

    @jit.jit
    def double(x):
        return 2 * x

    assert numba.config.CACHE_DIR == before
    assert double(21) == 42
