"""List, describe and convert nets and their weights.

examples:
  minicnn models list
  minicnn models info mnist-lenet
"""

from ...modules import actions

KIND = "action"

subcommands, add_arguments, run = actions(__name__)
