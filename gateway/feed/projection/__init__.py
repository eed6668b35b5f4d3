"""The projector: reads feeds in local order and builds what officers see."""
