"""PersonService, and who a call's person is."""
