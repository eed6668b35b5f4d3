"""Pure rules: links between records, further questions, and drafts of alerts."""
