"""Fuzz targets: every parser of foreign bytes with the property that it keeps.

`test_targets.py` tries each with the corpus and a few hundred examples in `make test`; `make fuzz MINUTES=10` runs them
with atheris, guided by coverage. A target is a function and a line of seeds in one of the modules here.
"""
