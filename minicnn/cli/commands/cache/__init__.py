"""Show, clear and fill the folder of compiled kernels.

A kernel is compiled when it is first called, and kept on disk for later processes. Whenever a kernel's source, Numba or
Python change, all are compiled anew, into another folder.

examples:
  minicnn cache info
  minicnn cache clear --old
  minicnn cache warm
"""

from ...modules import actions

KIND = "action"

subcommands, add_arguments, run = actions(__name__)
