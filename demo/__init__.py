"""A federation of three customs authorities on one machine, for a first look and for trials; no part of the product."""

import time

LOADED_S = time.perf_counter()
"""When this process began to load the demo, by `time.perf_counter`: what a run takes is counted from here."""
