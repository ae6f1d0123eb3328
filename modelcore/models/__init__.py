"""Model families: their configs, networks, names and partitions, and what needs several of these together."""
