"""Changes what colleagues do with alerts."""
