"""Weights: one file format a file, and the store that finds them.

A format is a module here with

    FORMAT            whose names the tensors carry: "caffe", "torch", "native"
    SUFFIXES          how such files are usually called
    sniff(head)       whether a file that begins with these bytes is one
    read(path)        -> Checkpoint; raises FormatError, whatever the bytes are

`formats.read` finds the right one. No file is trusted: every size is compared with the bytes that are there before
anything is allocated, and nothing in a file is ever run.
"""
