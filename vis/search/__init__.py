"""Images worked out step by step: what is raised or lowered, what is changed, what keeps them plain."""
