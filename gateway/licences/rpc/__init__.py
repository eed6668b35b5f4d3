"""Serves licences over gRPC, and asks partners whether theirs cover goods."""
