"""Descriptors and classifiers as nets."""
