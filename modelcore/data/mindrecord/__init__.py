"""MindRecord files: written, read, decoded to text, and put in place whole."""
