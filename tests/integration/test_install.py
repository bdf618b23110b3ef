"""What a package built of this tree holds, and that it needs no compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.process import ENVIRONMENT, ROOT

SOURCES = ("actors", "admin", "protos")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
BUILD_SDIST = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
OFFLINE = ("--no-build-isolation", "--no-deps", "--no-index")
BUILDING = {
    # Ours to build are the sources, and what builds them is this Python's: no path of the tests.
    **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    "CC": "/nonexistent/cc",
}


def python(*arguments: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run this Python to its end, which must be a good one."""
    done = subprocess.run(
        (sys.executable, *arguments),
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, built of a clean copy of the tree."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("sdist")
    for name in SOURCES:
        rubbish = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / name, tree / name, ignore=rubbish)
    for name in FILES:
        shutil.copy(ROOT / name, tree / name)
    python("-c", BUILD_SDIST, str(out), cwd=tree, env=BUILDING)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the source distribution, built where there is no compiler."""
    out = tmp_path_factory.mktemp("wheel")
    python(*PIP, "wheel", *OFFLINE, "--wheel-dir", str(out), str(sdist), cwd=out, env=BUILDING)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the wheel is installed into."""
    place = tmp_path_factory.mktemp("site")
    python(*PIP, "install", *OFFLINE, "--target", str(place), str(wheel), cwd=place, env=BUILDING)
    return place


def test_a_source_distribution_holds_all_that_the_native_scan_is_built_from(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    kernels = [*(ROOT / "actors/miner/kernels").glob("*.[ch]")]
    assert kernels
    assert {each.relative_to(ROOT).as_posix() for each in kernels} <= packed
    assert "setup.py" in packed


def test_a_wheel_is_for_the_stable_abi_of_every_python_that_we_support(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name


def test_what_is_installed_are_packages_stubs_and_types_and_no_c(site: Path) -> None:
    assert (site / "actors/miner/_native.pyi").is_file()
    assert (site / "actors/py.typed").is_file()
    assert (site / "admin/py.typed").is_file()
    assert (site / "troupe/admin/v1/miner_service.proto").is_file()
    assert not (site / "actors/miner/kernels").exists()
    assert [*site.rglob("*.[ch]")] == []


def test_an_install_without_a_compiler_works_and_says_that_it_mines_with_hashlib(
    site: Path,
) -> None:
    assert [*site.rglob("*_native*.so")] == []
    env = {**ENVIRONMENT, "PYTHONPATH": str(site)}
    where = "import actors.miner.engines as e; print(e.__file__); print(e.plan_engine().note)"
    place, note = python("-c", where, cwd=site.parent, env=env).stdout.splitlines()
    assert Path(place).is_relative_to(site)
    words = ("-m", "admin.cli.main", "bench", "pow", "-o", "json")
    done = python(*words, cwd=site.parent, env=env)
    rows = json.loads(done.stdout)
    assert [(each["kernel"], each["selected"]) for each in rows] == [("hashlib", True)] * 2
    assert "_native" in note
    assert note in done.stderr
