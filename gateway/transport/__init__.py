"""The only importer of gRPC besides the client: credentials, interceptors, servicers, links."""
