"""Figures of this machine: `python -m benchmarks.run`. Not shipped; needs the development environment."""
