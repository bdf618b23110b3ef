"""Builds the nonce scan in C; everything else about the distribution is in pyproject.toml.

The extension is optional: where it cannot be built, the install goes on without it, the build log says
so, and mining runs `hashlib`.
"""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

KERNELS = Path("actors/miner/kernels")
LIMITED_API = 0x030B0000
"""Python 3.11, the oldest that we run on: the module built there serves every later one."""
# A free-threaded Python has no stable ABI.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")
# A build under a sanitizer (.ci/sanitize) brings its own: optimized code hides what it looks for.
# Debug information is ten times the code of unrolled kernels. GCC's last scheduling pass spreads what the
# kernels have put in order: AVX2 is 5 to 9 % faster without it (clang has no such pass, and ignores this).
RELEASE_FLAGS = ["-O3", "-g0", "-fno-schedule-insns2"]
if "-fsanitize" in os.environ.get("CFLAGS", ""):
    RELEASE_FLAGS = []

setup(
    ext_modules=[
        Extension(
            "actors.miner._native",
            sources=sorted(path.as_posix() for path in KERNELS.glob("*.c")),
            depends=sorted(path.as_posix() for path in KERNELS.glob("*.h")),
            define_macros=[("Py_LIMITED_API", f"{LIMITED_API:#010x}")] if STABLE_ABI else [],
            # No -march: a kernel names its instruction set itself, and runs only where it is there.
            extra_compile_args=[
                *("-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra"),
                *RELEASE_FLAGS,
            ],
            py_limited_api=STABLE_ABI,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
