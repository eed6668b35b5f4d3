"""Reads OFAC's lists: files, kinds of items in their remarks, and the remarks."""
