"""What happens to feeds: entries committed, sent, received and recovered."""
