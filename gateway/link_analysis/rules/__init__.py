"""What connects records, and which part of it is shown. Pure."""
