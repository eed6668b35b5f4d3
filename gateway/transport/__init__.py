"""The only importer of gRPC besides the client: credentials, interceptors, servicers, links."""

# Before anything of gRPC: it reads the TLS floor while it is imported.
from gateway.transport import tls_floor as tls_floor
