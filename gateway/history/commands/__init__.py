"""What is written: records, legal holds, and the end of both."""
