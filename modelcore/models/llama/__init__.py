"""The llama family: CodeLlama, WizardCoder-Python, DeepSeek-Coder."""
