"""One model on many ranks: mesh, partition of the parameters, collectives, strategy files, memory."""
