"""What own systems do with alerts, as commands of the writer."""
