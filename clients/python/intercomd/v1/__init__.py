"""The messages and services of intercomd.v1. Written by generate.py, never edited by hand."""
