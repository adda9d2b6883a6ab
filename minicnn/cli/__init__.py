"""The front door: main.py, the commands in commands/, and what they share."""
