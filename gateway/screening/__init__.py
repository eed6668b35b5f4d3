"""Screening: tells whether two names may mean the same party, across scripts and romanisations, and says why.

Pure: values in, values out; the only files read are the packaged ones of `gateway.reference`.
"""
