"""List, describe, fetch, convert and verify nets and their weights.

examples:
  minicnn models list
  minicnn models info mnist-lenet
  minicnn models fetch resnet18
"""

from ...modules import actions

KIND = "action"

subcommands, add_arguments, run = actions(__name__)
