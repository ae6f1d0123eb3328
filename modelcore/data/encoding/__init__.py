"""Converts records into rows of token ids: row formats, loss masks, packing, worker processes."""
