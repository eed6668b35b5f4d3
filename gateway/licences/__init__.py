"""Export licences: published to those whom they concern, with their uses and what is left of them."""
