"""A federation of three customs authorities on one machine, for a first look and for trials; no part of the product."""
