"""The console as a server: application, process, connections, headers and limits, its own files."""
