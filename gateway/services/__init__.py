"""What the gateway does, as plain synchronous code over store and wire; no gRPC, no asyncio."""
