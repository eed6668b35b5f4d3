"""Screening: tells whether two names may mean the same party, across scripts and romanisations, and says why.

Owns reading a name (`persons`, `organisations`, `plain`), romanisation (`romanisation`, `sounds`, `surnames`), the
comparison with its class, score and explanation (`compare`), and the keys under which an index finds candidates
(`forms`). Doesn't own lists, indexes, thresholds of a list or what follows from a hit. Pure: values in, values out; the
only files read are the packaged ones of `gateway.reference`.
"""
