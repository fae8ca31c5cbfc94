"""``python -m gridsim``: the command line."""

from gridsim.cli import main

main(prog_name="gridsim")
