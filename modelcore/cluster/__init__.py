"""Many hosts through Ray: a gang of ranks over hosts, its failures and its next attempt."""
