"""What an alert wants, how urgent it is, and the words by which it is found; pure."""
