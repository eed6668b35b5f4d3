"""Forms of a notification: the contract's, an e-mail, a webhook's request, and a message of the outbox."""
