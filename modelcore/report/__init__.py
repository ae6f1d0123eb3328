"""Self-contained HTML reports: plots as inline SVG, no script, nothing loaded from elsewhere."""
