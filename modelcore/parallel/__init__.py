"""How one model is spread over many ranks: mesh, partition of each parameter, collectives, strategy files."""
