"""What is played, one module for each scene; each takes a `Play` and leaves what it measured in its facts."""

from demo.scenes.crash import killed
from demo.scenes.declarations import from_declarations
from demo.scenes.evidence import proved
from demo.scenes.handover import handed_over
from demo.scenes.matches import found_unasked
from demo.scenes.outage import cut_off
from demo.scenes.papers import recorded
from demo.scenes.trace import traced
from demo.scenes.watchlist import listed

SCENES = (recorded, handed_over, from_declarations, cut_off, killed, proved, listed, found_unasked, traced)
"""In the order in which they are played."""

__all__ = ["SCENES"]
