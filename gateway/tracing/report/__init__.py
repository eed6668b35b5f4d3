"""The report of a trace: one HTML file with the picture and what it rests on."""
