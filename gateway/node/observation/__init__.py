"""What a node sees of itself and of its partners: for metrics and alarms."""
