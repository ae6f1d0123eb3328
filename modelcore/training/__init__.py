"""Training: step, optimizer, schedule, data order, checkpoints, resume; the program each rank runs."""
