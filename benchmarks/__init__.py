"""What minicnn costs, measured: `minicnn bench` prints it, `report.py` writes it into the README.

Nothing is timed whose result was not compared in the same run; times are medians of interleaved runs, compiling apart.
"""
