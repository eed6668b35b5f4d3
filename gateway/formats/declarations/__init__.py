"""Customs declarations in CSV files of any shape."""
