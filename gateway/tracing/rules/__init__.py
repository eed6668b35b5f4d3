"""Links between records, further questions, and drafts of alerts; pure."""
