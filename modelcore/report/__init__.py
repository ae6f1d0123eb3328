"""Self-contained HTML: plots as inline SVG, no script, nothing fetched."""
