"""Whether two names may mean the same party, across scripts and romanisations, and why. Reads only
`gateway.reference`."""
