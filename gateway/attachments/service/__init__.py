"""Where the bytes of files lie, how they come there, and what is known of them."""
