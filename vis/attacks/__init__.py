"""Small distortions that change what a net says."""
