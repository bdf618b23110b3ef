"""The kernels alone, in a C program with an oracle of its own: also for processors that are emulated."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KERNELS = ROOT / "actors" / "miner" / "kernels"
NATIVE = ROOT / "tests" / "support" / "native"
# module.c is Python's.
SOURCES = sorted(path for path in KERNELS.glob("*.c") if path.name != "module.c")
FLAGS = ("-std=c11", "-O1", "-Wall", "-Wextra", f"-I{KERNELS}", f"-I{NATIVE}")
STEPS_UNDER_EMULATION = 4
"""An emulator is tens of times slower: every fourth template."""
NEEDS_SHA_TOO = (8, 2)
"""The first QEMU whose emulated x86 has the SHA instructions."""

on_x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the instructions are those of x86"
)


def needed(program: str) -> str:
    """Where a program is; the test is skipped, and says so, without it."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"no {program} on this machine")
    return path


def built(compiler: str, folder: Path, *flags: str) -> Path:
    """The harness; without warnings, for they would be ours."""
    program = folder / "selftest"
    done = subprocess.run(
        (compiler, *FLAGS, *flags, NATIVE / "selftest.c", *SOURCES, "-lm", "-o", program),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return program


def tried(*command: str | Path) -> list[str]:
    """The kernels that the harness tried and agrees with."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_kernels_of_this_processor_agree_with_the_harness(
    compiler: str, tmp_path: Path
) -> None:
    assert tried(built(needed(compiler), tmp_path))[-1] == "portable"


@on_x86
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_kernel_of_the_sha_instructions_agrees_where_they_are_emulated_in_c(
    compiler: str, tmp_path: Path
) -> None:
    program = built(needed(compiler), tmp_path, "-DTROUPE_EMULATED_SHA")
    assert "sha_ni" in tried(program, str(STEPS_UNDER_EMULATION))


@on_x86
def test_the_sha_instructions_agree_in_an_emulated_processor(tmp_path: Path) -> None:
    emulator = needed("qemu-x86_64")
    text = subprocess.run((emulator, "--version"), capture_output=True, text=True, check=True)
    version = tuple(int(part) for part in text.stdout.split()[2].split(".")[:2])
    if version < NEEDS_SHA_TOO:
        pytest.skip(f"QEMU {version} emulates no SHA instructions, {NEEDS_SHA_TOO} is the first")
    program = built(needed("gcc"), tmp_path, "-static")
    names = tried(emulator, "-cpu", "max", program, str(STEPS_UNDER_EMULATION))
    assert "sha_ni" in names


def test_the_kernel_of_the_arm_instructions_agrees_in_an_emulated_processor(tmp_path: Path) -> None:
    compiler, emulator = needed("aarch64-linux-gnu-gcc"), needed("qemu-aarch64")
    program = built(compiler, tmp_path, "-static")
    names = tried(emulator, "-cpu", "max", program, str(STEPS_UNDER_EMULATION))
    assert names == ["armv8", "portable"]


def test_clang_compiles_the_kernel_of_the_arm_instructions(tmp_path: Path) -> None:
    """Older ones declare the instructions only for processors that are sure to have them."""
    compiler, headers = needed("clang"), Path("/usr/aarch64-linux-gnu/include")
    if not headers.is_dir():
        pytest.skip("no C headers for ARM on this machine")
    target = ("--target=aarch64-linux-gnu", "-isystem", str(headers))
    for source in (KERNELS / "armv8.c", KERNELS / "kernels.c"):
        command = (compiler, *target, *FLAGS, "-c", source, "-o", tmp_path / "object")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
