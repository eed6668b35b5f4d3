"""Sends mails and requests, in threads of their own: a server that hangs keeps nothing else waiting."""
