"""A stand-in for pycuda, of which only `pycuda.driver` is used. A module with a path is a package to Python."""

from pathlib import Path

__path__ = [str(Path(__file__).parent / "pycuda_modules")]
