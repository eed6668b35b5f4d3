"""Generated from protos/gateway/v1 at build time; never edited, never committed."""
