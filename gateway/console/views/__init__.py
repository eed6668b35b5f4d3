"""What pages show, put into words: from messages of the gateway to values that templates print."""
