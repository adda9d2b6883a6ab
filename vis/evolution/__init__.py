"""Pictures that are bred, not climbed to."""
