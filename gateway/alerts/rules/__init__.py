"""Rules of alerts: their life as a table of steps, and their deadlines by a clock."""
