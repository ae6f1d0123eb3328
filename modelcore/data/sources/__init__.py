"""Where records come from: JSON, JSON lines, wikitext, conversations. Nothing is tokenized here."""
