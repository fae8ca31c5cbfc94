"""Only the list of packages: pyproject.toml cannot compute it from several roots."""

from setuptools import find_packages, setup

ROOTS = {
    "gridsim": "src/gridsim",
    "gridsim.kernels": "kernels",
    "gridsim.networks": "networks",
    "gridsim.profiles": "profiles",
}

setup(
    package_dir=dict(ROOTS),
    packages=[p for name, where in ROOTS.items() for p in [name, *(f"{name}.{sub}" for sub in find_packages(where))]],
)
