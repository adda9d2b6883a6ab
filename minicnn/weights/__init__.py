"""Weights: one file format a file, and what is done with the files.

    places      which file a name means        whole_net  a net of a file of any format
    store       load and save                  convert    somebody else's file to our own form, once
    fetch       published files by name        verify     whether files are still what was written

A format is a module here with

    FORMAT            whose names the tensors carry: "caffe", "torch", "native"
    SUFFIXES          how such files are usually called
    sniff(head)       whether a file that begins with these bytes is one
    read(path)        -> Checkpoint; raises FormatError, whatever the bytes are

`formats.read` finds the right one. No file is trusted: every size is compared with the bytes that are there before
anything is allocated, and nothing in a file is ever run.
"""
