"""Where everything from outside comes in: files, JSON and YAML with limits on size, depth and numbers.

The lowest package: readers of every format in `config`, `store`, `weights` and above take their text from
here.
"""
