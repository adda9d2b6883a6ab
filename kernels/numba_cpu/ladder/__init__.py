"""The ladder: the same three operations again and again, from the definition to the fast kernel, one idea a rung.

gemm.py    the matrix product
conv.py    convolution
pool.py    max pooling

To be read from top to bottom; `minicnn bench gemm` checks and times every rung. Nothing computes with these functions
but benchmarks and tests. Each rung is a plain function that returns a new array; from the second on, all threads share
the work.
"""
