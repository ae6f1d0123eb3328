"""The GPTBigCode family: StarCoder, WizardCoder-15B."""
