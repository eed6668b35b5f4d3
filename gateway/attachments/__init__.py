"""Evidence files: stored by digest, sent to partners on request, erased with the digest left."""
