"""Files that people have: read into messages of the contract, and written again."""
